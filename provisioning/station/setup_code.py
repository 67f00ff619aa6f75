"""Generate set-up codes: 100 random bits of the system's CSPRNG, or an error.

Rules:
1. A code is never derived; there is no seed and no fallback. A missing or stuck source ends the run (PR-01, PW-08).
2. device/owner/setup_code.py defines the form of a code (alphabet, check character). Only its verifier goes to the
   unit.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from device.errors import EntropyError
from device.owner.setup_code import ALPHABET, RANDOM_SYMBOLS, check_character

READ_BYTES: Final = 32
LEAST_DISTINCT: Final = 8  # of 32 random bytes about 30 differ; fewer than 8 happens once in 10**37

RandomBytes = Callable[[int], bytes]


def generate_code(random_bytes: RandomBytes = secrets.token_bytes) -> str:
    """Return a new set-up code in normal form. Secret. Raises EntropyError if the source is missing or stuck."""
    number = int.from_bytes(_checked_bytes(random_bytes), "big")
    symbols = ""
    for _ in range(RANDOM_SYMBOLS):  # 32 characters: five bits each, no bias
        symbols += ALPHABET[number & 31]
        number >>= 5
    return symbols + check_character(symbols)


def _checked_bytes(random_bytes: RandomBytes) -> bytes:
    """Return bytes of the source that have the requested length, are not constant and do not repeat."""
    try:
        first, second = random_bytes(READ_BYTES), random_bytes(READ_BYTES)
    except (NotImplementedError, OSError) as error:
        raise EntropyError(reason="no random source", error=type(error).__name__) from None
    if len(first) != READ_BYTES or len(second) != READ_BYTES:
        raise EntropyError(reason="short read")
    if first == second or len(set(first)) < LEAST_DISTINCT or len(set(second)) < LEAST_DISTINCT:
        raise EntropyError(reason="stuck random source")
    return second
