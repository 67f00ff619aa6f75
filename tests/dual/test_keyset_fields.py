"""Every member of a key set: its type, its bounds, and what is asked of the whole set."""

from test_keyset import (
    ANCHORS,
    CLASS,
    PRIVATES,
    ROLE_AUTHOR,
    ROLE_ROOT,
    ROOTS,
    SECOND,
    TWO_OF_THREE,
    make,
    refused,
    sha256,
    sign,
    signed,
    with_fields,
)

from device.codec import cbor, cose
from device.crypto import backend
from device.errors import CborError, KeySetError, RecordTypeError, UnsupportedError
from device.limits import IMAGE_KEYS
from device.trust import keyset
from device.trust.anchors import Anchors, Policy, Rules


def test_the_first_member_is_the_version_1():
    assert cbor.decode(keyset.encode(make()))[0] == 1


def test_a_lower_version_is_refused_too():
    refused(sign(with_fields({0: 0})), UnsupportedError, "version")


def test_a_member_of_another_type_is_refused():
    for number in range(1, 10):
        refused(sign(with_fields({number: "text"})), CborError, "wrong type")
    refused(sign(with_fields({0: "text"})), UnsupportedError, "version")


def test_a_missing_member_is_refused():
    for number in range(8):
        fields = cbor.decode(keyset.encode(make()))
        del fields[number]
        refused(sign(cbor.encode(fields)), (CborError, UnsupportedError))


def test_a_set_without_a_root_is_refused_although_it_has_other_keys():
    fields = cbor.decode(keyset.encode(make()))
    others = [part for part in fields[4] if part[3] != ROLE_ROOT]
    refused(sign(with_fields({4: others, 5: []})), KeySetError, "no root")


def test_a_key_set_for_any_other_class_is_refused():
    lower, higher = b"\0" + CLASS[1:], b"\xff" + CLASS[1:]
    for other in (lower, higher):
        refused(signed(klass=other), KeySetError, "reason=class")


def test_the_type_of_any_other_record_is_refused():
    payload = keyset.encode(make())
    for name in ("a", "freshness", "support", "z"):
        refused(sign(payload, typ="application/vnd.firstboot." + name + "+cbor"), RecordTypeError)


def test_time_and_ceilings_may_be_zero():
    lowest = make(time_s=0, ceilings=keyset.Ceilings(0, 0))
    assert keyset.decode(keyset.encode(lowest)) == lowest


def test_the_number_of_every_image_key_of_a_newer_board_is_skipped():
    newer = [1, IMAGE_KEYS, IMAGE_KEYS + 1, 1000]
    assert keyset.verify(sign(with_fields({7: newer})), ANCHORS).revoked_images == (1,)


def test_all_but_one_image_key_may_be_revoked():
    numbers = tuple(range(IMAGE_KEYS - 1))
    assert keyset.verify(signed(images=numbers), ANCHORS).revoked_images == numbers


def test_what_could_not_be_read_is_not_encoded():
    for wrong in (make(sequence=0), make(time_s=-1), make(images=(0, 0))):
        try:
            keyset.encode(wrong)
        except CborError:
            continue
        raise AssertionError("encoded")


def test_a_key_set_whose_payload_is_elsewhere_is_refused():
    def by_root(message):
        return backend.p256_sign(PRIVATES[b"root-a"], sha256(message).digest())

    detached = cose.sign_encode(
        keyset.encode(make()),
        signers=((-9, b"root-a", by_root),),
        typ=keyset.TYP,
        external_aad=keyset.TYP.encode(),
        is_detached=True,
    )
    refused(detached, UnsupportedError, "detached payload")


def test_the_stored_set_names_the_revoked_image_keys():
    assert keyset.revoked_images(signed(images=(0, 1))) == (0, 1)
    assert keyset.revoked_images(None) == ()


def test_only_the_policy_for_roots_is_left_of_a_damaged_set():
    policies = TWO_OF_THREE + (Policy(ROLE_AUTHOR, 1, ()),)
    rules = Rules(policies, ANCHORS.rules.intervals, 7, (b"gone",))
    left = keyset.roots_only(Anchors(ANCHORS.vendor_id, CLASS, SECOND, 5, 6, rules), 0)
    assert left == Anchors(ANCHORS.vendor_id, CLASS, ROOTS, 5, 6, Rules(TWO_OF_THREE, (), 7, (b"gone",)))
