"""Freshness records: bound to our nonce, our class, and no earlier than the floor."""

from device.codec.cbor import encode
from device.errors import FreshnessError
from device.records import freshness

CLASS = bytes(range(16))
NONCE = b"n" * 16
ASKED = freshness.challenge(NONCE, CLASS, 0)
GOOD = freshness.encode_payload(CLASS, NONCE, 1_800_000_000, 3, 1)


def refusal(payload, asked=ASKED, age_ms=10, floor_s=1_700_000_000):
    try:
        freshness.accept(payload, asked, age_ms, floor_s)
    except FreshnessError as error:
        return error.fields["reason"]
    raise AssertionError("accepted")


def test_a_record_for_our_nonce_gives_time_and_the_newest_numbers():
    assert freshness.accept(GOOD, ASKED, 10, 1_700_000_000) == (1_800_000_000, 3, 1, None)


def test_a_record_may_name_the_newest_key_set_and_need_not():
    named = freshness.encode_payload(CLASS, NONCE, 1_800_000_000, 3, 1, 5)
    assert freshness.accept(named, ASKED, 10, 0).newest_keyset == 5
    without = encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: 3, 5: 1})
    assert freshness.encode_payload(CLASS, NONCE, 1_800_000_000, 3, 1) == without, "version 0.1 takes no more"
    assert freshness.accept(without, ASKED, 10, 0).newest_keyset is None


def test_a_member_of_a_later_version_is_ignored():
    later = encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: 3, 5: 1, 6: 5, 7: b"later"})
    assert freshness.accept(later, ASKED, 10, 0) == (1_800_000_000, 3, 1, 5)


def test_the_request_comes_back_as_it_was_asked():
    asked = freshness.decode_request(freshness.encode_request(ASKED))
    assert (asked.nonce, asked.class_id) == (NONCE, CLASS)


def test_each_wrong_record_is_refused_by_name():
    rows = (
        (freshness.encode_payload(CLASS, b"m" * 16, 1_800_000_000, 3, 1), "nonce"),
        (freshness.encode_payload(bytes(16), NONCE, 1_800_000_000, 3, 1), "class"),
        (freshness.encode_payload(CLASS, NONCE, 1_600_000_000, 3, 1), "time before the floor"),
        (encode({1: CLASS, 2: NONCE, 3: True, 4: 3, 5: 1}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: -1, 4: 3, 5: 1}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: 1_800_000_000}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: 3, 5: 1, 6: -1}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: 3, 5: 1, 6: True}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: 3, 5: 1, 6: (1 << 64) - 1}), "structure"),
        (encode({1: CLASS, 2: NONCE, 3: 1_800_000_000, 4: (1 << 64) - 1, 5: 1}), "structure"),
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


def test_a_damaged_request_is_refused_by_the_tracker():
    for data in (b"", encode({1: NONCE}), encode({1: NONCE, 2: b"short"}), encode({1: 1, 2: CLASS})):
        try:
            freshness.decode_request(data)
            raise AssertionError(data)
        except FreshnessError:
            pass
