"""Every member of the anchors, and of the keys, intervals, policies and revoked ids in them: types and bounds."""

import test_trust as base

from device.codec import cbor
from device.crypto import backend
from device.errors import CborError, FirstbootError, LimitError, SignatureError, UnsupportedError
from device.limits import ANCHOR_KEYS, KEY_ID_BYTES, KEYSET_REVOKED, SIGNATURES_TRIED
from device.trust import anchors
from device.trust.anchors import (
    NO_RULES,
    ROLE_AUTHOR,
    ROLE_ROOT,
    ROLE_SIGNATORY,
    ROLE_SUPPORT,
    ROLE_TRACKER,
    Anchors,
    Interval,
    Key,
    Policy,
    Rules,
)

PUBLIC = backend.p256_public(b"\x11" * 32)
ROOT = Key(b"root", -9, ROLE_ROOT, PUBLIC)
AUTHOR = Key(b"author", -46, ROLE_AUTHOR, bytes(60))
TRACKERS = (Key(b"t-b", -9, ROLE_TRACKER, PUBLIC), Key(b"t-a", -19, ROLE_TRACKER, bytes(32)))
SIGNATORY = Key(b"signatory", -19, ROLE_SIGNATORY, bytes(32))
KEYS = (ROOT, AUTHOR) + TRACKERS + (SIGNATORY,)
INTERVALS = (Interval(b"t-b", 0, 86400), Interval(b"t-a", 5, 6))
POLICIES = (Policy(ROLE_AUTHOR, 1, (-46,)), Policy(ROLE_ROOT, 1, ()))
RULES = Rules(POLICIES, INTERVALS, 7, (b"old", b"older"))


def make(keys=KEYS, rules=RULES, horizon_s=0, floor_s=0, vendor=base.VENDOR):
    return Anchors(vendor, base.CLASS, tuple(keys), horizon_s, floor_s, rules)


FULL = make()
OLD = make(KEYS, NO_RULES)  # a record of version 1


def fields_of(trusted, changes=()):
    """Return the encoded record with other members; `changes`: (path, value) each, value None removes the member."""
    fields = cbor.decode(anchors.encode(trusted))
    for path, value in changes:
        part = fields
        for step in path[:-1]:
            part = part[step]
        if value is None:
            del part[path[-1]]
        else:
            part[path[-1]] = value
    return cbor.encode(fields)


def refused(data, kind=CborError, text=""):
    try:
        anchors.decode(data)
    except FirstbootError as error:
        assert isinstance(error, kind), error.describe()
        assert text in error.describe(), error.describe()
        return error
    raise AssertionError("accepted: " + text)


def not_encoded(trusted, kind=CborError, text=""):
    try:
        anchors.encode(trusted)
    except kind as error:
        assert text in error.describe(), error.describe()
        return
    raise AssertionError("encoded: " + text)


def test_a_record_gives_back_what_was_encoded_and_names_its_version():
    for trusted in (FULL, OLD):
        assert anchors.decode(anchors.encode(trusted)) == trusted
    assert cbor.decode(anchors.encode(FULL))[0] == 2
    assert 0 not in cbor.decode(anchors.encode(OLD))
    assert NO_RULES == ((), (), 0, ())


def test_every_other_version_is_refused_by_its_number():
    for version in (-1, 0, 1, 3, 200):
        found = refused(fields_of(FULL, (((0,), version),)), UnsupportedError)
        assert found.fields == {"what": f"anchors version {version}"}


def test_a_missing_member_and_one_of_another_type_are_refused():
    places = [(number,) for number in range(1, 9)]
    places += [(3, 0, number) for number in range(1, 5)]
    places += [(3, 2, number) for number in range(1, 7)]
    places += [(6, 0, number) for number in range(1, 4)]
    for place in places:
        refused(fields_of(FULL, ((place, None),)), (CborError, UnsupportedError))
        for value in ({}, False):
            refused(fields_of(FULL, ((place, value),)), (CborError, UnsupportedError))
    for number in range(1, 6):
        refused(fields_of(OLD, (((number,), None),)))
        refused(fields_of(OLD, (((number,), {}),)))
    refused(fields_of(OLD, (((6,), []),)), CborError, "unknown key")
    refused(fields_of(FULL, (((3, 0, 3), True),)), (CborError, UnsupportedError))


def test_vendor_and_class_have_16_bytes_each():
    for number in (1, 2):
        for length in (0, 15, 17):
            refused(fields_of(FULL, (((number,), bytes(length)),)), CborError, "not 16 bytes")


def test_no_time_and_no_number_is_below_zero():
    assert anchors.decode(anchors.encode(make(horizon_s=0, floor_s=0))).support_horizon_s == 0
    for number, text in ((4, "before 1970"), (5, "before 1970"), (7, "sequence number")):
        assert anchors.decode(fields_of(FULL, (((number,), 0),)))
        refused(fields_of(FULL, (((number,), -1),)), CborError, text)
    not_encoded(make((), Rules((), (), -1, ())), CborError, "sequence number")


def test_a_key_id_has_1_to_32_bytes():
    for length, is_good in ((0, False), (1, True), (KEY_ID_BYTES, True), (KEY_ID_BYTES + 1, False)):
        named = make((Key(bytes(length), -9, ROLE_SUPPORT, PUBLIC),), Rules((), (), 1, ()))
        revoked = make((ROOT,), Rules((), (), 1, (bytes(length),)))
        if is_good:
            assert anchors.decode(anchors.encode(named)) == named
            assert anchors.decode(anchors.encode(revoked)) == revoked
        else:
            not_encoded(named, CborError, "length of a key id")
            not_encoded(revoked, CborError, "revoked key id")


