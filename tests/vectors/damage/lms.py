"""A tree of 32 one-time keys that always signs with the first one. For test vectors only: it is not secure.

RFC 8554 with LMS_SHA256_M32_H5 and LMOTS_SHA256_N32_W8; private values by its appendix A.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256

LMS, LMOTS, HEIGHT, CHAINS = 5, 4, 5, 34


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "big")


def _hash(*parts: bytes) -> bytes:
    return sha256(b"".join(parts)).digest()


class Tree:
    """One HSS key of one level; `public` has 60 bytes."""

    def __init__(self, name: bytes) -> None:
        self._seed = _hash(b"seed", name)
        self._id = _hash(b"id", name)[:16]
        self._node = cache(self._node_of)
        self.public = _u32(1) + _u32(LMS) + _u32(LMOTS) + self._id + self._node(1)

    def _chain(self, q: int, index: int, value: bytes, start: int, end: int) -> bytes:
        for step in range(start, end):
            value = _hash(self._id, _u32(q), index.to_bytes(2, "big"), bytes([step]), value)
        return value

    def _secret(self, q: int, index: int) -> bytes:
        return _hash(self._id, _u32(q), index.to_bytes(2, "big"), b"\xff", self._seed)

    def _node_of(self, number: int) -> bytes:
        if number < 1 << HEIGHT:
            pair = self._node(2 * number) + self._node(2 * number + 1)
            return _hash(self._id, _u32(number), b"\x83\x83", pair)
        q = number - (1 << HEIGHT)
        ends = [self._chain(q, index, self._secret(q, index), 0, 255) for index in range(CHAINS)]
        key = _hash(self._id, _u32(q), b"\x80\x80", *ends)
        return _hash(self._id, _u32(number), b"\x82\x82", key)

    def sign(self, message: bytes, q: int = 0) -> bytes:
        """Return an HSS signature of `message` with leaf `q`."""
        randomizer = _hash(b"randomizer", self._seed, message)
        value = _hash(self._id, _u32(q), b"\x81\x81", randomizer, message)
        checksum = sum(255 - digit for digit in value)
        digits = value + checksum.to_bytes(2, "big")
        chains = [self._chain(q, at, self._secret(q, at), 0, digits[at]) for at in range(CHAINS)]
        path, number = [], (1 << HEIGHT) + q
        while number > 1:
            path.append(self._node(number ^ 1))
            number >>= 1
        return b"".join([_u32(0), _u32(q), _u32(LMOTS), randomizer, *chains, _u32(LMS), *path])
