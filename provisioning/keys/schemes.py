"""The beginning of a signer's text states where its key is; without one, the text is the path of a PEM file.

This module imports nothing, so that a command line can be read without cryptography.
"""

from __future__ import annotations

from typing import Final

FILE_SCHEME: Final = "file:"  # a PEM file
HSS_SCHEME: Final = "hss:"  # the folder of a tree of one-time keys
PKCS11_SCHEME: Final = "pkcs11:"  # a key in a token, RFC 7512