def test_a_public_key_has_the_form_of_its_algorithm():
    for algorithm, length in ((-9, 65), (-19, 32), (-46, 60)):
        for change in (-1, 0, 1):
            public = b"\x04" + bytes(length + change - 1)
            trusted = make((Key(b"k", algorithm, ROLE_SUPPORT, public),), NO_RULES)
            if change:
                not_encoded(trusted, CborError, "form of a public key")
            else:
                assert anchors.decode(anchors.encode(trusted)) == trusted
    for first in (0, 2, 3, 5):  # a P-256 key is an uncompressed point
        not_encoded(
            make((Key(b"k", -9, ROLE_SUPPORT, bytes([first]) + PUBLIC[1:]),), NO_RULES), CborError, "form"
        )


def test_as_many_keys_and_revoked_ids_as_the_limits_say_are_kept():
    keys = [Key(bytes([at]), -19, ROLE_SUPPORT, bytes(32)) for at in range(ANCHOR_KEYS + 1)]
    revoked = tuple([bytes([100 + at]) for at in range(KEYSET_REVOKED + 1)])
    full = make(keys[:-1], Rules((), (), 1, revoked[:-1]))
    assert anchors.decode(anchors.encode(full)) == full
    not_encoded(make(keys, NO_RULES), LimitError)
    not_encoded(make((ROOT,), Rules((), (), 1, revoked)), LimitError)


def test_no_id_is_there_twice_or_both_trusted_and_revoked():
    not_encoded(make((ROOT, AUTHOR, ROOT), NO_RULES), CborError, "key id twice")
    not_encoded(make((ROOT,), Rules((), (), 1, (b"b", b"a", b"b"))), CborError, "key revoked twice")
    not_encoded(
        make((ROOT, AUTHOR), Rules((), (), 1, (b"x", b"author"))), CborError, "revoked key among the keys"
    )


def test_a_policy_is_for_root_or_author_once_with_at_most_four_signatures():
    roots = [
        Key(bytes([at]), -9, ROLE_ROOT, b"\x04" + bytes([at]) * 64) for at in range(SIGNATURES_TRIED + 1)
    ]

    def ruled(*policies):
        return make(roots + [AUTHOR], Rules(policies, (), 1, ()))

    most = ruled(Policy(ROLE_ROOT, SIGNATURES_TRIED, (-9,)))
    assert anchors.decode(anchors.encode(most)) == most
    not_encoded(ruled(Policy(ROLE_ROOT, SIGNATURES_TRIED + 1, ())), CborError, "threshold")
    not_encoded(ruled(Policy(ROLE_ROOT, 1, ()), Policy(ROLE_ROOT, 2, ())), CborError, "policy twice")
    for role in (0, ROLE_SUPPORT, ROLE_TRACKER, ROLE_SIGNATORY, 6):
        not_encoded(ruled(Policy(role, 1, ())), CborError, "signs alone")


def test_what_is_unknown_is_skipped_only_on_request_and_hides_nothing_behind_it():
    parts = anchors.encode_keys(KEYS, INTERVALS)
    odd = [{1: b"new", 2: -999, 3: "any"}, {1: b"newer", 2: -9, 3: 99}]
    assert anchors.decode_keys(odd + parts, True, True) == (KEYS, INTERVALS)
    for one in odd:
        try:
            anchors.decode_keys([one], True, False)
            raise AssertionError("accepted")
        except UnsupportedError:
            pass
    policies = [{1: 9, 2: "any"}] + anchors.encode_policies(POLICIES)
    assert anchors.decode_policies(policies, KEYS, True) == POLICIES
    for skips, role in ((False, 9), (True, True), (True, "9"), (True, ROLE_SUPPORT)):
        try:
            anchors.decode_policies([{1: role, 2: 1, 3: []}], KEYS, skips)
            raise AssertionError("accepted")
        except CborError:
            pass


def test_a_policy_and_an_interval_are_found_by_their_own_role_and_key():
    assert anchors.policy_of(FULL, ROLE_AUTHOR) == POLICIES[0]
    assert anchors.policy_of(FULL, ROLE_ROOT) == POLICIES[1]
    assert anchors.policy_of(FULL, ROLE_SUPPORT) == (ROLE_SUPPORT, 1, ())
    assert [anchors.interval_of(FULL, key) for key in TRACKERS] == list(INTERVALS)
    for key in (ROOT, AUTHOR, SIGNATORY, Key(b"zzz", -9, ROLE_TRACKER, PUBLIC), Key(b"\0", -9, 4, PUBLIC)):
        assert anchors.interval_of(FULL, key) is None


def test_a_key_is_found_by_role_and_id_and_without_an_id_only_if_it_is_the_only_one():
    assert anchors.find_key(FULL, b"t-a", ROLE_TRACKER) == TRACKERS[1]
    assert anchors.find_key(FULL, None, ROLE_SIGNATORY) == SIGNATORY
    for key_id, role, text in (
        (None, ROLE_TRACKER, "several keys"),
        (b"t-a", ROLE_AUTHOR, "no such key"),
        (b"", ROLE_ROOT, "no such key"),
        (None, ROLE_SUPPORT, "no such key"),
    ):
        try:
            anchors.find_key(FULL, key_id, role)
            raise AssertionError("found")
        except SignatureError as error:
            assert text in error.describe() and error.fields["role"] == role


def test_only_a_trackers_key_has_an_interval_and_only_in_the_newer_version():
    refused(fields_of(FULL, (((3, 0, 5), 1), ((3, 0, 6), 2))), CborError, "unknown key")
    refused(fields_of(FULL, (((3, 4, 5), 1), ((3, 4, 6), 2))), CborError, "unknown key")
    refused(fields_of(OLD, (((3, 2, 5), 1), ((3, 2, 6), 2))), CborError, "unknown key")
