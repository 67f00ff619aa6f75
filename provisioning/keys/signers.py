"""Opens a signer by its text: a key file, the folder of a tree, the URI of a token.

author.pem, file:author.pem         P-256 or Ed25519 key in a PEM file
hss:FOLDER                          HSS/LMS tree of this machine
pkcs11:token=...;object=...         P-256 or Ed25519 key in a token (provisioning/keys/pkcs11_signer.py)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from provisioning.keys.file_signer import load_file_signer
from provisioning.keys.hss_signer import HssSigner
from provisioning.keys.schemes import FILE_SCHEME, HSS_SCHEME, PKCS11_SCHEME
from provisioning.keys.signer import Signer


def open_signer(text: str) -> Signer:
    """Return the signer that `text` names. Raises ValueError, OSError (TokenError), LmsStateError."""
    if text.startswith(HSS_SCHEME):
        return HssSigner(Path(text.removeprefix(HSS_SCHEME)))
    if text.startswith(PKCS11_SCHEME):
        from provisioning.keys.pkcs11_signer import Pkcs11Signer

        return Pkcs11Signer(text)
    return load_file_signer(Path(text.removeprefix(FILE_SCHEME)))


def open_signers(texts: Sequence[str]) -> list[Signer]:
    """Return every signer of `texts`, in order. Raises ValueError if two are the same key."""
    found = [open_signer(text) for text in texts]
    if len({signer.public for signer in found}) != len(found):
        raise ValueError("two signers are the same key; units count each key once, so give different keys")
    return found
