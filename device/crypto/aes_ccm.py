"""AES-CCM with a 128-bit key and a 13-byte nonce (RFC 3610, L = 2), as the cipher suites of OSCORE use it.

The C module is checked against this reference. Table lookups depend on the key: if an attacker can time cache lines,
use the C module.
"""

from device.compat import const
from device.crypto.hmac_ import equal

_KEY_BYTES = const(16)
_NONCE_BYTES = const(13)
_MAX_MESSAGE = const(0xFFFF)  # L = 2: two bytes of length
_MAX_AAD = const(0xFEFF)  # longer data needs the 6-byte length form, which this project never sends


def aes_ccm_encrypt(key: bytes, nonce: bytes, aad: bytes, plaintext: bytes, tag_bytes: int) -> bytes:
    """Return ciphertext and tag in one string. Raises ValueError for an argument of a wrong length."""
    keys = _checked_keys(key, nonce, aad, len(plaintext), tag_bytes)
    tag = _mac(keys, nonce, aad, plaintext, tag_bytes)
    return _counter_mode(keys, nonce, plaintext) + _mask_tag(keys, nonce, tag)


def aes_ccm_decrypt(key: bytes, nonce: bytes, aad: bytes, ciphertext: bytes, tag_bytes: int) -> bytes:
    """Return the plaintext. Raises ValueError when the tag does not verify or a length is wrong."""
    length = len(ciphertext) - tag_bytes
    keys = _checked_keys(key, nonce, aad, length, tag_bytes)
    plaintext = _counter_mode(keys, nonce, ciphertext[:length])
    tag = _mask_tag(keys, nonce, _mac(keys, nonce, aad, plaintext, tag_bytes))
    if not equal(tag, ciphertext[length:]):
        raise ValueError("AES-CCM tag")
    return plaintext


def _checked_keys(key: bytes, nonce: bytes, aad: bytes, length: int, tag_bytes: int) -> bytes:
    if len(key) != _KEY_BYTES:
        raise ValueError("AES key length")
    if len(nonce) != _NONCE_BYTES:
        raise ValueError("AES-CCM nonce length")
    if tag_bytes not in (8, 16):
        raise ValueError("AES-CCM tag length")
    if len(aad) > _MAX_AAD or not 0 <= length <= _MAX_MESSAGE:
        raise ValueError("AES-CCM message length")
    return expand_key(key)


def _mac(keys: bytes, nonce: bytes, aad: bytes, plaintext: bytes, tag_bytes: int) -> bytes:
    """Return the CBC-MAC over B_0, the additional data and the message (RFC 3610 2.2)."""
    flags = (0x40 if aad else 0) | ((tag_bytes - 2) // 2) << 3 | 1
    state = encrypt_block(keys, bytes((flags,)) + nonce + len(plaintext).to_bytes(2, "big"))
    if aad:
        state = _mac_blocks(keys, state, len(aad).to_bytes(2, "big") + aad)
    return _mac_blocks(keys, state, plaintext)[:tag_bytes]


def _mac_blocks(keys: bytes, state: bytes, data: bytes) -> bytes:
    for start in range(0, len(data), 16):
        mixed = bytearray(state)
        index = 0
        for byte in data[start : start + 16]:  # a short last block counts as padded with zeros
            mixed[index] ^= byte
            index += 1
        state = encrypt_block(keys, mixed)
    return state


def _counter_mode(keys: bytes, nonce: bytes, data: bytes) -> bytes:
    result = bytearray(data)
    for start in range(0, len(data), 16):
        stream = _stream_block(keys, nonce, start // 16 + 1)
        for index in range(min(16, len(data) - start)):
            result[start + index] ^= stream[index]
    return bytes(result)


def _mask_tag(keys: bytes, nonce: bytes, tag: bytes) -> bytes:
    stream = _stream_block(keys, nonce, 0)
    return bytes([tag[index] ^ stream[index] for index in range(len(tag))])


def _stream_block(keys: bytes, nonce: bytes, counter: int) -> bytes:
    return encrypt_block(keys, b"\x01" + nonce + counter.to_bytes(2, "big"))


# AES-128, FIPS 197 -----------------------------------------------------------------------------------


def _double(byte: int) -> int:
    """Return `value` times x in GF(2**8), FIPS 197 4.2.1."""
    byte <<= 1
    return (byte ^ 0x11B) if byte & 0x100 else byte


def _make_sbox() -> bytes:
    """Return the S-box of FIPS 197 5.1.1, from its definition: inverse in GF(2**8), then the affine map."""
    box = bytearray(256)
    value, inverse = 1, 1
    while True:
        value ^= _double(value)  # times 3, a generator
        inverse ^= inverse << 1  # divided by 3
        inverse ^= inverse << 2
        inverse ^= inverse << 4
        inverse &= 0xFF
        if inverse & 0x80:
            inverse ^= 0x09
        twice = inverse | inverse << 8
        box[value] = (inverse ^ (twice >> 7) ^ (twice >> 6) ^ (twice >> 5) ^ (twice >> 4) ^ 0x63) & 0xFF
        if value == 1:
            break
    box[0] = 0x63
    return bytes(box)


_SBOX = _make_sbox()
_SBOX_2 = bytes([_double(byte) for byte in _SBOX])  # SubBytes and MixColumns in one look-up
_SBOX_3 = bytes([_double(byte) ^ byte for byte in _SBOX])


def expand_key(key: bytes) -> bytes:
    """Return the eleven round keys of a 16-byte key, 176 bytes (FIPS 197 5.2)."""
    keys = bytearray(key)
    constant = 1
    for start in range(16, 176, 4):
        word = keys[start - 4 : start]
        if start % 16 == 0:
            word = bytearray((_SBOX[word[1]] ^ constant, _SBOX[word[2]], _SBOX[word[3]], _SBOX[word[0]]))
            constant = _double(constant)
        for index in range(4):
            keys.append(keys[start - 16 + index] ^ word[index])
    return bytes(keys)


def encrypt_block(keys: bytes, block: "bytes | bytearray") -> bytes:
    """Return one encrypted block of 16 bytes; `keys` from expand_key (FIPS 197 5.1)."""
    sbox, sbox_2, sbox_3 = _SBOX, _SBOX_2, _SBOX_3
    state = bytearray(16)
    for index in range(16):
        state[index] = block[index] ^ keys[index]
    mixed = bytearray(16)
    for start in range(16, 160, 16):
        for column in range(0, 16, 4):
            # The choice of bytes does ShiftRows: row r of this column comes from column + r.
            a = state[column]
            b = state[(column + 5) & 15]
            c = state[(column + 10) & 15]
            d = state[(column + 15) & 15]
            at = start + column
            mixed[column] = sbox_2[a] ^ sbox_3[b] ^ sbox[c] ^ sbox[d] ^ keys[at]
            mixed[column + 1] = sbox[a] ^ sbox_2[b] ^ sbox_3[c] ^ sbox[d] ^ keys[at + 1]
            mixed[column + 2] = sbox[a] ^ sbox[b] ^ sbox_2[c] ^ sbox_3[d] ^ keys[at + 2]
            mixed[column + 3] = sbox_3[a] ^ sbox[b] ^ sbox[c] ^ sbox_2[d] ^ keys[at + 3]
        state, mixed = mixed, state
    for index in range(16):  # the last round has no MixColumns
        mixed[index] = sbox[state[(index * 5) & 15]] ^ keys[160 + index]
    return bytes(mixed)
