"""SHA-512 (FIPS 180-4) in integers, for boards whose hashlib lacks it. Only Ed25519 needs it.

The constants are the fractional parts of roots of primes (FIPS 180-4 4.2.3 and 5.3.5), computed at each use:
80 cube roots cost less than a few point additions of an Ed25519 verification, and no table takes flash.
"""

from device.compat import const

_BLOCK = const(128)  # bytes
_MASK = 0xFFFFFFFFFFFFFFFF


def sha512(data: bytes) -> bytes:
    """Return the SHA-512 of `data`, 64 bytes."""
    primes = _primes(80)
    rounds = [_root(prime << 192, 3) & _MASK for prime in primes]
    state = [_root(prime << 128, 2) & _MASK for prime in primes[:8]]
    bits = (8 * len(data)).to_bytes(16, "big")
    data = data + b"\x80" + bytes((111 - len(data)) % _BLOCK) + bits
    for at in range(0, len(data), _BLOCK):
        state = _compress(state, data[at : at + _BLOCK], rounds)
    return b"".join([word.to_bytes(8, "big") for word in state])


def _compress(state: "list[int]", block: bytes, rounds: "list[int]") -> "list[int]":
    """Process one block (FIPS 180-4 6.4.2)."""
    mask = _MASK
    words = [int.from_bytes(block[at : at + 8], "big") for at in range(0, _BLOCK, 8)]
    for t in range(16, 80):
        x, y = words[t - 15], words[t - 2]
        x = (x >> 1 | x << 63) ^ (x >> 8 | x << 56) ^ (x >> 7)
        y = (y >> 19 | y << 45) ^ (y >> 61 | y << 3) ^ (y >> 6)
        words.append((words[t - 16] + (x & mask) + words[t - 7] + (y & mask)) & mask)
    a, b, c, d, e, f, g, h = state
    for t in range(80):
        x = (e >> 14 | e << 50) ^ (e >> 18 | e << 46) ^ (e >> 41 | e << 23)
        x = h + (x & mask) + (e & f ^ ~e & g) + rounds[t] + words[t]
        y = (a >> 28 | a << 36) ^ (a >> 34 | a << 30) ^ (a >> 39 | a << 25)
        y = (y & mask) + (a & b ^ a & c ^ b & c)
        h, g, f, e, d, c, b, a = g, f, e, (d + x) & mask, c, b, a, (x + y) & mask
    new = (a, b, c, d, e, f, g, h)
    return [(state[at] + new[at]) & mask for at in range(8)]


def _primes(count: int) -> "list[int]":
    found: "list[int]" = []
    number = 2
    while len(found) < count:
        if all([number % prime for prime in found]):
            found.append(number)
        number += 1
    return found


def _root(value: int, degree: int) -> int:
    """Return an integer root, by Newton's method from above."""
    guess = 1 << 73  # above both: the cube root of 409 * 2**192 and the square root of 19 * 2**128
    while True:
        better = ((degree - 1) * guess + value // guess ** (degree - 1)) // degree
        if better >= guess:
            return guess
        guess = better
