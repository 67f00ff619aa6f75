"""The payload of the `support` record, and the support state that follows from it: supported, ending, ended, unknown.

CBOR {1: class id, 2: end date (days since 1970-01-01, inclusive), 3: sequence, 4: published (unix s), 5: days of
notice before the end}.

Rules:
1. A period can only be extended: an earlier end date is refused even if it is validly signed (SP-09; SI 2023/1007
   Schedule 1 paragraph 3(6)). The latest date that the unit verified stays the floor after a change of the support
   key; only the roots lower it, after a key was stolen (trust/keyset.py, ceilings).
2. A record is for one product class, and its end date is not after the horizon in the anchors. So a stolen key cannot
   promise support without end.
3. The end date is inclusive; *ended* begins at 00:00 UTC of the second day after it, so after midnight in every
   time zone.
4. Without trusted time the state is *unknown*, never a guess (SP-10).
"""

from collections import namedtuple

from device.codec import cbor
from device.compat import const
from device.errors import CodecError, SupportRecordError
from device.limits import RECORD_BYTES, SEQUENCE_JUMP

TYPE_CHECKING = const(0)

TYP = "application/vnd.firstboot.support+cbor"

SUPPORTED = "supported"
ENDING = "ending"
ENDED = "ended"
UNKNOWN = "unknown"
STATES = (UNKNOWN, SUPPORTED, ENDING, ENDED)  # a report carries the position in this list (SP-08)

CLASS_ID_BYTES = 16
DAY_S = 86400
GRACE_DAYS = 2
LAST_DAY = 2932896  # 9999-12-31
NOTICE_DAYS = 3650  # longest notice: ten years

SupportRecord = namedtuple("SupportRecord", ("class_id", "end_day", "sequence", "published_s", "notice_days"))
SupportStatus = namedtuple("SupportStatus", ("state", "days_left"))  # days_left None while unknown

MONTHS = (  # gettext
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def encode(record: "SupportRecord") -> bytes:
    """Return the payload that the support role signs. Raises SupportRecordError for a field out of range."""
    _check(record)
    return cbor.encode(
        {
            1: record.class_id,
            2: record.end_day,
            3: record.sequence,
            4: record.published_s,
            5: record.notice_days,
        }
    )


def decode(payload: bytes) -> "SupportRecord":
    """Return the record in a verified payload. Raises SupportRecordError(reason "structure" or a field's name)."""
    required = ((1, bytes), (2, int), (3, int), (4, int), (5, int))
    try:
        fields = cbor.check_map(cbor.decode(payload, RECORD_BYTES), required)
    except CodecError:
        raise SupportRecordError(reason="structure") from None
    record = SupportRecord(fields[1], fields[2], fields[3], fields[4], fields[5])
    _check(record)
    return record


def _check(record: "SupportRecord") -> None:
    if len(record.class_id) != CLASS_ID_BYTES:
        raise SupportRecordError(reason="class length")
    if not 0 <= record.end_day <= LAST_DAY:
        raise SupportRecordError(reason="end date")
    if record.sequence < 1:
        raise SupportRecordError(reason="sequence number")
    if not 0 <= record.published_s <= LAST_DAY * DAY_S:
        raise SupportRecordError(reason="publication time")
    if not 0 <= record.notice_days <= NOTICE_DAYS:
        raise SupportRecordError(reason="notice")


def accept(
    current: "SupportRecord | None",
    offered: "SupportRecord",
    class_id: bytes,
    horizon_s: int,
    floor_day: int = 0,
) -> bool:
    """Return whether a verified `offered` record replaces `current`; False if the unit holds it already (SP-09).

    `horizon_s` is the anchors' support horizon (unix s); `floor_day` the latest end day that this unit ever verified,
    by any key: a change of the support key shortens nothing. Raises SupportRecordError with `reason` "class",
    "horizon", "sequence" (not newer, or too far ahead) or "shortened".
    """
    if offered.class_id != class_id:
        raise SupportRecordError(reason="class")
    if offered.end_day * DAY_S > horizon_s:
        raise SupportRecordError(reason="horizon", offered=date_text(offered.end_day))
    if current is not None:
        if offered == current:
            return False
        floor_day = max(floor_day, current.end_day)
    if offered.end_day < floor_day:
        raise SupportRecordError(
            reason="shortened", have=date_text(floor_day), offered=date_text(offered.end_day)
        )
    if current is not None and not 0 < offered.sequence - current.sequence <= SEQUENCE_JUMP:
        raise SupportRecordError(reason="sequence", have=current.sequence, offered=offered.sequence)
    return True


def support_state(record: "SupportRecord | None", trusted_time_s: "int | None") -> "SupportStatus":
    """Return the state at a trusted time (unix s, None if unknown) and the whole days to the end date.

    Source: SP-08, SP-10. `days_left` is 0 on the end date and after it, None while unknown.
    """
    if record is None or trusted_time_s is None:
        return SupportStatus(UNKNOWN, None)
    today = trusted_time_s // DAY_S
    if today >= record.end_day + GRACE_DAYS:
        return SupportStatus(ENDED, 0)
    days_left = max(0, record.end_day - today)
    return SupportStatus(ENDING if days_left <= record.notice_days else SUPPORTED, days_left)


SENTENCE = "We will provide security updates for {0} until {1}."  # gettext


def sentence(model: str, end_day: int) -> str:
    """Return the sentence that every page, label and statement uses (SP-04)."""
    return SENTENCE.format(model, long_date_text(end_day))


# Civil dates (proleptic Gregorian), without datetime ------------------------------------------------------


def civil_from_days(day: int) -> "tuple[int, int, int]":
    """Return (year, month, day of month) of a day counted from 1970-01-01."""
    # The year begins in March here, so that the leap day is its last day.
    day += 719468
    era = day // 146097
    day_of_era = day - era * 146097
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return (
        year_of_era + era * 400 + (1 if month <= 2 else 0),
        month,
        day_of_year - (153 * shifted + 2) // 5 + 1,
    )


def days_from_civil(year: int, month: int, day: int) -> int:
    """Return the day counted from 1970-01-01. Raises SupportRecordError for a date that does not exist."""
    shifted_year = year - 1 if month <= 2 else year
    era = shifted_year // 400
    year_of_era = shifted_year - era * 400
    day_of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    result = era * 146097 + day_of_era - 719468
    if civil_from_days(result) != (year, month, day):  # such as 30 February, or month 13
        raise SupportRecordError(reason="end date")
    return result


def date_text(day: int) -> str:
    """Return a day as ISO 8601: 2031-03-31."""
    year, month, day_of_month = civil_from_days(day)
    return "{:04d}-{:02d}-{:02d}".format(year, month, day_of_month)


def long_date_text(day: int) -> str:
    """Return a day as people write it: 31 March 2031."""
    year, month, day_of_month = civil_from_days(day)
    return "{} {} {}".format(day_of_month, MONTHS[month - 1], year)
