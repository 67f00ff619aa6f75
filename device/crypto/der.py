"""The DER (X.690) that a device needs: its own keys for the TLS library, and two facts of a certificate.

Rules:
1. Reading is strict: expected tag, definite shortest length, everything inside its parent.
2. Only the requested fields are read. The TLS peer checks a certificate's signature, not this module.
3. P-256 only (secp256r1, RFC 5480 2.1.1.1).
"""

from collections import namedtuple

from device.errors import DerError

INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OID = 0x06
UTF8_STRING = 0x0C
PRINTABLE_STRING = 0x13
SEQUENCE = 0x30
SET = 0x31
CONTEXT_0 = 0xA0
CONTEXT_1 = 0xA1

OID_EC_PUBLIC_KEY = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"  # 1.2.840.10045.2.1
OID_P256 = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"  # 1.2.840.10045.3.1.7
OID_ECDSA_SHA256 = b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"  # 1.2.840.10045.4.3.2
OID_COMMON_NAME = b"\x06\x03\x55\x04\x03"  # 2.5.4.3

CERTIFICATE_BYTES = 4096  # longest certificate that is read

# What a device reads from a certificate: the public key (65 bytes, uncompressed) and the subject's common name.
CertificateFacts = namedtuple("CertificateFacts", ("public_key", "common_name"))


# Writing ---------------------------------------------------------------------------------------------


def encode(tag: int, content: bytes) -> bytes:
    """Return one DER element, shortest length form (X.690 10.1)."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = 1 if length < 0x100 else 2
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + content


def encode_unsigned(number: bytes) -> bytes:
    """Return an INTEGER from an unsigned big-endian number."""
    start = 0
    while start < len(number) - 1 and number[start] == 0:
        start += 1
    number = number[start:]
    return encode(INTEGER, b"\x00" + number if number[0] & 0x80 else number)


def public_key_info(public: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo (RFC 5480) of an uncompressed P-256 point of 65 bytes."""
    return encode(
        SEQUENCE, encode(SEQUENCE, OID_EC_PUBLIC_KEY + OID_P256) + encode(BIT_STRING, b"\x00" + public)
    )


def ec_private_key(private: bytes, public: bytes) -> bytes:
    """Return the ECPrivateKey (RFC 5915, SEC 1 C.4) of a raw P-256 key: 32 and 65 bytes. Secret.

    Raises DerError if the lengths are not those of P-256.
    """
    if len(private) != 32 or len(public) != 65:
        raise DerError(reason="key length", offset=0)
    return encode(
        SEQUENCE,
        encode(INTEGER, b"\x01")
        + encode(OCTET_STRING, private)
        + encode(CONTEXT_0, OID_P256)
        + encode(CONTEXT_1, encode(BIT_STRING, b"\x00" + public)),
    )


def ecdsa_signature(raw: bytes) -> bytes:
    """Return the Ecdsa-Sig-Value (RFC 3279 2.2.3) of a raw signature r || s of 64 bytes."""
    return encode(SEQUENCE, encode_unsigned(raw[:32]) + encode_unsigned(raw[32:]))


# Reading ---------------------------------------------------------------------------------------------


def element(data: bytes, offset: int, end: int) -> "tuple[int, int, int]":
    """Return (tag, start, stop) of the element at `offset`; its content is data[start:stop], stop <= end.

    Raises DerError for long tags, lengths that are indefinite, not shortest or beyond `end`.
    """
    if end - offset < 2:
        raise DerError(reason="truncated", offset=offset)
    tag = data[offset]
    length = data[offset + 1]
    start = offset + 2
    if tag & 0x1F == 0x1F:
        raise DerError(reason="tag", offset=offset)
    if length & 0x80:
        size = length & 0x7F
        if size == 0 or size > 2 or end - start < size:
            raise DerError(reason="length", offset=offset)
        length = int.from_bytes(data[start : start + size], "big")
        start += size
        if length < 0x80 or (size == 2 and length < 0x100):
            raise DerError(reason="length", offset=offset)
    if length > end - start:
        raise DerError(reason="truncated", offset=offset)
    return tag, start, start + length


def enter(data: bytes, offset: int, end: int, tag: int) -> "tuple[int, int]":
    """Return (start, stop) of the content at `offset`, which must have `tag`. Raises DerError."""
    found, start, stop = element(data, offset, end)
    if found != tag:
        raise DerError(reason="tag", offset=offset)
    return start, stop


def certificate_facts(certificate: bytes) -> "CertificateFacts":
    """Return public key and common name of an X.509 certificate (RFC 5280 4.1) with a P-256 key.

    Raises DerError for any other certificate, and for one with no or several common names.
    """
    if len(certificate) > CERTIFICATE_BYTES:
        raise DerError(reason="length", offset=0)
    end = len(certificate)
    start, stop = enter(certificate, 0, end, SEQUENCE)
    if stop != end:
        raise DerError(reason="bytes behind the certificate", offset=stop)
    at, tbs_end = enter(certificate, start, stop, SEQUENCE)
    for tag in (CONTEXT_0, INTEGER, SEQUENCE, SEQUENCE, SEQUENCE):  # version to validity
        _, at = enter(certificate, at, tbs_end, tag)
    subject_start, at = enter(certificate, at, tbs_end, SEQUENCE)
    name = _common_name(certificate, subject_start, at)
    key_start = at
    _, at = enter(certificate, at, tbs_end, SEQUENCE)
    return CertificateFacts(_public_key(certificate[key_start:at], key_start), name)


def _common_name(data: bytes, at: int, end: int) -> str:
    """Return the one common name in the RDN sequence data[at:end]."""
    name = None
    while at < end:
        set_start, at = enter(data, at, end, SET)
        start, stop = enter(data, set_start, at, SEQUENCE)
        _, value = enter(data, start, stop, OID)
        if data[start:value] == OID_COMMON_NAME:
            tag, text, text_end = element(data, value, stop)
            if name is not None or tag not in (UTF8_STRING, PRINTABLE_STRING):
                raise DerError(reason="common name", offset=start)
            name = _ascii(data[text:text_end], text)
    if not name:
        raise DerError(reason="common name", offset=at)
    return name


def _ascii(text: bytes, offset: int) -> str:
    for byte in text:
        if not 0x20 <= byte < 0x7F:
            raise DerError(reason="common name", offset=offset)
    return text.decode()


def _public_key(info: bytes, offset: int) -> bytes:
    """Return the point in a SubjectPublicKeyInfo, which must be that of P-256."""
    public = info[-65:]
    if public[:1] != b"\x04" or info != public_key_info(public):
        raise DerError(reason="public key", offset=offset)
    return public
