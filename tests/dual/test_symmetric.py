"""AES-CCM, HMAC, HKDF, PBKDF2 and the comparison: reference and backend against the published vectors."""

from device.crypto import aes_ccm, backend, hmac_

IMPLEMENTATIONS = (aes_ccm, backend)

# RFC 3610, packet vector 1.
KEY = bytes.fromhex("c0c1c2c3c4c5c6c7c8c9cacbcccdcecf")
NONCE = bytes.fromhex("00000003020100a0a1a2a3a4a5")
AAD = bytes(range(8))
PLAINTEXT = bytes(range(8, 0x1F))
CIPHERTEXT = bytes.fromhex("588c979a61c663d2f066d0c2c0f989806d5f6b61dac38417e8d12cfdf926e0")


def raises_value_error(function, *arguments):
    try:
        function(*arguments)
    except ValueError:
        return True
    return False


def test_a_block_is_that_of_fips_197():
    keys = aes_ccm.expand_key(bytes(range(16)))
    block = bytes([0x11 * index for index in range(16)])
    assert aes_ccm.encrypt_block(keys, block).hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"


def test_the_s_box_is_that_of_fips_197():
    assert aes_ccm._SBOX[:8].hex() == "637c777bf26b6fc5"
    assert len(set(aes_ccm._SBOX)) == 256


def test_aes_ccm_is_that_of_rfc_3610():
    for code in IMPLEMENTATIONS:
        assert code.aes_ccm_encrypt(KEY, NONCE, AAD, PLAINTEXT, 8) == CIPHERTEXT
        assert code.aes_ccm_decrypt(KEY, NONCE, AAD, CIPHERTEXT, 8) == PLAINTEXT


def test_empty_messages_and_empty_additional_data_round_trip():
    for code in IMPLEMENTATIONS:
        for tag_bytes in (8, 16):
            for aad in (b"", b"a", bytes(40)):
                for plaintext in (b"", b"p", bytes(16), bytes(33)):
                    sealed = code.aes_ccm_encrypt(KEY, NONCE, aad, plaintext, tag_bytes)
                    assert len(sealed) == len(plaintext) + tag_bytes
                    assert code.aes_ccm_decrypt(KEY, NONCE, aad, sealed, tag_bytes) == plaintext


def test_reference_and_backend_seal_alike():
    for length in (0, 1, 15, 16, 17, 100):
        sealed = [code.aes_ccm_encrypt(KEY, NONCE, AAD, bytes(length), 8) for code in IMPLEMENTATIONS]
        assert sealed[0] == sealed[1]


def test_a_changed_bit_anywhere_does_not_open():
    for code in IMPLEMENTATIONS:
        for offset in range(len(CIPHERTEXT)):
            damaged = bytearray(CIPHERTEXT)
            damaged[offset] ^= 0x80
            assert raises_value_error(code.aes_ccm_decrypt, KEY, NONCE, AAD, bytes(damaged), 8)
        assert raises_value_error(code.aes_ccm_decrypt, KEY, NONCE, AAD + b"\x00", CIPHERTEXT, 8)
        assert raises_value_error(code.aes_ccm_decrypt, KEY, NONCE[1:] + b"\x00", AAD, CIPHERTEXT, 8)


def test_wrong_lengths_are_refused():
    for code in IMPLEMENTATIONS:
        assert raises_value_error(code.aes_ccm_encrypt, KEY[1:], NONCE, AAD, PLAINTEXT, 8)
        assert raises_value_error(code.aes_ccm_encrypt, KEY, NONCE[1:], AAD, PLAINTEXT, 8)
        assert raises_value_error(code.aes_ccm_encrypt, KEY, NONCE, AAD, PLAINTEXT, 7)
        assert raises_value_error(code.aes_ccm_decrypt, KEY, NONCE, AAD, CIPHERTEXT[:7], 8)


def test_hmac_is_that_of_rfc_4231():
    for code in (hmac_, backend):
        short = code.hmac_sha256(b"\x0b" * 20, b"Hi There").hex()
        assert short == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        message = b"Test Using Larger Than Block-Size Key - Hash Key First"
        long = code.hmac_sha256(b"\xaa" * 131, message).hex()
        assert long == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"


def test_hkdf_is_that_of_rfc_5869():
    salt, info = bytes(range(13)), bytes(range(0xF0, 0xFA))
    key = backend.hkdf_sha256(salt, b"\x0b" * 22, info, 42).hex()
    expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    assert key == expected
    without = backend.hkdf_sha256(b"", b"\x0b" * 22, b"", 42).hex()
    assert without == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"


def test_hkdf_stops_at_its_bound():
    assert raises_value_error(backend.hkdf_sha256, b"", b"k", b"", 255 * 32 + 1)


def test_pbkdf2_is_that_of_rfc_7914_in_any_slices():
    for code in (hmac_, backend):
        one = code.Pbkdf2(b"passwd", b"salt")
        one.step(1)
        assert one.digest().hex() == "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
        whole = code.Pbkdf2(b"password", b"salt")
        whole.step(7)
        sliced = code.Pbkdf2(b"password", b"salt")
        for iterations in (1, 4, 2):
            sliced.step(iterations)
        assert sliced.digest() == whole.digest()


def test_pbkdf2_without_an_iteration_has_no_key():
    for code in (hmac_, backend):
        assert raises_value_error(code.Pbkdf2(b"p", b"s").digest)
        assert raises_value_error(code.Pbkdf2(b"p", b"s").step, 0)


def test_equal_compares_content_and_length():
    assert backend.equal(b"", b"")
    assert backend.equal(b"abc", b"abc")
    assert not backend.equal(b"abc", b"abd")
    assert not backend.equal(b"abc", b"ab")


def test_sha256_at_once_and_streamed_agree():
    stream = backend.new_sha256()
    stream.update(b"first")
    stream.update(b"boot")
    assert stream.digest() == backend.sha256(b"firstboot")
