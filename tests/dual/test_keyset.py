"""The key set: which keys may change the trusted keys, and the way back from every stolen key (UP-11)."""

from hashlib import sha256

from device.codec import cbor, cose
from device.crypto import backend
from device.errors import (
    CborError,
    CodecError,
    CounterLostError,
    FreshnessError,
    KeySetError,
    LimitError,
    RecordTypeError,
    SignatureError,
    UnsupportedError,
)
from device.limits import SEQUENCE_JUMP
from device.trust import anchors as trust_anchors
from device.trust import keyset
from device.trust.anchors import (
    ROLE_AUTHOR,
    ROLE_ROOT,
    ROLE_SUPPORT,
    ROLE_TRACKER,
    Anchors,
    Interval,
    Key,
    Policy,
    Rules,
)

VENDOR, CLASS = b"vendor of tests!", b"class of tests.."
DAY = 86400
BUILD_S = 1700000000
PRIVATES = {}


def key(name, role):
    """Return the public key of this name; PRIVATES has its private half."""
    private = sha256(name).digest()
    PRIVATES[name] = private
    return Key(name, -9, role, backend.p256_public(private))


ROOTS = tuple([key(name, ROLE_ROOT) for name in (b"root-a", b"root-b", b"root-c")])
NEW_ROOTS = tuple([key(name, ROLE_ROOT) for name in (b"root-d", b"root-e", b"root-f")])
AUTHOR, NEW_AUTHOR = key(b"author", ROLE_AUTHOR), key(b"author-2", ROLE_AUTHOR)
SUPPORT = key(b"support", ROLE_SUPPORT)
TRACKER, NEW_TRACKER = key(b"tracker", ROLE_TRACKER), key(b"tracker-2", ROLE_TRACKER)
TWO_OF_THREE = (Policy(ROLE_ROOT, 2, ()),)
INTERVALS = (
    Interval(b"tracker", BUILD_S, BUILD_S + 400 * DAY),
    Interval(b"tracker-2", BUILD_S, BUILD_S + 400 * DAY),
)


def rules(keys, sequence, revoked=(), policies=TWO_OF_THREE):
    names = [one.key_id for one in keys]
    intervals = tuple([one for one in INTERVALS if one.key_id in names])
    return Rules(policies, intervals, sequence, revoked)


def plus(roots, *others):
    return roots + others


SECOND = plus(ROOTS, NEW_AUTHOR, SUPPORT, NEW_TRACKER)
FIRST = plus(ROOTS, AUTHOR, SUPPORT, TRACKER)
ANCHORS = Anchors(VENDOR, CLASS, FIRST, 2000000000, BUILD_S, rules(FIRST, 1))


def make(
    keys=SECOND,
    sequence=2,
    revoked=(b"author",),
    klass=CLASS,
    time_s=BUILD_S + DAY,
    images=(),
    policies=TWO_OF_THREE,
    ceilings=keyset.NO_CEILINGS,
):
    found = rules(keys, sequence, revoked, policies)
    return keyset.KeySet(klass, time_s, tuple(keys), found, images, ceilings)


def sign(payload, names=(b"root-a", b"root-b"), typ=keyset.TYP, aad=None):
    def by(name):
        return lambda message: backend.p256_sign(PRIVATES[name], sha256(message).digest())

    return cose.sign_encode(
        payload,
        signers=tuple([(-9, name, by(name)) for name in names]),
        typ=typ,
        external_aad=(typ if aad is None else aad).encode(),
        limit=8,
    )


def refused(data, error, text="", anchors=ANCHORS):
    try:
        keyset.verify(data, anchors)
    except error as found:
        assert text in found.describe(), found.describe()
        return
    raise AssertionError("accepted")


def signed(names=(b"root-a", b"root-b"), **changes):
    return sign(keyset.encode(make(**changes)), names)


def test_a_key_set_of_enough_roots_replaces_keys_and_rules():
    found = keyset.verify(signed(), ANCHORS)
    assert found == make()
    after = keyset.apply(ANCHORS, found)
    assert (after.vendor_id, after.class_id, after.build_time_floor_s) == (VENDOR, CLASS, BUILD_S)
    assert [one.key_id for one in after.keys if one.role == ROLE_AUTHOR] == [b"author-2"]
    assert after.rules.sequence == 2


def test_what_is_stored_gives_the_same_anchors_at_the_next_start():
    data = signed()
    assert keyset.effective(ANCHORS, data, 2) == keyset.apply(ANCHORS, keyset.verify(data, ANCHORS))
    assert keyset.effective(ANCHORS, None, 0) == ANCHORS


def test_a_stored_set_below_the_newest_that_was_stored_is_lost():
    for stored, floor in ((signed(), 3), (None, ANCHORS.rules.sequence + 1)):
        try:
            keyset.effective(ANCHORS, stored, floor)
        except CounterLostError as error:
            assert error.fields["name"] == "keyset"
            continue
        raise AssertionError("accepted")


def test_a_minority_of_roots_changes_nothing():
    for names in ((b"root-a",), (b"root-a", b"root-a"), (b"root-b", b"author"), (b"root-c", b"tracker")):
        refused(signed(names), SignatureError, "have=1 need=2")


