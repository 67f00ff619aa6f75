"""Results that are computed once for all units: checks of a signature, public keys, the tracker's signatures.

Each unit asks the tracker about a nonce of its own, so its answers are all different. In place of ECDSA the tracker of
a fleet signs with a keyed digest, and `backend.p256_verify` recognises that digest: the tracker's public key and a
signature that the tracker made, and nothing else. Any other signature goes to the real check. So a changed record is
refused as ever, and a test compares a run with a run without all this.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

from device.crypto import backend
from provisioning.keys.signer import Signer
from simulator.powercut.remember import Remembering

FUNCTIONS = ("p256_public", "hss_verify")


class TrackerKey:
    """The tracker's key of a fleet: a Signer whose signatures cost one digest. `real` is the key that it replaces."""

    def __init__(self, real: Signer) -> None:
        self.real = real
        self.algorithm = real.algorithm
        self.key_id = real.key_id
        self.public = real.public
        self._secret = secrets.token_bytes(32)

    def sign(self, message: bytes) -> bytes:
        """Return 64 bytes that only this object makes and recognises."""
        return self._mark(hashlib.sha256(message).digest())

    def made(self, public: bytes, digest: bytes, signature: bytes) -> bool:
        """Return whether this object signed `digest`."""
        return public == self.public and signature == self._mark(digest)

    def _mark(self, digest: bytes) -> bytes:
        return blake2b(digest, key=self._secret, digest_size=64).digest()


@contextmanager
def remembering(key: TrackerKey) -> Iterator[None]:
    """Let this process compute each check once, and take the tracker's marks for its signatures."""
    names = (*FUNCTIONS, "p256_verify")
    before = {name: getattr(backend, name) for name in names}
    checked = Remembering(before["p256_verify"])

    def p256_verify(public: bytes, digest: bytes, signature: bytes) -> bool:
        return key.made(public, digest, signature) or bool(checked(public, digest, signature))

    try:
        for name in FUNCTIONS:
            setattr(backend, name, Remembering(before[name]))
        backend.p256_verify = p256_verify
        yield
    finally:
        for name in names:
            setattr(backend, name, before[name])
