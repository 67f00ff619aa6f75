"""HMAC, HKDF and PBKDF2 over SHA-256 (RFC 2104, RFC 5869, RFC 8018), and the comparison of secrets.

The C module is checked against these references, which CPython runs. Each hash object is used once: MicroPython has no
`copy()`, so every MAC starts from its key.
"""

import hashlib

from device.compat import const

_BLOCK = const(64)  # bytes SHA-256 takes at a time
_DIGEST = const(32)


def equal(first: bytes, second: bytes) -> bool:
    """Return whether two byte strings are equal, in a time that depends only on their lengths."""
    if len(first) != len(second):
        return False
    difference = 0
    for index in range(len(first)):
        difference |= first[index] ^ second[index]
    return difference == 0


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """Return the 32-byte HMAC-SHA-256 (RFC 2104) of `data`."""
    return _hmac(_pads(key), data)


def hkdf_sha256(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    """Return `length` bytes derived from `secret` (RFC 5869). Raises ValueError past 255 * 32 bytes."""
    if not 0 <= length <= 255 * _DIGEST:
        raise ValueError("HKDF length")
    pads = _pads(hmac_sha256(salt or bytes(_DIGEST), secret))  # 2.2: extract; no salt is a string of zeros
    block = b""
    result = b""
    counter = 1
    while len(result) < length:  # 2.3: expand
        block = _hmac(pads, block + info + bytes((counter,)))
        result += block
        counter += 1
    return result[:length]


class Pbkdf2:
    """PBKDF2-HMAC-SHA-256 (RFC 8018 5.2, one block of 32 bytes) in slices, so that a watchdog can be fed.

    `step(n)` runs n more iterations; `digest()` returns the key for all iterations so far.
    """

    def __init__(self, password: bytes, salt: bytes) -> None:
        self._pads = _pads(password)
        self._last = b""
        self._salt = salt
        self._sum = 0

    def step(self, iterations: int) -> None:
        """Run `iterations` more; raises ValueError for none."""
        if iterations < 1:
            raise ValueError("PBKDF2 iterations")
        for _ in range(iterations):
            self._last = _hmac(self._pads, self._last or self._salt + b"\x00\x00\x00\x01")
            self._sum ^= int.from_bytes(self._last, "big")

    def digest(self) -> bytes:
        """Return the 32-byte key; raises ValueError before the first step."""
        if not self._last:
            raise ValueError("PBKDF2 iterations")
        return self._sum.to_bytes(_DIGEST, "big")


def _pads(key: bytes) -> "tuple[bytes, bytes]":
    if len(key) > _BLOCK:
        key = hashlib.sha256(key).digest()
    key = key + bytes(_BLOCK - len(key))
    return bytes([byte ^ 0x36 for byte in key]), bytes([byte ^ 0x5C for byte in key])


def _hmac(pads: "tuple[bytes, bytes]", data: bytes) -> bytes:
    inner = hashlib.sha256(pads[0])
    inner.update(data)
    outer = hashlib.sha256(pads[1])
    outer.update(inner.digest())
    return outer.digest()
