"""ECDSA over P-256 with integers only (FIPS 186-5, SEC 1): the reference for the C module.

Verification handles only public data. Signing and key generation here are NOT constant in time: they are for hosts,
simulators and tests. A board signs with the C module. The caller passes entropy in.

Points are Jacobian (X, Y, Z), x = X/Z**2, y = Y/Z**3, Z = 0 for infinity. Scalars run in signed windows
(wNAF), both scalars of a verification over one chain of doublings (Shamir's trick).
"""

from device.compat import const
from device.crypto.hmac_ import hmac_sha256

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Sequence

    Point = tuple[int, int, int]

# SP 800-186, 3.2.1.3.
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    1,
)

_WINDOW_G = const(5)  # 8 odd multiples of G, in flash
_WINDOW_Q = const(4)  # 4 odd multiples of the public key are made for each verification

# Odd multiples 1G, 3G .. 15G, each x || y (64 bytes); tests/dual/test_p256.py computes them again.
_ODD_G = (
    b"\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2"
    b"\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96"
    b"\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16"
    b"\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5"
    b"\x5e\xcb\xe4\xd1\xa6\x33\x0a\x44\xc8\xf7\xef\x95\x1d\x4b\xf1\x65"
    b"\xe6\xc6\xb7\x21\xef\xad\xa9\x85\xfb\x41\x66\x1b\xc6\xe7\xfd\x6c"
    b"\x87\x34\x64\x0c\x49\x98\xff\x7e\x37\x4b\x06\xce\x1a\x64\xa2\xec"
    b"\xd8\x2a\xb0\x36\x38\x4f\xb8\x3d\x9a\x79\xb1\x27\xa2\x7d\x50\x32"
    b"\x51\x59\x0b\x7a\x51\x51\x40\xd2\xd7\x84\xc8\x56\x08\x66\x8f\xdf"
    b"\xef\x8c\x82\xfd\x1f\x5b\xe5\x24\x21\x55\x4a\x0d\xc3\xd0\x33\xed"
    b"\xe0\xc1\x7d\xa8\x90\x4a\x72\x7d\x8a\xe1\xbf\x36\xbf\x8a\x79\x26"
    b"\x0d\x01\x2f\x00\xd4\xd8\x08\x88\xd1\xd0\xbb\x44\xfd\xa1\x6d\xa4"
    b"\x8e\x53\x3b\x6f\xa0\xbf\x7b\x46\x25\xbb\x30\x66\x7c\x01\xfb\x60"
    b"\x7e\xf9\xf8\xb8\xa8\x0f\xef\x5b\x30\x06\x28\x70\x31\x87\xb2\xa3"
    b"\x73\xeb\x1d\xbd\xe0\x33\x18\x36\x6d\x06\x9f\x83\xa6\xf5\x90\x00"
    b"\x53\xc7\x36\x33\xcb\x04\x1b\x21\xc5\x5e\x1a\x86\xc1\xf4\x00\xb4"
    b"\xea\x68\xd7\xb6\xfe\xdf\x0b\x71\x87\x89\x38\xd5\x1d\x71\xf8\x72"
    b"\x9e\x0a\xcb\x8c\x2c\x6d\xf8\xb3\xd7\x9e\x8a\x4b\x90\x94\x9e\xe0"
    b"\x2a\x27\x44\xc9\x72\xc9\xfc\xe7\x87\x01\x4a\x96\x4a\x8e\xa0\xc8"
    b"\x4d\x71\x4f\xea\xa4\xde\x82\x3f\xe8\x5a\x22\x4a\x4d\xd0\x48\xfa"
    b"\x3e\xd1\x13\xb7\x88\x3b\x4c\x59\x06\x38\x37\x9d\xb0\xc2\x1c\xda"
    b"\x16\x74\x2e\xd0\x25\x50\x48\xbf\x43\x33\x91\xd3\x74\xbc\x21\xd1"
    b"\x90\x99\x20\x9a\xcc\xc4\xc8\xa2\x24\xc8\x43\xaf\xa4\xf4\xc6\x8a"
    b"\x09\x0d\x04\xda\x5e\x98\x89\xda\xe2\xf8\xee\xfc\xe8\x2a\x37\x40"
    b"\x17\x7c\x83\x7a\xe0\xac\x49\x5a\x61\x80\x5d\xf2\xd8\x5e\xe2\xfc"
    b"\x79\x2e\x28\x4b\x65\xea\xd5\x8a\x98\xe1\x5d\x9d\x46\x07\x2c\x01"
    b"\x63\xbb\x58\xcd\x4e\xbe\xa5\x58\xa2\x40\x91\xad\xb4\x0f\x4e\x72"
    b"\x26\xee\x14\xc3\xa1\xfb\x4d\xf3\x9c\x43\xbb\xe2\xef\xc7\xbf\xd8"
    b"\xf0\x45\x4d\xc6\x97\x1a\xba\xe7\xad\xfb\x37\x89\x99\x88\x82\x65"
    b"\xae\x03\xaf\x92\xde\x3a\x0e\xf1\x63\x66\x8c\x63\xe5\x9b\x9d\x5f"
    b"\xb5\xb9\x3e\xe3\x59\x2e\x2d\x1f\x4e\x65\x94\xe5\x1f\x96\x43\xe6"
    b"\x2a\x3b\x21\xce\x75\xb5\xfa\x3f\x47\xe5\x9c\xde\x0d\x03\x4f\x36"
)


