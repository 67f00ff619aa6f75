"""More digests, and the ways in which programs spell a digest as characters: for the codes of one unit.

A station derives all its codes in the same way, so one unit is enough. The costly search has less of these for every
unit (derivation.py).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import zlib
from collections.abc import Callable, Iterator
from typing import Final

from device.owner.setup_code import ALPHABET, RANDOM_SYMBOLS

_STREAM: Final = (
    4 * RANDOM_SYMBOLS
)  # bytes of a function with any output length: a 32-bit number for each character
_SYMBOLS: Final = ALPHABET.encode()
_LETTERS: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BITCOIN: Final = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_FOREIGN: Final = bytes(set(range(256)) - set(_SYMBOLS))

Digest = Callable[[bytes], bytes]


def _named(name: str) -> Digest:
    return lambda data: hashlib.new(name, data, usedforsecurity=False).digest()


def _again(first: str, second: str, *, is_hex: bool) -> Digest:
    one, two = _named(first), _named(second)
    return lambda data: two(one(data).hex().encode() if is_hex else one(data))


def _stream(name: str) -> Digest:
    make = getattr(hashlib, name)
    return lambda data: bytes(make(data).digest(_STREAM))


def _sized(size: int) -> Digest:
    return lambda data: hashlib.blake2b(data, digest_size=size).digest()


def _available() -> Iterator[tuple[str, Digest]]:
    names = (
        "md5",
        "sha1",
        "sha224",
        "sha256",
        "sha384",
        "sha512",
        "sha3_224",
        "sha3_256",
        "sha3_384",
        "sha3_512",
    )
    for name in (
        *names,
        "blake2b",
        "blake2s",
        "sha512_224",
        "sha512_256",
        "ripemd160",
        "sm3",
        "whirlpool",
        "md4",
    ):
        try:
            hashlib.new(name, b"", usedforsecurity=False)
        except ValueError:
            continue  # OpenSSL may lack the old ones
        yield name, _named(name)
    for name in ("shake_128", "shake_256"):
        yield name, _stream(name)
    for size in (16, 20, 32):
        yield f"blake2b of {size} bytes", _sized(size)
    for first, second in itertools.product(("md5", "sha1", "sha256", "sha512"), repeat=2):
        yield f"{second} of {first}", _again(first, second, is_hex=False)
        yield f"{second} of the hexadecimal {first}", _again(first, second, is_hex=True)


DIGESTS: Final[dict[str, Digest]] = dict(_available())
KEYED: Final = ("md5", "sha1", "sha256", "sha512")
_COUNTED: Final = ("md5", "sha1", "sha256", "sha512", "crc32")


def spelled(value: bytes) -> bytes:
    """Return, with spaces between them, the texts in the alphabet of a code that programs make of a digest.

    A character of each byte, half byte, 16-bit or 32-bit number; or an encoding without the characters that a code
    cannot have.
    """
    digits = value.hex().encode()
    b64 = base64.b64encode(value)
    texts = [
        value.translate(_REST_OF_32),
        value.translate(_HIGH_BITS),
        value.translate(_REST_OF_31),
        digits.translate(_NIBBLES),
        digits.translate(_REST_OF_32),
        digits.upper().translate(_REST_OF_32),
        b64.translate(_REST_OF_32),
        *(value[at::step].translate(_REST_OF_32) for step in (2, 4) for at in range(step)),
    ]
    number = int.from_bytes(value, "big")
    encoded = [digits.upper(), b64, b64.upper(), base64.b32encode(value), base64.b32hexencode(value)]
    encoded += [
        _in_base(number, 36, _LETTERS),
        _in_base(number, 58, _BITCOIN),
        _in_base(number, 62, _LETTERS),
    ]
    texts += [text.translate(None, _FOREIGN) for text in encoded]
    texts += [text.upper().translate(None, _FOREIGN) for text in encoded[-2:]]
    return b" ".join(texts)


def counted(fact: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield (way, text) for codes of which each character has a digest of its own: of the fact and a counter."""
    numbers = range(RANDOM_SYMBOLS + 1)
    for name in _COUNTED:
        digest = _crc32 if name == "crc32" else _named(name)
        for join in _JOINS:
            found = [digest(join(fact, number)) for number in numbers]
            for at in (0, -1):
                text = bytes(value[at] for value in found)
                yield f"{name} with a counter", text.translate(_REST_OF_32)


def seeds(fact: bytes) -> Iterator[int | str | bytes]:
    """Yield what programs make of a digest of a fact to seed a generator."""
    for name in ("md5", "sha1", "sha256", "sha512", "crc32"):
        value = _crc32(fact) if name == "crc32" else _named(name)(fact)
        yield value
        yield value.hex()
        for part in (value, value[:8], value[:4], value[-8:], value[-4:]):
            yield int.from_bytes(part, "big")
            yield int.from_bytes(part, "little")


def keyed(key: bytes, fact: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield (way, value) of the HMACs of a fact."""
    for name in KEYED:
        yield f"HMAC-{name}", hmac.digest(key, fact, name)


def _crc32(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "big")


_JOINS: Final[tuple[Callable[[bytes, int], bytes], ...]] = (
    lambda fact, number: fact + str(number).encode(),
    lambda fact, number: str(number).encode() + fact,
    lambda fact, number: fact + bytes([number]),
    lambda fact, number: bytes([number]) + fact,
    lambda fact, number: fact + b"-" + str(number).encode(),
    lambda fact, number: fact + b":" + str(number).encode(),
)


def _in_base(number: int, base: int, letters: bytes) -> bytes:
    found = bytearray()
    while number:
        number, digit = divmod(number, base)
        found.append(letters[digit])
    return bytes(reversed(found))


_REST_OF_32: Final = bytes(_SYMBOLS[byte % 32] for byte in range(256))
_REST_OF_31: Final = bytes(_SYMBOLS[byte % 31] for byte in range(256))
_HIGH_BITS: Final = bytes(_SYMBOLS[byte >> 3] for byte in range(256))
_NIBBLES: Final = bytes(
    _SYMBOLS[int(chr(byte), 16)] if chr(byte) in "0123456789abcdef" else 0x20 for byte in range(256)
)
