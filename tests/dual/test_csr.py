"""DER that a device writes and reads, on CPython and on the board."""

import binascii

from device.crypto import csr, der
from device.errors import DerError

PUBLIC = binascii.unhexlify(
    "04"
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)  # RFC 6979 A.2.5, the key of its P-256 examples
PRIVATE = binascii.unhexlify("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")


def refused(action):
    try:
        action()
    except DerError:
        return True
    return False


def small_certificate(name_tag=der.UTF8_STRING, name=b"unit", names=1, key=None):
    """Return a certificate as RFC 5280 4.1 defines it, with empty parts where the device does not read them."""
    attribute = der.encode(der.SEQUENCE, der.OID_COMMON_NAME + der.encode(name_tag, name))
    subject = der.encode(der.SEQUENCE, der.encode(der.SET, attribute) * names)
    empty = der.encode(der.SEQUENCE, b"")
    tbs = der.encode(der.CONTEXT_0, b"\x02\x01\x02") + b"\x02\x01\x05" + empty + empty + empty
    tbs += subject + (der.public_key_info(PUBLIC) if key is None else key)
    return der.encode(
        der.SEQUENCE, der.encode(der.SEQUENCE, tbs) + empty + der.encode(der.BIT_STRING, b"\x00")
    )


def test_a_private_key_has_the_form_of_rfc_5915():
    expected = "30770201010420" + binascii.hexlify(PRIVATE).decode()
    expected += "a00a06082a8648ce3d030107a144034200" + binascii.hexlify(PUBLIC).decode()
    assert der.ec_private_key(PRIVATE, PUBLIC) == binascii.unhexlify(expected)


def test_a_private_key_of_another_length_is_refused():
    assert refused(lambda: der.ec_private_key(PRIVATE[1:], PUBLIC))


def test_integers_of_a_signature_are_positive_and_shortest():
    raw = b"\x80" + bytes(30) + b"\x01" + bytes(31) + b"\x7f"
    assert der.ecdsa_signature(raw) == b"\x30\x26\x02\x21\x00\x80" + bytes(30) + b"\x01\x02\x01\x7f"


def test_a_request_carries_the_key_and_is_signed_over_its_info():
    seen = []

    def sign(digest):
        seen.append(digest)
        return b"\x01" * 64

    request = csr.certification_request(PUBLIC, sign)
    start, stop = der.enter(request, 0, len(request), der.SEQUENCE)
    assert stop == len(request)
    _, info_end = der.enter(request, start, stop, der.SEQUENCE)
    assert der.public_key_info(PUBLIC) in request[start:info_end]
    assert len(seen) == 1 and len(seen[0]) == 32


def test_key_and_name_of_a_certificate_are_read():
    assert der.certificate_facts(small_certificate()) == (PUBLIC, "unit")


def test_bytes_after_a_certificate_are_refused():
    assert refused(lambda: der.certificate_facts(small_certificate() + b"\x00"))


def test_two_common_names_are_refused():
    assert refused(lambda: der.certificate_facts(small_certificate(names=2)))


def test_a_name_beyond_ascii_is_refused():
    assert refused(lambda: der.certificate_facts(small_certificate(name=b"un\xc3\xaft")))


def test_a_key_of_another_kind_is_refused():
    other = der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, der.OID_EC_PUBLIC_KEY) + b"\x03\x01\x00")
    assert refused(lambda: der.certificate_facts(small_certificate(key=other)))


def test_every_truncation_of_a_certificate_is_refused():
    certificate = small_certificate()
    for length in range(len(certificate)):
        assert refused(lambda: der.certificate_facts(certificate[:length]))  # noqa: B023 - called at once


def test_lengths_that_are_not_shortest_are_refused():
    assert refused(lambda: der.element(b"\x04\x81\x01x", 0, 4))
    assert refused(lambda: der.element(b"\x04\x82\x00\x81" + bytes(129), 0, 133))
    assert refused(lambda: der.element(b"\x30\x80\x00\x00", 0, 4))