def p256_verify(public: bytes, digest: bytes, signature: bytes) -> bool:
    """Return whether r || s (64 bytes) signs the 32-byte digest under an uncompressed point (65 bytes).

    FIPS 186-5 6.4.2. Raises ValueError for a wrong length or a point that is not on the curve.
    """
    if len(digest) != 32 or len(signature) != 64:
        raise ValueError("P-256 length")
    point = decode_point(public)
    r = int.from_bytes(signature[:32], "big")
    s = int.from_bytes(signature[32:], "big")
    if not (0 < r < N and 0 < s < N):
        return False
    weight = inverse(s, N)
    u = int.from_bytes(digest, "big") * weight % N
    v = r * weight % N
    x, _, z = _double_multiply(u, v, point)
    if z == 0:
        return False
    # x/z**2 = r (mod N) without a division: the affine x lies below P, so it is r or r + N.
    z = z * z % P
    return (r * z - x) % P == 0 or (r + N < P and ((r + N) * z - x) % P == 0)


def p256_sign(private: bytes, digest: bytes) -> bytes:
    """Return r || s (64 bytes) over a 32-byte digest, with the nonce of RFC 6979.

    Raises ValueError for a wrong length or a private key outside 1 .. N-1.
    """
    if len(digest) != 32:
        raise ValueError("P-256 length")
    secret = _scalar(private)
    number = int.from_bytes(digest, "big")
    nonces = _nonces(private, (number % N).to_bytes(32, "big"))
    while True:
        nonce = next(nonces)
        r = _affine(_double_multiply(nonce, 0, G))[0] % N
        s = inverse(nonce, N) * (number + r * secret) % N
        if r and s:
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def p256_public(private: bytes) -> bytes:
    """Return the public key (65 bytes, uncompressed) of a private key (32 bytes). Raises ValueError."""
    x, y = _affine(_double_multiply(_scalar(private), 0, G))
    return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")


def p256_private(random: bytes) -> bytes:
    """Return a private key (32 bytes) made from 40 random bytes (FIPS 186-5 A.2.1, extra random bits).

    Raises ValueError for another length.
    """
    if len(random) != 40:
        raise ValueError("P-256 random length")
    return (int.from_bytes(random, "big") % (N - 1) + 1).to_bytes(32, "big")


def decode_point(public: bytes) -> "Point":
    """Return an uncompressed point (SEC 1 2.3.4); raises ValueError when it is not one of the curve."""
    if len(public) != 65 or public[0] != 4:
        raise ValueError("P-256 point form")
    x = int.from_bytes(public[1:33], "big")
    y = int.from_bytes(public[33:], "big")
    if x >= P or y >= P or (y * y - (x * x - 3) * x - B) % P:
        raise ValueError("P-256 point not on the curve")
    return x, y, 1


def inverse(value: int, modulus: int) -> int:
    """Return 1/value modulo a prime, by Euclid: MicroPython's pow(value, -1, modulus) gives 0."""
    low, high = value % modulus, modulus
    factor, other = 1, 0
    while low > 1:
        quotient = high // low
        low, high = high - quotient * low, low
        factor, other = other - quotient * factor, factor
    if low == 0:
        raise ValueError("no inverse")
    return factor % modulus


def _scalar(private: bytes) -> int:
    secret = int.from_bytes(private, "big")
    if len(private) != 32 or not 0 < secret < N:
        raise ValueError("P-256 private key")
    return secret


