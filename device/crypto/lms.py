"""HSS/LMS signatures (RFC 8554): verification only, SHA-256 with 32-byte hashes.

A device only verifies, so it keeps no state. Supported: one or two levels, trees of height 5, 10, 15, Winternitz
parameter 4 or 8; everything else is refused by name. Rules:
1. The parameters come from the public key; a signature that states others is wrong (RFC 8554 6.3).
2. The key of the second level is read only after its signature by the first level was verified.
3. Every length is fixed by the parameters; a signature that is longer or shorter is wrong.
"""

import hashlib

from device.compat import const

try:
    from _fbcrypto import sha256_into
except ImportError:

    def sha256_into(out: memoryview, data: "bytes | bytearray") -> None:
        """Write the SHA-256 of `data` into `out`, 32 bytes that may be a part of `data`."""
        out[:] = hashlib.sha256(data).digest()


_N = const(32)  # bytes of a hash
_ID_BYTES = const(16)
_PUBLIC_BYTES = const(56)  # LMS public key: type, LM-OTS type, I, T[1]

# Domain separation, RFC 8554 section 4.2 to 5.3.
_D_PBLK = b"\x80\x80"
_D_MESG = b"\x81\x81"
_D_LEAF = b"\x82\x82"
_D_INTR = b"\x83\x83"

# IANA LMS registry: number -> (name, tree height); 0 = refused here, by name.
LMS_TYPES = {
    5: ("LMS_SHA256_M32_H5", 5),
    6: ("LMS_SHA256_M32_H10", 10),
    7: ("LMS_SHA256_M32_H15", 15),
    8: ("LMS_SHA256_M32_H20", 0),
    9: ("LMS_SHA256_M32_H25", 0),
}
# IANA LM-OTS registry: number -> (name, w, p = hash chains, ls = shift of the checksum), RFC 8554 table 1.
LMOTS_TYPES = {
    1: ("LMOTS_SHA256_N32_W1", 0, 0, 0),
    2: ("LMOTS_SHA256_N32_W2", 0, 0, 0),
    3: ("LMOTS_SHA256_N32_W4", 4, 67, 4),
    4: ("LMOTS_SHA256_N32_W8", 8, 34, 0),
}


def hss_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether `signature` is valid for `message` under the HSS public key (60 bytes), RFC 8554 6.3.

    Raises ValueError with the name of a level count, tree or Winternitz parameter that is not supported.
    """
    levels = _u32(public, 0)
    if len(public) != 4 + _PUBLIC_BYTES or levels == 0:
        raise ValueError("HSS public key")
    if levels > 2:
        raise ValueError("HSS with {} levels".format(levels))
    if _u32(signature, 0) != levels - 1:
        return False
    key = public[4:]
    at = 4
    if levels == 2:
        end = at + _signature_bytes(_parameters(key))
        next_key = signature[end : end + _PUBLIC_BYTES]
        if not lms_verify(key, next_key, signature[at:end]):
            return False
        key = next_key
        at = end + _PUBLIC_BYTES
    return lms_verify(key, message, signature[at:])


def lms_verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether an LMS signature is valid under an LMS public key of 56 bytes (RFC 8554 5.4.2)."""
    if len(key) != _PUBLIC_BYTES:
        return False
    parameters = _parameters(key)
    height, width, chains, shift = parameters
    if len(signature) != _signature_bytes(parameters):
        return False
    leaf = _u32(signature, 0)
    path = 8 + _N + chains * _N  # after q, LM-OTS type, C and y: the LMS type, then the path
    if signature[4:8] != key[4:8] or signature[path : path + 4] != key[:4] or leaf >> height:
        return False
    identifier = key[8 : 8 + _ID_BYTES]
    prefix = identifier + signature[:4]  # I || u32str(q)
    digest = hashlib.sha256(prefix + _D_MESG + signature[8 : 8 + _N])
    digest.update(message)
    digits = _digits(digest.digest(), width, shift)[
        :chains
    ]  # w = 4: the last nibble of the checksum is not a digit
    candidate = _ots_candidate(prefix, digits, (1 << width) - 1, signature)
    return _root(identifier, (1 << height) + leaf, candidate, signature, path + 4) == key[24:]


def _ots_candidate(prefix: bytes, digits: "bytes | bytearray", last: int, signature: bytes) -> bytes:
    """Return the LM-OTS public key that follows from the signature (RFC 8554 algorithm 4b).

    A verification spends nearly all its time in the inner loop: names are local, and each step hashes one buffer and
    writes its result into it.
    """
    into = sha256_into
    candidate = hashlib.sha256(prefix + _D_PBLK)
    # I || q || u16str(i) || u8str(j) || value; only i, j and the value change.
    buffer = bytearray(prefix + bytes(3 + _N))
    value = memoryview(buffer)[23:]
    at = 8 + _N
    chain = 0
    for digit in digits:
        buffer[21] = chain  # u16str(i): at most 66
        value[:] = signature[at : at + _N]
        for step in range(digit, last):
            buffer[22] = step
            into(value, buffer)
        candidate.update(value)
        at += _N
        chain += 1
    return candidate.digest()


def _root(identifier: bytes, node: int, candidate: bytes, signature: bytes, at: int) -> bytes:
    """Return the root of the tree from leaf `node`; its authentication path begins at `at` (RFC 8554 6a)."""
    sha256 = hashlib.sha256
    value = sha256(identifier + node.to_bytes(4, "big") + _D_LEAF + candidate).digest()
    while node > 1:
        sibling = signature[at : at + _N]
        pair = sibling + value if node & 1 else value + sibling
        node >>= 1
        value = sha256(identifier + node.to_bytes(4, "big") + _D_INTR + pair).digest()
        at += _N
    return value


def _digits(digest: bytes, width: int, shift: int) -> "bytes | bytearray":
    """Return Q || Cksm(Q) in base 2**width (RFC 8554 3.1.3 and 4.4)."""
    digits = _split(digest, width)
    checksum = ((1 << width) - 1) * len(digits) - sum(digits)
    return digits + _split((checksum << shift).to_bytes(2, "big"), width)


def _split(data: bytes, width: int) -> "bytes | bytearray":
    if width == 8:
        return data
    digits = bytearray(2 * len(data))
    at = 0
    for byte in data:
        digits[at] = byte >> 4
        digits[at + 1] = byte & 15
        at += 2
    return digits


def _parameters(key: bytes) -> "tuple[int, int, int, int]":
    """Return (height, w, p, ls) of an LMS public key; raises ValueError with the unsupported name."""
    lms_type, ots_type = _u32(key, 0), _u32(key, 4)
    tree = LMS_TYPES.get(lms_type)
    if tree is None or tree[1] == 0:
        raise ValueError("LMS type {}".format(lms_type) if tree is None else tree[0])
    ots = LMOTS_TYPES.get(ots_type)
    if ots is None or ots[1] == 0:
        raise ValueError("LM-OTS type {}".format(ots_type) if ots is None else ots[0])
    return tree[1], ots[1], ots[2], ots[3]


def _signature_bytes(parameters: "tuple[int, int, int, int]") -> int:
    """Return the length of an LMS signature with these parameters: q, type, C, y[p], type, path[h] (RFC 8554 5.4)."""
    height, _, chains, _ = parameters
    length: int = 12 + _N + chains * _N + height * _N
    return length


def _u32(data: bytes, offset: int) -> int:
    if len(data) < offset + 4:
        return -1
    return int.from_bytes(data[offset : offset + 4], "big")
