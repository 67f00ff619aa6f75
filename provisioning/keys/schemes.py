"""The schemes that say where a signer's key is; a text without a scheme is a PEM file. Importing this costs nothing."""

from __future__ import annotations

from typing import Final

FILE_SCHEME: Final = "file:"  # a PEM file
HSS_SCHEME: Final = "hss:"  # the folder of a tree of one-time keys
PKCS11_SCHEME: Final = "pkcs11:"  # a key in a token, RFC 7512
