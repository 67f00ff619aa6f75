"""The cryptography that device code calls: the C module `_fbcrypto` if the board has it, else the Python references.

Both have the same functions, so no caller asks where it runs:

    sha256(data) -> 32 bytes              new_sha256([data]) -> hash with update() and one digest()
    equal(first, second) -> bool          hmac_sha256(key, data) -> 32 bytes
    hkdf_sha256(salt, secret, info, length) -> bytes
    p256_generate(random_bytes) -> (private 32, public 65)       p256_public(private) -> public
    p256_sign(private, digest) -> 64 bytes                       p256_verify(public, digest, signature) -> bool
    hss_verify(public, message, signature) -> bool               ed25519_verify(public, message, signature) -> bool
    aes_ccm_encrypt(key, nonce, aad, plaintext, tag_bytes) -> ciphertext and tag
    aes_ccm_decrypt(key, nonce, aad, ciphertext, tag_bytes) -> plaintext
    Pbkdf2(password, salt) with step(iterations) and digest() -> 32 bytes

coap_options, oscore_protect and oscore_unprotect are None without the module: device.net has their references, and
uses them (docs/reference/c-modules.md).

Wrong lengths, a point off the curve, a wrong AES-CCM tag and parameters that are not supported raise
ValueError; a wrong signature is False. The module itself is the `crypto` argument of
`device.trust`.
"""

import hashlib

from device.compat import const
from device.crypto.hmac_ import equal as equal
from device.crypto.hmac_ import hkdf_sha256 as hkdf_sha256
from device.errors import EntropyError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable

try:
    import _fbcrypto

    HAS_C_MODULE = True
except ImportError:
    HAS_C_MODULE = False

new_sha256 = hashlib.sha256

if HAS_C_MODULE:
    Pbkdf2 = _fbcrypto.Pbkdf2
    aes_ccm_decrypt = _fbcrypto.aes_ccm_decrypt
    aes_ccm_encrypt = _fbcrypto.aes_ccm_encrypt
    coap_options = _fbcrypto.coap_options
    hmac_sha256 = _fbcrypto.hmac_sha256
    hss_verify = _fbcrypto.hss_verify
    oscore_protect = _fbcrypto.oscore_protect
    oscore_unprotect = _fbcrypto.oscore_unprotect
    p256_public = _fbcrypto.p256_public
    p256_sign = _fbcrypto.p256_sign
    p256_verify = _fbcrypto.p256_verify

    def p256_generate(random_bytes: "Callable[[int], bytes]") -> "tuple[bytes, bytes]":
        """Return a new (private, public) pair from the module's own generator. Raises EntropyError."""
        try:
            private, public = _fbcrypto.p256_generate()
        except OSError:
            raise EntropyError(what="P-256 key") from None
        return private, public

else:
    from device.crypto.aes_ccm import aes_ccm_decrypt, aes_ccm_encrypt
    from device.crypto.hmac_ import Pbkdf2, hmac_sha256
    from device.crypto.lms import hss_verify
    from device.crypto.p256 import p256_private, p256_public, p256_sign, p256_verify

    coap_options = oscore_protect = oscore_unprotect = None

    def p256_generate(random_bytes: "Callable[[int], bytes]") -> "tuple[bytes, bytes]":
        """Return a new (private, public) pair from 40 bytes of `random_bytes`. Raises what `random_bytes` raises."""
        private = p256_private(random_bytes(40))
        return private, p256_public(private)


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the Ed25519 signature is right. Raises ValueError for wrong lengths."""
    from device.crypto import ed25519  # only if a key of this type is used: its modules take heap

    return ed25519.ed25519_verify(public, message, signature)


def sha256(data: bytes) -> bytes:
    """Return the SHA-256 of `data`, 32 bytes."""
    return hashlib.sha256(data).digest()


__all__ = [
    "HAS_C_MODULE",
    "Pbkdf2",
    "aes_ccm_decrypt",
    "aes_ccm_encrypt",
    "coap_options",
    "ed25519_verify",
    "equal",
    "hkdf_sha256",
    "hmac_sha256",
    "hss_verify",
    "new_sha256",
    "oscore_protect",
    "oscore_unprotect",
    "p256_generate",
    "p256_public",
    "p256_sign",
    "p256_verify",
    "sha256",
]
