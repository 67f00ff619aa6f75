"""The passphrase of a unit's own access point: derived from its set-up code, one way.

Rules:
1. The code is 100 random bits of this unit alone (setup_code.py), so the passphrase is unique per product, follows no
   counter, and nobody can compute it from public facts (SI 2023/1007 Sch. 1 para 1(3); PW-06 to PW-09). The name of
   the network is public and only separates uses of the code.
2. It has 80 bits. HMAC-SHA-256 is one-way: a person who reads the passphrase, or finds it from a recorded handshake,
   does not learn the code, which is the greater secret.
3. It is stored nowhere but in the unit and on its label. A label that is drawn again from the code shows the same one.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

ALPHABET: Final = (
    "23456789abcdefghijkmnpqrstuvwxyz"  # without 0, 1, l and o, which can be mistaken for another
)
SYMBOLS: Final = 16  # of 5 bits
_GROUP: Final = 4
_PURPOSE: Final = b"firstboot access point\x00"


def access_point_passphrase(code: str, name: str) -> str:
    """Return the passphrase for the set-up code (normal form) and the network's name. Secret.

    Sixteen lower-case letters and digits in groups of four; the dashes between them belong to the passphrase.
    """
    digest = hmac.new(code.encode(), _PURPOSE + name.encode(), hashlib.sha256).digest()
    number = int.from_bytes(digest, "big")
    symbols = ""
    for _ in range(SYMBOLS):
        symbols += ALPHABET[number & 31]
        number >>= 5
    return "-".join(symbols[at : at + _GROUP] for at in range(0, SYMBOLS, _GROUP))
