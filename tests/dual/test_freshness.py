"""Freshness records: bound to our nonce, our class, and no earlier than the floor."""

from device.codec.cbor import encode
from device.errors import FreshnessError
from device.limits import RECORD_BYTES
from device.records import freshness

CLASS = bytes(range(16))
NONCE = b"n" * 16
KEY = b"k" * 16
ASKED = freshness.challenge(NONCE, CLASS, 0)
GOOD = freshness.encode_payload(CLASS, NONCE, 1_800_000_000, 3, 1)


def refusal(payload, asked=ASKED, age_ms=10, floor_s=1_700_000_000):
    try:
        freshness.accept(payload, asked, age_ms, floor_s)
    except FreshnessError as error:
        return error.fields["reason"]
    raise AssertionError("accepted")


def test_a_record_for_our_nonce_gives_time_and_the_newest_numbers():
    assert freshness.accept(GOOD, ASKED, 10, 1_700_000_000) == (1_800_000_000, 3, 1, None, None)


def test_a_record_may_name_the_newest_key_set_and_need_not():
    named = freshness.encode_payload(CLASS, NONCE, 1_800_000_000, 3, 1, 5)
    assert freshness.accept(named, ASKED, 10, 0).newest_keyset == 5
    without = encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: 3, 5: 1})
    assert freshness.encode_payload(CLASS, NONCE, 1_800_000_000, 3, 1) == without, "version 0.1 takes no more"
    assert freshness.accept(without, ASKED, 10, 0).newest_keyset is None


def test_a_record_may_name_a_rollout():
    for share in (0, 1, 9_999, 10_000):
        rollout = freshness.Rollout(3, KEY, share)
        named = freshness.encode_payload(CLASS, NONCE, 1_800_000_000, 3, 1, 0, rollout)
        assert freshness.accept(named, ASKED, 10, 0) == (1_800_000_000, 3, 1, None, rollout)


def test_a_member_of_a_later_version_is_ignored():
    later = encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: 3, 5: 1, 6: 5, 8: b"later"})
    assert freshness.accept(later, ASKED, 10, 0) == (1_800_000_000, 3, 1, 5, None)


def test_the_request_comes_back_as_it_was_asked():
    asked = freshness.decode_request(freshness.encode_request(ASKED))
    assert (asked.nonce, asked.class_id) == (NONCE, CLASS)


def test_each_wrong_record_is_refused_by_name():
    rows = (
        (freshness.encode_payload(CLASS, b"m" * 16, 1_800_000_000, 3, 1), "nonce"),
        (freshness.encode_payload(bytes(16), NONCE, 1_800_000_000, 3, 1), "class"),
        (freshness.encode_payload(CLASS, NONCE, 1_600_000_000, 3, 1), "time before the floor"),
        (freshness.encode_payload(CLASS, b"o" * 16, 1_800_000_000, 3, 1), "nonce"),
        (freshness.encode_payload(b"\xff" * 16, NONCE, 1_800_000_000, 3, 1), "class"),
        (encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: 3, 5: -1}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: True, 4: 3, 5: 1}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: -1, 4: 3, 5: 1}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: 1_800_000_000}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: 3, 5: 1, 6: -1}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: 3, 5: 1, 6: True}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: 3, 5: 1, 6: (1 << 64) - 1}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: (1 << 64) - 1, 5: 1}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: 3, 5: 1, 7: 3}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: 3, 5: 1, 7: [3, KEY]}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: 3, 5: 1, 7: [-1, KEY, 9]}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: 3, 5: 1, 7: [3, "k" * 16, 9]}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: 3, 5: 1, 7: [3, KEY[:15], 9]}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: 3, 5: 1, 7: [3, KEY, 9, 0]}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: 3, 5: 1, 7: [3, KEY + b"k", 9]}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: 3, 5: 1, 7: [3, KEY, True]}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: 3, 5: 1, 7: [3, KEY, 10_001]}), "structure"),
        (encode([]), "structure"),
        (GOOD + b"\x00", "encoding"),
        (bytes(5000), "size"),
    )
    for payload, reason in rows:
        assert refusal(payload) == reason, reason


