"""Keys for tests of servers."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())
