"""Signed records and anchors: the conditions on a record before a unit accepts it, and on an anchor."""

from hashlib import sha256

from device.codec import cbor, cose
from device.crypto import backend
from device.errors import (
    AlgorithmError,
    CborError,
    CoseError,
    LimitError,
    RecordTypeError,
    SignatureError,
    UnsupportedError,
)
from device.trust import anchors as trust_anchors
from device.trust import signed_record
from device.trust.anchors import NO_RULES, ROLE_AUTHOR, ROLE_SIGNATORY, ROLE_SUPPORT, Anchors, Key

VENDOR, CLASS = b"vendor of tests!", b"class of tests.."
TYP = "application/vnd.firstboot.support+cbor"
AUTHOR_PRIVATE, SUPPORT_PRIVATE = b"\x01" * 32, b"\x02" * 32
AUTHOR = Key(b"author", -9, ROLE_AUTHOR, backend.p256_public(AUTHOR_PRIVATE))
SUPPORT = Key(b"support", -9, ROLE_SUPPORT, backend.p256_public(SUPPORT_PRIVATE))
ANCHORS = Anchors(VENDOR, CLASS, (AUTHOR, SUPPORT), 2000000000, 1700000000, NO_RULES)


def signer(private):
    return lambda message: backend.p256_sign(private, sha256(message).digest())


def record_refused(data, error, text="", role=ROLE_SUPPORT):
    try:
        signed_record.verify_record(data, TYP, role, ANCHORS)
    except error as found:
        assert text in found.describe(), found.describe()
        return
    raise AssertionError("accepted")


def record(**changes):
    options = {
        "algorithm": -9,
        "key_id": b"support",
        "sign": signer(SUPPORT_PRIVATE),
        "typ": TYP,
        "external_aad": TYP.encode("utf-8"),
    }
    options.update(changes)
    return cose.sign1_encode(b"payload", **options)


# Records ---------------------------------------------------------------------------------------------


def test_a_good_record_gives_its_payload():
    assert signed_record.verify_record(record(), TYP, ROLE_SUPPORT, ANCHORS) == b"payload"
    assert signed_record.verify_record(record(algorithm=-7), TYP, ROLE_SUPPORT, ANCHORS) == b"payload"
    assert signed_record.verify_record_with(record(key_id=None), TYP, SUPPORT) == b"payload"


def test_a_record_of_another_type_is_refused():
    record_refused(record(typ="application/vnd.firstboot.contact+cbor"), RecordTypeError, "support+cbor")
    record_refused(record(typ=None), RecordTypeError)


def test_the_type_is_signed_twice():
    record_refused(record(external_aad=b""), SignatureError, "wrong signature")


def test_a_record_by_a_key_of_another_role_is_refused():
    data = record(key_id=b"author", sign=signer(AUTHOR_PRIVATE))
    record_refused(data, SignatureError, "no such key")
    record_refused(record(), SignatureError, "no such key", ROLE_SIGNATORY)


def test_a_record_with_another_algorithm_than_its_anchor_is_refused():
    record_refused(record(algorithm=-46), AlgorithmError, "bound=-9")


def test_a_detached_record_is_refused():
    record_refused(record(is_detached=True), UnsupportedError, "detached")


def test_a_record_with_several_signers_is_refused():
    for signers in (1, 2):
        made = ((-9, b"support", signer(SUPPORT_PRIVATE)),) * signers
        record_refused(cose.sign_encode(b"payload", signers=made), RecordTypeError)
        data = cose.sign_encode(b"payload", signers=made, typ=TYP, external_aad=TYP.encode("utf-8"))
        record_refused(data, UnsupportedError, "COSE_Sign for a record")


def test_a_record_with_a_given_key_is_refused_if_another_key_signed_it():
    data = record(key_id=None, sign=signer(AUTHOR_PRIVATE))
    try:
        signed_record.verify_record_with(data, TYP, SUPPORT)
    except SignatureError as error:
        assert "wrong signature" in error.describe()
        return
    raise AssertionError("accepted")


def test_a_record_past_its_limit_is_refused_and_a_statement_may_be_longer():
    data = b"\x59\x20\x00" + bytes(8192)
    record_refused(data, LimitError, "4096")
    record_refused(data, CoseError, "not a tagged", ROLE_SIGNATORY)


def test_a_signature_of_another_length_is_refused():
    record_refused(record(sign=lambda message: b"short"), SignatureError)


# Anchors ---------------------------------------------------------------------------------------------


def anchors_refused(anchors, error, text):
    try:
        trust_anchors.encode(anchors)
    except error as found:
        assert text in found.describe(), found.describe()
        return
    raise AssertionError("accepted")


def with_keys(*keys):
    return Anchors(VENDOR, CLASS, keys, 1, 1, NO_RULES)


def test_anchors_round_trip():
    hss = Key(b"h", cose.ALG_HSS_LMS, ROLE_AUTHOR, bytes(60))
    for anchors in (ANCHORS, with_keys(), with_keys(AUTHOR, hss)):
        assert trust_anchors.decode(trust_anchors.encode(anchors)) == anchors


def test_anchors_with_bad_keys_are_refused():
    public = AUTHOR.public
    anchors_refused(with_keys(AUTHOR, AUTHOR), CborError, "key id twice")
    anchors_refused(with_keys(Key(b"", -9, 2, public)), CborError, "key id")
    anchors_refused(with_keys(Key(b"k" * 33, -9, 2, public)), CborError, "key id")
    anchors_refused(with_keys(Key(b"k", -9, 6, public)), UnsupportedError, "role or algorithm")
    anchors_refused(with_keys(Key(b"k", -9, 2, public[1:])), CborError, "public key")
    anchors_refused(with_keys(Key(b"k", -9, 2, b"\x02" + public[1:])), CborError, "public key")
    anchors_refused(with_keys(Key(b"k", -46, 2, public)), CborError, "public key")
    anchors_refused(with_keys(Key(b"k", -19, 2, bytes(31))), CborError, "public key")
    anchors_refused(with_keys(Key(b"k", -8, 2, bytes(32))), UnsupportedError, "role or algorithm")
    anchors_refused(with_keys(Key(b"k", -7, 2, public)), UnsupportedError, "algorithm")


def test_anchors_of_another_form_are_refused():
    for data in (b"\xa0", cbor.encode({1: VENDOR, 2: CLASS, 3: [], 4: 1}), cbor.encode([])):
        try:
            trust_anchors.decode(data)
        except CborError:
            continue
        raise AssertionError("accepted")
    anchors_refused(Anchors(VENDOR[1:], CLASS, (), 1, 1, NO_RULES), CborError, "16 bytes")
    anchors_refused(Anchors(VENDOR, CLASS, (), -1, 1, NO_RULES), CborError, "1970")
    keys = [Key(bytes([index + 1]), -9, 2, AUTHOR.public) for index in range(17)]
    anchors_refused(with_keys(*keys), LimitError, "anchor keys")


def test_without_a_key_id_the_role_must_have_one_key():
    second = Key(b"second", -9, ROLE_AUTHOR, AUTHOR.public)
    assert trust_anchors.find_key(ANCHORS, None, ROLE_AUTHOR) == AUTHOR
    try:
        trust_anchors.find_key(with_keys(AUTHOR, second), None, ROLE_AUTHOR)
    except SignatureError as error:
        assert "several keys" in error.describe()
        return
    raise AssertionError("chose one")
