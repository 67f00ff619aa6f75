"""Ed25519 verification (RFC 8032 5.1.7) with integers only. This module cannot sign.

Rules:
1. S must be below the group order, so that no signature has a second form (RFC 8032 5.1.7, step 1).
2. The public key must be a point in its only encoding: y below the field's prime, no negative zero (5.1.3).
3. The check has no cofactor: the encoding of [S]B - [k]A must equal R byte for byte, so R has one valid encoding.

Points are extended coordinates (X, Y, Z, T), x = X/Z, y = Y/Z, xy = T/Z (RFC 8032 5.1.4).
"""

from device.compat import const
from device.crypto.p256 import inverse, wnaf

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable

    Point = tuple[int, int, int, int]

P = (1 << 255) - 19
L = (1 << 252) + 27742317777372353535851937790883648493
D = 0x52036CEE2B6FFE738CC740797779E89800700A4D4141D8AB75EB4DCA135978A3
_ROOT_OF_MINUS_1 = 0x2B8324804FC1DF0B2B4D00993DFBD7A72F431806AD2FE478C4EE1B274A0EA0B0
_BASE_Y = 0x6666666666666666666666666666666666666666666666666666666666666658
_WINDOW = const(5)


def _find_sha512() -> "Callable[[bytes], bytes]":
    import hashlib

    native = getattr(hashlib, "sha512", None)
    if native is not None:
        return lambda data: native(data).digest()
    from device.crypto.sha512 import sha512

    return sha512


_sha512 = _find_sha512()


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the key `public` (32 bytes) made `signature` (64 bytes) over `message`.

    Raises ValueError for another length, or a public key that is not a point of the curve.
    """
    if len(public) != 32 or len(signature) != 64:
        raise ValueError("Ed25519 length")
    point = decode_point(public)
    s = int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    k = int.from_bytes(_sha512(signature[:32] + public + message), "little") % L
    x, y, z, t = point
    negative = (P - x, y, z, P - t)
    return encode_point(_double_multiply(s, _base(), k, negative)) == signature[:32]


def decode_point(data: bytes) -> "Point":
    """Return the point that 32 bytes encode (RFC 8032 5.1.3); raises ValueError if they encode no point."""
    y = int.from_bytes(data, "little")
    sign = y >> 255
    y &= (1 << 255) - 1
    if len(data) != 32 or y >= P:
        raise ValueError("Ed25519 point form")
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    # x = (u/v)**((p+3)/8), with one power and no division (5.1.3, step 2).
    v3 = v * v * v % P
    x = u * v3 * pow(u * v3 * v3 * v % P, (P - 5) // 8, P) % P
    if (v * x * x - u) % P:
        x = x * _ROOT_OF_MINUS_1 % P
        if (v * x * x - u) % P:
            raise ValueError("Ed25519 point not on the curve")
    if x == 0 and sign:
        raise ValueError("Ed25519 point form")
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def encode_point(point: "Point") -> bytes:
    """Return the 32 bytes of a point (RFC 8032 5.1.2)."""
    x, y, z, _ = point
    factor = inverse(z, P)
    x, y = x * factor % P, y * factor % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _base() -> "Point":
    return decode_point(_BASE_Y.to_bytes(32, "little"))


def _add(first: "Point", second: "Point") -> "Point":
    """Return the sum of any two points (RFC 8032 5.1.4)."""
    x1, y1, z1, t1 = first
    x2, y2, z2, t2 = second
    a = (y1 - x1) * (y2 - x2) % P
    b = (y1 + x1) * (y2 + x2) % P
    c = 2 * D * t1 % P * t2 % P
    d = 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _double(point: "Point") -> "Point":
    x, y, z, _ = point
    a, b = x * x % P, y * y % P
    c = 2 * z * z % P
    h = a + b
    e = (h - (x + y) * (x + y)) % P
    g = a - b
    f = c + g
    return e * f % P, g * h % P, f * g % P, e * h % P


def _double_multiply(u: int, first: "Point", v: int, second: "Point") -> "Point":
    """Return u * first + v * second, computed in one chain of doublings."""
    pairs = ((wnaf(u, _WINDOW), _odd_multiples(first)), (wnaf(v, _WINDOW), _odd_multiples(second)))
    result: "Point" = (0, 1, 1, 0)
    for index in range(max(len(pairs[0][0]), len(pairs[1][0])) - 1, -1, -1):
        result = _double(result)
        for digits, multiples in pairs:
            if index < len(digits) and digits[index]:
                result = _add(result, _signed(multiples, digits[index]))
    return result


def _odd_multiples(point: "Point") -> "list[Point]":
    """Return 1, 3, 5 .. times the point, as many as the window needs."""
    twice = _double(point)
    result = [point]
    for _ in range((1 << (_WINDOW - 2)) - 1):
        result.append(_add(result[-1], twice))
    return result


def _signed(multiples: "list[Point]", digit: int) -> "Point":
    if digit > 0:
        return multiples[digit >> 1]
    x, y, z, t = multiples[-digit >> 1]
    return P - x, y, z, P - t
