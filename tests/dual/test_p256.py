"""ECDSA over P-256: the reference and the backend agree with the published vectors."""

from hashlib import sha256

from device.crypto import backend, p256

# RFC 6979 A.2.5.
PRIVATE = bytes.fromhex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")
PUBLIC = bytes.fromhex(
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
SAMPLE = bytes.fromhex(
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
)
TEST = bytes.fromhex(
    "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
    "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083"
)
Y_OF_ZERO = bytes.fromhex("66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4")
DIGEST = sha256(b"sample").digest()
IMPLEMENTATIONS = (p256, backend)


def raises_value_error(function, *arguments):
    try:
        function(*arguments)
    except ValueError:
        return True
    return False


def test_signatures_are_those_of_rfc_6979():
    for code in IMPLEMENTATIONS:
        assert code.p256_sign(PRIVATE, DIGEST) == SAMPLE
        assert code.p256_sign(PRIVATE, sha256(b"test").digest()) == TEST


def test_the_public_key_is_that_of_rfc_6979():
    for code in IMPLEMENTATIONS:
        assert code.p256_public(PRIVATE) == PUBLIC


def test_good_signatures_verify():
    for code in IMPLEMENTATIONS:
        assert code.p256_verify(PUBLIC, DIGEST, SAMPLE)


def test_a_changed_bit_in_digest_or_signature_does_not_verify():
    for code in IMPLEMENTATIONS:
        assert not code.p256_verify(PUBLIC, bytes([DIGEST[0] ^ 1]) + DIGEST[1:], SAMPLE)
        for offset in (0, 31, 32, 63):
            damaged = bytearray(SAMPLE)
            damaged[offset] ^= 1
            assert not code.p256_verify(PUBLIC, DIGEST, bytes(damaged))


def test_r_and_s_outside_their_range_do_not_verify():
    zero = bytes(32)
    order = p256.N.to_bytes(32, "big")
    for signature in (zero + SAMPLE[32:], SAMPLE[:32] + zero, order + SAMPLE[32:], SAMPLE[:32] + order):
        for code in IMPLEMENTATIONS:
            assert not code.p256_verify(PUBLIC, DIGEST, signature)


def test_a_point_off_the_curve_is_refused():
    wrong = bytearray(PUBLIC)
    wrong[64] ^= 1
    # x = 0 is on the curve; x = P is the same point in an encoding that must be refused.
    beyond = b"\x04" + p256.P.to_bytes(32, "big") + Y_OF_ZERO
    assert p256.decode_point(b"\x04" + bytes(32) + Y_OF_ZERO)[0] == 0
    for public in (bytes(wrong), beyond, bytes(65), b"\x04" + bytes(64)):
        for code in IMPLEMENTATIONS:
            assert raises_value_error(code.p256_verify, public, DIGEST, SAMPLE)


def test_wrong_lengths_are_refused():
    for code in IMPLEMENTATIONS:
        assert raises_value_error(code.p256_verify, PUBLIC[:-1], DIGEST, SAMPLE)
        assert raises_value_error(code.p256_verify, PUBLIC, DIGEST[:-1], SAMPLE)
        assert raises_value_error(code.p256_verify, PUBLIC, DIGEST, SAMPLE + b"\x00")
        assert raises_value_error(code.p256_sign, PRIVATE[1:], DIGEST)
        assert raises_value_error(code.p256_sign, PRIVATE, DIGEST + b"\x00")


def test_a_private_key_outside_its_range_is_refused():
    for private in (bytes(32), p256.N.to_bytes(32, "big"), b"\xff" * 32):
        for code in IMPLEMENTATIONS:
            assert raises_value_error(code.p256_public, private)
            assert raises_value_error(code.p256_sign, private, DIGEST)


def test_a_private_key_is_made_of_the_bytes_given():
    assert p256.p256_private(bytes(40)) == (1).to_bytes(32, "big")
    top = ((p256.N - 2) % 2**320).to_bytes(40, "big")
    assert p256.p256_private(top) == (p256.N - 1).to_bytes(32, "big")
    assert raises_value_error(p256.p256_private, bytes(32))


def test_the_table_of_odd_multiples_is_right():
    for index in range(8):
        scalar = (2 * index + 1).to_bytes(32, "big")
        # p256_public of a small scalar uses the table; adding G by the curve law does not.
        x, y, z = p256.G
        for _ in range(2 * index):
            x, y, z = p256._add((x, y, z), p256.G)
        factor = p256.inverse(z, p256.P)
        x, y = x * factor * factor % p256.P, y * factor * factor * factor % p256.P
        assert p256._ODD_G[64 * index : 64 * index + 64] == x.to_bytes(32, "big") + y.to_bytes(32, "big")
        assert p256.p256_public(scalar)[1:] == x.to_bytes(32, "big") + y.to_bytes(32, "big")


def test_window_digits_add_up_to_the_scalar():
    for scalar in (1, 2, 15, 16, 31, p256.N - 1, 2**255):
        for width in (4, 5):
            total = 0
            for index, digit in enumerate(p256.wnaf(scalar, width)):
                assert digit == 0 or (digit & 1 and -(1 << (width - 1)) < digit < 1 << (width - 1))
                total += digit << index
            assert total == scalar


def test_inverses_are_inverses():
    for value in (1, 2, 3, p256.N - 1, 12345678901234567890):
        assert value * p256.inverse(value, p256.N) % p256.N == 1
    assert raises_value_error(p256.inverse, 0, p256.N)


def test_equal_points_and_opposite_points_add_as_the_law_says():
    x, y, _ = p256.G
    twice = p256._add(p256.G, p256.G)
    assert p256._affine(twice) == p256._affine(p256._double(p256.G))
    assert p256._add(p256.G, (x, p256.P - y, 1))[2] == 0
