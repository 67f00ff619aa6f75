"""PKCS#10 certification requests (RFC 2986), signed by the key that they are for.

The subject is empty: the authority names the unit. The request only proves possession of the key.
"""

import hashlib

from device.compat import const
from device.crypto import der

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable

_VERSION_1 = b"\x02\x01\x00"  # INTEGER 0
_EMPTY_NAME = b"\x30\x00"
_NO_ATTRIBUTES = b"\xa0\x00"  # [0] IMPLICIT SET OF, empty


def certification_request(public: bytes, sign_digest: "Callable[[bytes], bytes]") -> bytes:
    """Return the DER request for an uncompressed P-256 point.

    `sign_digest` takes a SHA-256 digest and gives r || s (64 bytes) of ECDSA with the private key of `public`.
    """
    info = der.encode(der.SEQUENCE, _VERSION_1 + _EMPTY_NAME + der.public_key_info(public) + _NO_ATTRIBUTES)
    signature = der.ecdsa_signature(sign_digest(hashlib.sha256(info).digest()))
    return der.encode(
        der.SEQUENCE,
        info
        + der.encode(der.SEQUENCE, der.OID_ECDSA_SHA256)
        + der.encode(der.BIT_STRING, b"\x00" + signature),
    )