def test_a_record_that_was_not_requested_is_refused():
    assert refusal(GOOD, asked=None) == "nothing was asked"


def test_a_record_that_comes_too_late_is_refused():
    assert freshness.accept(GOOD, ASKED, 60_000, 0).newest_manifest == 3
    assert refusal(GOOD, age_ms=60_001) == "nonce expired"


def test_a_nonce_whose_age_looks_negative_has_expired():
    assert refusal(GOOD, age_ms=-1) == "nonce expired"


def test_the_floor_itself_is_a_possible_time():
    assert freshness.accept(GOOD, ASKED, 10, 1_800_000_000).time_s == 1_800_000_000


def test_an_answer_in_the_same_tick_is_in_time():
    assert freshness.accept(GOOD, ASKED, 0, 0).time_s == 1_800_000_000


def test_a_number_has_at_most_53_bits():
    last = (1 << 53) - 1
    good = freshness.encode_payload(CLASS, NONCE, last, last, last, last)
    assert freshness.accept(good, ASKED, 10, 0) == (last, last, last, last, None)
    for key in (3, 4, 5, 6):
        fields = {1: CLASS, 2: NONCE, 3: last, 4: last, 5: last, 6: last}
        fields[key] = last + 1
        assert refusal(encode(fields)) == "structure", key


def padded(fields, size):
    """Return an encoded map of `size` bytes with a byte string at 7."""
    wanted = dict(fields)
    wanted[8] = bytes(size - len(encode(fields)) - 2)
    while len(encode(wanted)) > size:
        wanted[8] = wanted[8][1:]
    assert len(encode(wanted)) == size
    return encode(wanted)


def test_a_record_may_be_as_long_as_its_limit():
    fields = {1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: 3, 5: 1}
    assert freshness.accept(padded(fields, RECORD_BYTES), ASKED, 10, 0).newest_manifest == 3
    assert refusal(padded(fields, RECORD_BYTES + 1)) == "size"


def request_refusal(data):
    try:
        freshness.decode_request(data)
    except FreshnessError as error:
        return error.fields["reason"]
    raise AssertionError("accepted")


def test_a_request_has_exactly_its_two_members_and_at_most_64_bytes():
    assert freshness.decode_request(freshness.encode_request(ASKED)) == (NONCE, CLASS, 0)
    assert request_refusal(encode({1: NONCE, 2: CLASS, 3: 0})) == "structure"
    for nonce, class_id in (
        (NONCE[1:], CLASS),
        (NONCE + b"n", CLASS),
        (NONCE, CLASS[1:]),
        (NONCE, CLASS + b"c"),
    ):
        assert request_refusal(encode({1: nonce, 2: class_id})) == "structure"
    assert request_refusal(padded({1: NONCE, 2: CLASS}, 64)) == "structure"
    assert request_refusal(padded({1: NONCE, 2: CLASS}, 65)) == "size"


def test_a_challenge_keeps_when_it_was_made_and_has_a_nonce_of_16_bytes():
    assert freshness.challenge(NONCE, CLASS, 77) == (NONCE, CLASS, 77)
    for wrong in (NONCE[1:], NONCE + b"n"):
        try:
            freshness.challenge(wrong, CLASS, 77)
        except FreshnessError as error:
            assert error.fields["reason"] == "nonce length"
            continue
        raise AssertionError("accepted")


def test_a_damaged_request_is_refused_by_the_tracker():
    for data in (b"", encode({1: NONCE}), encode({1: NONCE, 2: b"short"}), encode({1: 1, 2: CLASS})):
        try:
            freshness.decode_request(data)
            raise AssertionError(data)
        except FreshnessError:
            pass
