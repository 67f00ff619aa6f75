"""A unit's own keys: drawn by the unit, or by the station for a unit that can draw none (ADR 0020).

Rules:
1. A unit that has entropy draws its keys itself, whatever the product definition allows.
2. A key that the station draws comes from the system's CSPRNG, is sent once over the open factory port, and is in no
   file, registry, log or result. Its buffer is zeroed when the unit has answered, or has not; copies that Python made
   of it on the way to the line live until their memory is used again.
3. The unit proves with its request that it holds exactly this key.
"""

from __future__ import annotations

import secrets
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from device.factory.factory_port import KEY_BYTES, P256_ORDER
from provisioning.station.link import FactoryLink
from provisioning.station.run import UnitRun, require

BY_UNIT: Final = "unit"
INJECTED: Final = "injected"
NOT_ALLOWED: Final = (
    "the unit has no entropy, so it makes no keys (PR-01), and the product definition does not let the station draw"
    " them ([keys] injected)"
)


def origin(run: UnitRun) -> str:
    """Who draws the keys of this unit."""
    return BY_UNIT if run.hello["has_entropy"] else INJECTED


def require_allowed(run: UnitRun) -> None:
    """Raise CheckFailedError for a unit whose keys nobody may draw."""
    require(origin(run) == BY_UNIT or run.station.config.product.may_inject_keys, NOT_ALLOWED)


def request_key(run: UnitRun, role: str) -> bytes:
    """The request (DER) for the key of `role`, which is in the unit from now on. Raises CheckFailedError, LinkError."""
    if origin(run) == BY_UNIT:
        return run.link.make_key(role)
    require_allowed(run)
    return inject(run.link, role)


def inject(link: FactoryLink, role: str) -> bytes:
    """Draw a key, send it once, forget it; the unit's request for it (rules 2 and 3)."""
    key = generate_key()
    try:
        expected = _public(key)
        request = link.put_key(role, key)
    finally:
        key[:] = bytes(len(key))
    require(_asked_for(request) == expected, "the unit asks for another key than the one that it was given")
    return request


def generate_key() -> bytearray:
    """A P-256 private key (32 bytes), uniform in 1 to n - 1 (FIPS 186-5 A.2.2)."""
    while True:
        key = bytearray(secrets.token_bytes(KEY_BYTES))
        if 0 < int.from_bytes(key, "big") < P256_ORDER:
            return key


def _public(key: bytearray) -> bytes:
    held = ec.derive_private_key(int.from_bytes(key, "big"), ec.SECP256R1())
    return held.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _asked_for(request: bytes) -> bytes:
    try:
        public = x509.load_der_x509_csr(request).public_key()
    except ValueError:
        return b""
    if not isinstance(public, ec.EllipticCurvePublicKey):
        return b""
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
