"""The identity and contact records: strict decoding, and the same bytes when encoded again."""

from memory_unit import IDENTITY, refused

from device.codec import cbor
from device.errors import CborError, CodecError
from device.records import contact, identity

CONTACT = contact.Contact(
    1, "https://example.com/security", "within 3 working days", "every 14 days", "https://example.com/policy"
)


def test_an_identity_comes_back_as_it_was_encoded():
    assert identity.decode(identity.encode(IDENTITY)) == IDENTITY


def test_the_device_id_is_32_hex_digits():
    assert identity.device_id_text(IDENTITY) == "000102030405060708090a0b0c0d0e0f"


def test_an_identity_with_a_short_device_id_is_refused():
    wrong = identity.Identity(b"short", "s", "m", "b", "b", "m")
    assert refused(CborError, identity.encode, wrong).fields["reason"] == "device id length"


def test_an_identity_with_an_empty_or_endless_text_is_refused():
    for serial in ("", "x" * 129):
        wrong = identity.Identity(bytes(16), serial, "m", "b", "b", "m")
        assert refused(CborError, identity.encode, wrong).fields["reason"] == "length of serial"


def test_an_identity_with_a_control_character_is_refused():
    wrong = identity.Identity(bytes(16), "s", "m\x1b[2J", "b", "b", "m")
    assert refused(CborError, identity.encode, wrong).fields["reason"] == "control character in model"


def test_an_identity_that_lacks_or_adds_a_field_is_refused():
    fields = cbor.decode(identity.encode(IDENTITY))
    for key in range(1, 7):
        refused(CborError, identity.decode, cbor.encode({k: fields[k] for k in fields if k != key}))
    fields[7] = "more"
    refused(CborError, identity.decode, cbor.encode(fields))


def test_an_identity_cut_short_anywhere_is_refused():
    data = identity.encode(IDENTITY)
    for length in range(len(data)):
        refused(CodecError, identity.decode, data[:length])


def test_a_contact_comes_back_as_it_was_encoded():
    assert contact.decode(contact.encode(CONTACT)) == CONTACT


def test_a_contact_address_that_a_browser_would_run_is_refused():
    for address in ("javascript:alert(1)", "data:text/html,x", "http://example.com", "example.com"):
        wrong = contact.Contact(1, address, "a", "b", "https://example.com")
        assert refused(CborError, contact.encode, wrong).fields["reason"] == "scheme of contact"


def test_a_contact_may_be_a_mail_address_or_a_telephone_number():
    for address in ("mailto:security@example.com", "tel:+441632960000"):
        contact.encode(contact.Contact(1, address, "a", "b", "https://example.com"))


def test_a_contact_without_a_time_for_the_acknowledgement_is_refused():
    wrong = contact.Contact(1, "https://example.com", "", "b", "https://example.com")
    assert refused(CborError, contact.encode, wrong).fields["reason"] == "length of acknowledgement"