def test_no_other_role_signs_a_key_set():
    for name in (b"author", b"support", b"tracker"):
        refused(signed((name, name)), SignatureError, "no such key")


def test_a_key_set_for_another_class_is_refused():
    refused(signed(klass=b"another class..."), KeySetError, "reason=class")


def test_only_a_higher_sequence_number_passes():
    for sequence in (1,):
        refused(signed(sequence=sequence), KeySetError, "have=1 offered=1 reason=sequence")
    after = keyset.apply(ANCHORS, make(sequence=5))
    refused(signed(sequence=4), KeySetError, "have=5 offered=4", after)


def test_a_sequence_number_far_ahead_is_refused():
    last = 1 + SEQUENCE_JUMP
    assert keyset.verify(signed(sequence=last), ANCHORS).rules.sequence == last
    refused(signed(sequence=last + 1), KeySetError, "sequence")


def test_new_roots_are_signed_by_old_and_new():
    keys = plus(NEW_ROOTS, AUTHOR, SUPPORT, TRACKER)
    both = (b"root-a", b"root-b", b"root-d", b"root-e")
    found = keyset.verify(signed(both, keys=keys, revoked=()), ANCHORS)
    assert keyset.apply(ANCHORS, found).keys[:3] == NEW_ROOTS
    refused(signed((b"root-a", b"root-b"), keys=keys, revoked=()), SignatureError, "no such key")
    refused(signed((b"root-d", b"root-e"), keys=keys, revoked=()), SignatureError, "no such key")
    refused(signed((b"root-a", b"root-b", b"root-d"), keys=keys, revoked=()), SignatureError, "have=1 need=2")
    refused(signed((b"root-a", b"root-d", b"root-e"), keys=keys, revoked=()), SignatureError, "have=1 need=2")


def test_old_roots_are_worth_nothing_after_a_rotation():
    keys = plus(NEW_ROOTS, AUTHOR, SUPPORT, TRACKER)
    after = keyset.apply(ANCHORS, make(keys=keys, revoked=()))
    refused(signed(sequence=3), SignatureError, "no such key", after)


def test_what_is_revoked_stays_revoked():
    after = keyset.apply(ANCHORS, make())
    refused(signed(sequence=3, revoked=()), KeySetError, "revoked key back", after)
    refused(sign(with_fields({6: [b"author-2"]})), CborError, "revoked key among the keys")


def with_fields(changes):
    fields = cbor.decode(keyset.encode(make()))
    for number in changes:
        fields[number] = changes[number]
    return cbor.encode(fields)


def test_a_key_set_without_roots_is_refused():
    refused(sign(with_fields({4: [], 5: []})), KeySetError, "no root")


def test_fields_are_checked():
    for changes, error, text in (
        ({0: 2}, UnsupportedError, "version"),
        ({2: 0}, CborError, "sequence number"),
        ({3: -1}, CborError, "time"),
        ({7: [-1]}, CborError, "image key"),
        ({7: [True]}, CborError, "image key"),
        ({8: -1}, CborError, "ceiling"),
        ({9: "x"}, CborError, "wrong type"),
        ({7: [0, 0]}, CborError, "image keys"),
        ({7: [0, 1, 2]}, CborError, "image keys"),
        ({6: [b""]}, CborError, "revoked"),
        ({6: [b"x", b"x"]}, CborError, "revoked twice"),
        ({6: [b"%02d" % number for number in range(65)]}, LimitError, "revoked"),
        ({10: 1}, CborError, "unknown key"),
        ({5: [{1: 4, 2: 1, 3: []}]}, CborError, "signs alone"),
    ):
        refused(sign(with_fields(changes)), error, text)


def test_ceilings_are_kept_and_may_be_absent():
    high = keyset.Ceilings(41, 22000)
    assert keyset.verify(signed(ceilings=high), ANCHORS).ceilings == high
    only = keyset.Ceilings(None, 22000)
    assert keyset.verify(signed(ceilings=only), ANCHORS).ceilings == only
    assert keyset.verify(signed(), ANCHORS).ceilings == keyset.NO_CEILINGS


def with_key(**fields):
    """Return a set with one more key: its parts 1 to 6 changed."""
    part = {1: b"next", 2: -9, 3: ROLE_AUTHOR, 4: AUTHOR.public}
    part.update({int(name[1:]): value for name, value in fields.items()})
    return cbor.decode(keyset.encode(make()))[4] + [part]


def test_a_key_of_an_unknown_algorithm_or_role_is_skipped():
    for part in (
        {"m2": -48, "m4": bytes(1312)},
        {"m2": -48, "m4": {1: bytes(32)}},
        {"m2": "ML-DSA-44"},
        {"m2": -48, "m3": ROLE_TRACKER},
        {"m2": -48, "m7": "a member of a later format"},
        {"m2": -7},
        {"m3": 6, "m5": 1},
        {"m3": 0},
        {"m2": 1 << 63, "m3": -(1 << 63)},
    ):
        found = keyset.verify(sign(with_fields({4: with_key(**part)})), ANCHORS)
        assert [one.key_id for one in found.keys] == [one.key_id for one in SECOND]