def _nonces(private: bytes, digest: bytes):  # type: ignore[no-untyped-def]
    """Yield candidates for the nonce, RFC 6979 3.2; `digest` is already reduced (bits2octets)."""
    value = b"\x01" * 32
    key = bytes(32)
    key = hmac_sha256(key, value + b"\x00" + private + digest)
    value = hmac_sha256(key, value)
    key = hmac_sha256(key, value + b"\x01" + private + digest)
    value = hmac_sha256(key, value)
    while True:
        value = hmac_sha256(key, value)
        nonce = int.from_bytes(value, "big")
        if 0 < nonce < N:
            yield nonce
        key = hmac_sha256(key, value + b"\x00")
        value = hmac_sha256(key, value)


# The group ---------------------------------------------------------------------------------------------


def _double(point: "Point") -> "Point":
    """Return 2 * point for a = -3 (EFD dbl-2001-b, rearranged): 3 products, 5 squares."""
    x, y, z = point
    p = P
    delta = z * z % p
    gamma = y * y % p
    beta = x * gamma % p
    alpha = 3 * ((x - delta) * (x + delta) % p)
    x3 = (alpha * alpha - 8 * beta) % p
    y3 = (alpha * (4 * beta - x3) - 8 * gamma * gamma) % p
    return x3, y3, 2 * y * z % p


def _add(first: "Point", second: "Point") -> "Point":
    """Return first + second for any two points (EFD add-1998-cmo-2; a second point with Z = 1 saves 5 products)."""
    x1, y1, z1 = first
    x2, y2, z2 = second
    if z1 == 0:
        return second
    if z2 == 0:
        return first
    p = P
    square = z1 * z1 % p
    u2 = x2 * square % p
    s2 = y2 * (square * z1 % p) % p
    if z2 != 1:
        square = z2 * z2 % p
        x1 = x1 * square % p
        y1 = y1 * (square * z2 % p) % p
        z1 = z1 * z2 % p
    h = (u2 - x1) % p
    r = s2 - y1
    if h == 0:
        return _double(first) if r % p == 0 else (1, 1, 0)
    square = h * h % p
    cube = square * h % p
    middle = x1 * square % p
    x3 = (r * r - cube - 2 * middle) % p
    return x3, (r * (middle - x3) - y1 * cube) % p, z1 * h % p


def _affine(point: "Point") -> "tuple[int, int]":
    x, y, z = point
    factor = inverse(z, P)
    square = factor * factor % P
    return x * square % P, y * square * factor % P


def _double_multiply(u: int, v: int, point: "Point") -> "Point":
    """Return u * G + v * point, computed in one chain of doublings."""
    digits_u = wnaf(u, _WINDOW_G)
    digits_v = wnaf(v, _WINDOW_Q)
    multiples = _odd_multiples(point, 1 << (_WINDOW_Q - 2)) if v else ()
    result = (1, 1, 0)
    for index in range(max(len(digits_u), len(digits_v)) - 1, -1, -1):
        if result[2]:
            result = _double(result)
        if index < len(digits_u) and digits_u[index]:
            result = _add(result, _signed_g(digits_u[index]))
        if index < len(digits_v) and digits_v[index]:
            result = _add(result, _signed(multiples, digits_v[index]))
    return result


def wnaf(scalar: int, width: int) -> "list[int]":
    """Return signed digits, lowest first: each 0 or odd, below 2**(width-1) in size, seldom two in a row."""
    digits = []
    window, half = 1 << width, 1 << (width - 1)
    while scalar:
        digit = 0
        if scalar & 1:
            digit = scalar & (window - 1)
            if digit >= half:
                digit -= window
            scalar -= digit
        digits.append(digit)
        scalar >>= 1
    return digits


def _odd_multiples(point: "Point", count: int) -> "list[Point]":
    """Return 1, 3, 5 .. (2 * count - 1) times the point."""
    twice = _double(point)
    result = [point]
    for _ in range(count - 1):
        result.append(_add(result[-1], twice))
    return result


def _signed(multiples: "Sequence[Point]", digit: int) -> "Point":
    if digit > 0:
        return multiples[digit >> 1]
    x, y, z = multiples[-digit >> 1]
    return x, P - y, z


def _signed_g(digit: int) -> "Point":
    at = (digit if digit > 0 else -digit) // 2 * 64
    y = int.from_bytes(_ODD_G[at + 32 : at + 64], "big")
    return int.from_bytes(_ODD_G[at : at + 32], "big"), y if digit > 0 else P - y, 1
