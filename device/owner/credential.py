"""The owner's password as it is stored: a salted slow hash, keyed if the board has a key store (PW-13).

CBOR {1: salt (16 bytes), 2: iterations, 3: PBKDF2-HMAC-SHA-256 (32 bytes), optional 4: true = the digest went through
KeyStore.keyed_digest}. With a key store, an attacker who has read the flash chip must still guess on the device itself.
"""

from collections import namedtuple

from device.codec import cbor
from device.compat import const
from device.crypto import backend
from device.errors import CodecError, RecordDamagedError
from device.limits import PBKDF2_MAX_ITERATIONS, PBKDF2_MIN_ITERATIONS

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Generator

    from device.interfaces import KeyStore

SALT_BYTES = 16
HASH_BYTES = 32
SLICE_ITERATIONS = 200  # about 20 ms at 100 MIPS

# Separates this use of the key store's key from every other use.
_CONTEXT = b"firstboot credential\0"

Credential = namedtuple("Credential", ("salt", "iterations", "digest", "is_keyed"))


def encode_credential(credential: "Credential") -> bytes:
    """Return the bytes of the `credential` record."""
    fields = {1: credential.salt, 2: credential.iterations, 3: credential.digest}
    if credential.is_keyed:
        fields[4] = True
    return cbor.encode(fields)


def decode_credential(data: bytes) -> "Credential":
    """Return the credential in a record. Raises RecordDamagedError for bytes that are not a valid credential."""
    try:
        fields = cbor.check_map(cbor.decode(data), ((1, bytes), (2, int), (3, bytes)), ((4, bool),))
    except CodecError:
        raise RecordDamagedError(name="credential") from None
    credential = Credential(fields[1], fields[2], fields[3], fields.get(4, False))
    # An iteration count out of bounds would keep the unit busy for hours.
    if not PBKDF2_MIN_ITERATIONS <= credential.iterations <= PBKDF2_MAX_ITERATIONS:
        raise RecordDamagedError(name="credential")
    if len(credential.salt) != SALT_BYTES or len(credential.digest) != HASH_BYTES:
        raise RecordDamagedError(name="credential")
    return credential


def derive(
    password: str, salt: bytes, iterations: int, key_store: "KeyStore | None"
) -> "Generator[None, None, bytes]":
    """Return the digest to store (32 bytes); the generator yields None between slices of SLICE_ITERATIONS.

    `key_store`: None for a digest without a key. Raises what the key store raises (StorageError).
    """
    work = backend.Pbkdf2(password.encode(), salt)
    while iterations > 0:
        work.step(min(iterations, SLICE_ITERATIONS))
        iterations -= SLICE_ITERATIONS
        yield
    digest: bytes = work.digest()
    return digest if key_store is None else key_store.keyed_digest(_CONTEXT + digest)
