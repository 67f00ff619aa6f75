"""The times that the maker published for its answers, as values that deadlines are computed from (RP-02, RP-03, RP-08).

Rules:
1. The times come from the product definition, whose texts the maker publishes, and from nowhere else.
2. A promise is recorded in the signed log. A case keeps the promise that was in force when it was opened, so a maker
   cannot become punctual afterwards by publishing longer times.
3. Hours, days and weeks are exact. A month ends at the same time of the same day, or of the month's last day. Working
   days do not count the day of the start, and end with the day, at midnight in the maker's time zone.
"""

from __future__ import annotations

import calendar
import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from provisioning.disclosure.errors import CaseInputError
from provisioning.disclosure.working_days import later_working_day
from provisioning.product.product import ContactDetails
from provisioning.product.public_texts import AnswerTime, acknowledgement_time, status_update_time

DEFAULT_ZONE: Final = "Europe/London"
_HOUR_S: Final = 3600
_DAY_S: Final = 86400
_EXACT_S: Final = {"hour": _HOUR_S, "day": _DAY_S, "week": 7 * _DAY_S}
_WORKING: Final = {"day": 1, "week": 5}


@dataclass(frozen=True)
class Promise:
    """The published times of one maker. `free_days`: days that are not working days, besides weekends."""

    acknowledgement: AnswerTime
    status_updates: AnswerTime
    zone: str
    free_days: tuple[dt.date, ...]
    contact: str
    maker: str

    @classmethod
    def of(cls, contact: ContactDetails, maker: str, zone: str, free_days: tuple[dt.date, ...]) -> Promise:
        """Return the promise of a product definition. Raises CaseInputError if deadlines cannot be computed from it."""
        _zone(zone)
        found = cls(
            acknowledgement_time(contact.acknowledgement),
            status_update_time(contact.status_updates),
            zone,
            free_days,
            contact.report,
            maker,
        )
        found.acknowledgement_due(0)
        found.update_due(0)
        return found

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Promise:
        """Return the promise that an event of the log records."""
        return cls(
            AnswerTime(*facts["acknowledgement"]),
            AnswerTime(*facts["status_updates"]),
            facts["zone"],
            tuple(dt.date.fromisoformat(day) for day in facts["free_days"]),
            facts["contact"],
            facts["maker"],
        )

    def facts(self) -> dict[str, Any]:
        """Return the promise as an event of the log holds it."""
        days = [day.isoformat() for day in self.free_days]
        return {
            "acknowledgement": [self.acknowledgement.count, self.acknowledgement.unit],
            "status_updates": [self.status_updates.count, self.status_updates.unit],
            "zone": self.zone,
            "free_days": days,
            "free_days_sha256": hashlib.sha256("\n".join(days).encode()).hexdigest(),
            "contact": self.contact,
            "maker": self.maker,
        }

    def acknowledgement_due(self, received_s: int) -> int:
        """Return the unix second until which a report that came at `received_s` is acknowledged."""
        return self.later(received_s, self.acknowledgement)

    def update_due(self, last_s: int) -> int:
        """Return the unix second until which the next status update is due. `last_s`: the last news to the reporter."""
        return self.later(last_s, self.status_updates)

    def later(self, start_s: int, span: AnswerTime) -> int:
        """Return the unix second `span` after `start_s` (rule 3). Raises CaseInputError for a unit without a length."""
        kind, _, unit = span.unit.rpartition(" ")
        if kind not in ("working", "business"):
            if unit == "month":
                return self._months_later(start_s, span.count)
            return start_s + span.count * _EXACT_S[unit]
        if unit not in _WORKING:
            raise CaseInputError(
                f'"{span.in_words()}" has no fixed length: publish hours, days, weeks, months, working days or working'
                " weeks"
            )
        return self._working_days_later(start_s, span.count * _WORKING[unit])

    def text_of(self, time_s: int) -> str:
        """Return a time as a reporter reads it, in the maker's time zone."""
        local = dt.datetime.fromtimestamp(time_s, _zone(self.zone))
        return f"{local.day} {local.strftime('%B %Y, %H:%M')} ({local.tzname()})"

    def _working_days_later(self, start_s: int, days: int) -> int:
        zone = _zone(self.zone)
        start = dt.datetime.fromtimestamp(start_s, zone).date()
        last = later_working_day(start, days, frozenset(self.free_days))
        midnight = dt.datetime.combine(last + dt.timedelta(days=1), dt.time(), zone)
        return int(midnight.timestamp()) - 1

    def _months_later(self, start_s: int, months: int) -> int:
        start = dt.datetime.fromtimestamp(start_s, _zone(self.zone))
        return int(months_later(start, months).timestamp())


def months_later(start: dt.datetime, months: int) -> dt.datetime:
    """Return the same time `months` later; on the month's last day if it is shorter."""
    at = start.year * 12 + start.month - 1 + months
    year, month = at // 12, at % 12 + 1
    return start.replace(
        year=year, month=month, day=min(start.day, calendar.monthrange(year, month)[1]), fold=0
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CaseInputError(f"{name!r} is not a time zone like {DEFAULT_ZONE}") from None
