"""The support period: extend only, inclusive end, unknown without time, dates without datetime."""

from memory_unit import refused

from device.codec import cbor
from device.errors import SupportRecordError
from device.limits import SEQUENCE_JUMP
from device.records import support
from device.records.support import DAY_S, ENDED, ENDING, SUPPORTED, UNKNOWN, SupportRecord, support_state

CLASS = b"c" * 16
END = 22370  # 2031-04-01
RECORD = SupportRecord(CLASS, END, 5, 1_700_000_000, 90)
HORIZON = (END + 3650) * DAY_S


def changed(**fields):
    values = {
        "class_id": CLASS,
        "end_day": END,
        "sequence": 5,
        "published_s": 1_700_000_000,
        "notice_days": 90,
    }
    values.update(fields)
    return SupportRecord(**values)


def reason_of(offered, current=RECORD, class_id=CLASS, horizon=HORIZON):
    return refused(SupportRecordError, support.accept, current, offered, class_id, horizon).fields["reason"]


def test_a_record_comes_back_as_it_was_encoded():
    assert support.decode(support.encode(RECORD)) == RECORD


def test_a_payload_that_is_no_support_record_is_refused():
    for data in (b"", b"\xa0", cbor.encode([1]), cbor.encode({1: CLASS}), support.encode(RECORD) + b"\x00"):
        assert refused(SupportRecordError, support.decode, data).fields["reason"] == "structure"


def test_a_payload_with_a_wrong_type_is_refused():
    for key, value in ((1, "text"), (2, b""), (3, True), (4, None), (5, "90")):
        fields = cbor.decode(support.encode(RECORD))
        fields[key] = value
        assert (
            refused(SupportRecordError, support.decode, cbor.encode(fields)).fields["reason"] == "structure"
        )


def test_a_field_out_of_range_is_refused_by_its_name():
    wrong = (
        ("class_id", b"short", "class length"),
        ("class_id", b"c" * 17, "class length"),
        ("end_day", -1, "end date"),
        ("end_day", 2932897, "end date"),
        ("sequence", 0, "sequence number"),
        ("published_s", (2932896 * 86400) + 1, "publication time"),
        ("published_s", -1, "publication time"),
        ("notice_days", -1, "notice"),
        ("notice_days", 3651, "notice"),
    )
    for name, value, reason in wrong:
        record = changed(**{name: value})
        assert refused(SupportRecordError, support.encode, record).fields["reason"] == reason
        payload = cbor.encode({index + 1: value for index, value in enumerate(record)})
        assert refused(SupportRecordError, support.decode, payload).fields["reason"] == reason


def test_the_lowest_and_the_highest_values_are_allowed():
    for values in ((CLASS, 0, 1, 0, 0), (CLASS, 2932896, 1, 2932896 * 86400, 3650)):
        record = SupportRecord(*values)
        assert support.decode(support.encode(record)) == record
        assert support.accept(None, record, CLASS, (2932896 + 1) * 86400) is True


def test_the_first_record_is_accepted():
    assert support.accept(None, RECORD, CLASS, HORIZON) is True


def test_a_later_end_date_with_a_newer_sequence_is_accepted():
    assert support.accept(RECORD, changed(end_day=END + 365, sequence=6), CLASS, HORIZON) is True


def test_the_record_that_is_held_already_changes_nothing():
    assert support.accept(RECORD, changed(), CLASS, HORIZON) is False


def test_an_earlier_end_date_is_refused_even_with_a_newer_sequence():
    assert reason_of(changed(end_day=END - 1, sequence=6)) == "shortened"


def test_an_older_sequence_is_refused_even_with_a_later_end_date():
    assert reason_of(changed(end_day=END + 1, sequence=4)) == "sequence"


def test_the_same_sequence_with_another_content_is_refused():
    assert reason_of(changed(end_day=END + 1)) == "sequence"
    assert reason_of(changed(notice_days=91)) == "sequence"


def test_the_latest_end_date_stays_the_floor_for_every_signer():
    # The record that set the floor is no longer trusted: its key was replaced.
    def offer(end_day):
        return support.accept(None, changed(end_day=end_day), CLASS, HORIZON, END)

    assert offer(END) is True
    try:
        offer(END - 1)
    except SupportRecordError as error:
        assert error.fields["reason"] == "shortened"
        return
    raise AssertionError("accepted")


def test_a_sequence_number_far_ahead_is_refused():
    assert support.accept(RECORD, changed(sequence=RECORD.sequence + SEQUENCE_JUMP), CLASS, HORIZON) is True
    assert reason_of(changed(sequence=RECORD.sequence + SEQUENCE_JUMP + 1)) == "sequence"


def test_a_record_of_another_product_class_is_refused():
    for other in (b"b" * 16, b"d" * 16):
        assert reason_of(changed(class_id=other, sequence=6)) == "class"
    assert reason_of(changed(class_id=b"d" * 16), current=None) == "class"


def test_an_end_date_beyond_the_horizon_is_refused():
    assert reason_of(changed(end_day=END + 1), current=None, horizon=END * DAY_S) == "horizon"
    assert support.accept(None, RECORD, CLASS, END * DAY_S) is True


def test_without_trusted_time_the_state_is_unknown():
    assert support_state(RECORD, None) == (UNKNOWN, None)


def test_without_a_record_the_state_is_unknown():
    assert support_state(None, 1_900_000_000) == (UNKNOWN, None)


def test_the_state_changes_at_the_stated_seconds_and_not_one_before():
    cases = (
        ((END - 91) * DAY_S, SUPPORTED, 91),
        ((END - 90) * DAY_S - 1, SUPPORTED, 91),
        ((END - 90) * DAY_S, ENDING, 90),
        (END * DAY_S, ENDING, 0),
        ((END + 1) * DAY_S - 1, ENDING, 0),
        ((END + 2) * DAY_S - 1, ENDING, 0),
        ((END + 2) * DAY_S, ENDED, 0),
        ((END + 9999) * DAY_S, ENDED, 0),
        (0, SUPPORTED, END),
    )
    for time_s, state, days_left in cases:
        assert support_state(RECORD, time_s) == (state, days_left)


def test_the_sentence_names_model_and_date():
    assert support.sentence("Lamp One", END) == (
        "We will provide security updates for Lamp One until 1 April 2031."
    )


def test_days_and_dates_agree_where_they_are_known():
    known = (
        (0, "1970-01-01", "1 January 1970"),
        (59, "1970-03-01", "1 March 1970"),
        (11016, "2000-02-29", "29 February 2000"),
        (19782, "2024-02-29", "29 February 2024"),
        (22370, "2031-04-01", "1 April 2031"),
        (47540, "2100-02-28", "28 February 2100"),
        (47541, "2100-03-01", "1 March 2100"),
        (2932896, "9999-12-31", "31 December 9999"),
    )
    for day, iso, long_text in known:
        assert support.date_text(day) == iso
        assert support.long_date_text(day) == long_text
        assert support.days_from_civil(int(iso[:4]), int(iso[5:7]), int(iso[8:])) == day


def test_a_date_that_does_not_exist_is_refused():
    for date in (
        (2031, 2, 29),
        (2100, 2, 29),
        (2031, 4, 31),
        (2031, 0, 1),
        (2031, 13, 1),
        (2031, 14, 1),
        (2031, -1, 1),
        (2031, 1, 0),
    ):
        refused(SupportRecordError, support.days_from_civil, *date)