def test_a_policy_for_a_role_that_this_firmware_does_not_know_is_skipped():
    policies = [{1: ROLE_ROOT, 2: 2, 3: []}, {1: 6, 2: 9, 3: [-48]}, {1: 7, 9: "of a later format"}]
    assert keyset.verify(sign(with_fields({5: policies})), ANCHORS).rules.policies == TWO_OF_THREE
    refused(sign(with_fields({5: [{1: True, 2: 1, 3: []}]})), CborError, "wrong type")


def test_a_signature_of_an_unknown_algorithm_counts_for_nothing_and_does_no_harm():
    payload = keyset.encode(make())
    for algorithm in (-48, 1 << 63, -(1 << 63)):
        signers = [(algorithm, b"root-c", lambda message: bytes(2420))]
        for name in (b"root-a", b"root-b"):
            signers.append(
                (
                    -9,
                    name,
                    lambda message, name=name: backend.p256_sign(PRIVATES[name], sha256(message).digest()),
                )
            )
        for count, is_enough in ((3, True), (2, False)):
            data = cose.sign_encode(
                payload,
                signers=tuple(signers[:count]),
                typ=keyset.TYP,
                external_aad=keyset.TYP.encode(),
                limit=8,
            )
            if is_enough:
                assert keyset.verify(data, ANCHORS) == make()
            else:
                refused(data, SignatureError, "have=1 need=2")


def test_a_skipped_key_counts_for_no_threshold():
    two_authors = [{1: ROLE_ROOT, 2: 2, 3: []}, {1: ROLE_AUTHOR, 2: 2, 3: []}]
    refused(sign(with_fields({4: with_key(m2=-48), 5: two_authors})), CborError, "fewer keys than")
    assert keyset.verify(sign(with_fields({4: with_key(), 5: two_authors})), ANCHORS)


def test_what_is_wrong_with_a_key_is_refused_whether_or_not_it_is_known():
    refused(sign(with_fields({4: with_key(m1=b"", m2=-48)})), CborError, "length of a key id")
    refused(sign(with_fields({4: with_key(m1=b"root-a", m2=-48)})), CborError, "key id twice")
    refused(sign(with_fields({4: with_key(m1="text", m2=-48)})), CborError, "without an id")
    refused(sign(with_fields({4: with_key(m4=b"short")})), CborError, "form of a public key")
    refused(sign(with_fields({4: with_key(m7=1)})), CborError, "unknown key")


def test_the_number_of_an_image_key_that_this_boot_rom_does_not_have_is_skipped():
    found = keyset.verify(sign(with_fields({7: [1, 3]})), ANCHORS)
    assert found.revoked_images == (1,)


def test_a_tracker_without_an_interval_is_refused():
    keys = cbor.decode(keyset.encode(make()))[4]
    for one in keys:
        one.pop(5, None)
        one.pop(6, None)
    refused(sign(with_fields({4: keys})), CborError, "missing key")


def test_another_type_is_refused():
    payload = keyset.encode(make())
    refused(sign(payload, typ="application/vnd.firstboot.support+cbor"), RecordTypeError)
    refused(sign(payload, aad="other"), SignatureError, "wrong signature")


def test_a_payload_is_not_read_before_the_roots_signed_it():
    refused(sign(b"\xff", (b"author", b"tracker")), SignatureError)
    refused(sign(b"\xff"), CborError)


def test_every_truncation_is_refused():
    data = signed()
    for length in range(0, len(data), 5):
        refused(data[:length], CodecError)


def test_a_tracker_moves_time_no_further_than_its_interval():
    interval = INTERVALS[0]
    for time_s in (interval.first_s, interval.last_s):
        keyset.require_interval(ANCHORS, TRACKER, time_s)
    for time_s in (interval.first_s - 1, interval.last_s + 1, 4102444800):
        try:
            keyset.require_interval(ANCHORS, TRACKER, time_s)
        except FreshnessError as error:
            assert "interval" in error.describe()
            continue
        raise AssertionError("accepted")


def test_a_damaged_key_set_leaves_only_the_roots():
    left = keyset.roots_only(ANCHORS, 0)
    assert left.keys == ROOTS
    assert left.rules.sequence == ANCHORS.rules.sequence
    assert keyset.roots_only(ANCHORS, 5).rules.sequence == 4  # so number 5 is taken again, and 4 is not
    assert trust_anchors.policy_of(left, ROLE_ROOT).threshold == 2
    assert keyset.verify(signed(), left) == make()
    refused(signed((b"root-a",)), SignatureError, "have=1 need=2", left)


def test_a_thiefs_own_roots_sign_nothing_for_a_unit_that_knows_others():
    keys = plus(NEW_ROOTS, AUTHOR, SUPPORT, TRACKER)
    thief = (b"root-d", b"root-e", b"root-f")
    refused(signed(thief, keys=keys, revoked=()), SignatureError, "no such key")
    refused(signed((b"root-a",) + thief, keys=keys, revoked=()), SignatureError, "have=1 need=2")
