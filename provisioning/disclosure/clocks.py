"""Computes the things that are due for a case, with their times, from the case only.

Rules:
1. PSTI asks a maker to publish when a reporter gets an acknowledgement and status updates (SI 2023/1007 Schedule 1
   paragraph 2(2)(b)); EN 303 645 5.2-2 asks it to act in time (RP-08). Both run for each reporter by themselves.
2. The reporting times of CRA Article 14 (CF-05) run from the moment of awareness, which a person records, through
   weekends and holidays: early warning 24 hours, notification 72 hours. The final report of an actively exploited
   vulnerability is due 14 days after a corrective or mitigating measure is available; that of a severe incident one
   month after the notification was filed.
3. A notice that a mail server refused, returned, or may have accepted needs a person at once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from provisioning.disclosure import states
from provisioning.disclosure.case import DELIVERED, NEEDS_A_PERSON, QUEUED, SENDING, Case
from provisioning.disclosure.promise import months_later
from provisioning.disclosure.states import State, Step

ACKNOWLEDGEMENT: Final = "acknowledgement"
STATUS_UPDATE: Final = "status update"
DELIVERY: Final = "delivery"
ANSWER: Final = "answer"

EXPLOITED: Final = "exploited"  # actively exploited vulnerability, CRA Art. 14(1)
INCIDENT: Final = "incident"  # severe incident, CRA Art. 14(3)
DUTIES: Final = (EXPLOITED, INCIDENT)
EARLY_WARNING: Final = "early warning"
NOTIFICATION: Final = "notification"
FINAL_REPORT: Final = "final report"
STAGES: Final = (EARLY_WARNING, NOTIFICATION, FINAL_REPORT)

_HOUR_S: Final = 3600
_DAY_S: Final = 86400
EARLY_WARNING_S: Final = 24 * _HOUR_S
NOTIFICATION_S: Final = 72 * _HOUR_S
FINAL_AFTER_FIX_S: Final = 14 * _DAY_S


@dataclass(frozen=True)
class Due:
    """One thing that the maker has to do. `due_s`: unix seconds; `detail`: a phrase for a person."""

    case: str
    what: str
    due_s: int
    detail: str
    reporter: str = ""

    def is_overdue(self, now_s: int) -> bool:
        """Return whether the time has passed."""
        return now_s > self.due_s


def due(cases: Iterable[Case]) -> list[Due]:
    """Return everything that is due at some time, the most urgent first."""
    found = [item for case in cases for item in of_case(case)]
    return sorted(found, key=lambda item: (item.due_s, item.case, item.what))


def of_case(case: Case) -> list[Due]:
    """Return what is due for one case."""
    return [*_to_reporters(case), *_late_messages(case), *_deliveries(case), *_to_authorities(case)]


def _late_messages(case: Case) -> Iterator[Due]:
    """Yield the messages that came after the end of a case: a person reads them, and may open the case again."""
    if case.ended_s is None or case.state is State.MERGED:
        return
    for time_s, reporter, _ in case.messages:
        if time_s > case.ended_s:
            limit = case.promise.acknowledgement_due(time_s)
            yield Due(
                case.code, ANSWER, limit, "read the message that came after the end of the case", reporter
            )


def _to_reporters(case: Case) -> Iterator[Due]:
    if not states.is_open(case.state):
        return
    waiting = {notice.reporter for notice in case.notices.values() if notice.status in (QUEUED, SENDING)}
    for reporter, since_s in case.reporters.items():
        last_s = case.informed_s(reporter)
        if last_s is not None:
            yield Due(
                case.code, STATUS_UPDATE, case.promise.update_due(last_s), "send a status update", reporter
            )
        elif reporter not in waiting:
            limit = case.promise.acknowledgement_due(since_s)
            yield Due(case.code, ACKNOWLEDGEMENT, limit, "acknowledge the report", reporter)


def _deliveries(case: Case) -> Iterator[Due]:
    for notice in case.notices.values():
        if notice.status in (QUEUED, SENDING):
            limit = _notice_due(case, notice.purpose, notice.reporter, notice.queued_s)
            yield Due(
                case.code, DELIVERY, limit, f"the notice ({notice.purpose}) is not sent yet", notice.reporter
            )
        elif notice.status in NEEDS_A_PERSON:
            words = f"the notice ({notice.purpose}) is {notice.status}: a person has to decide"
            yield Due(case.code, DELIVERY, notice.status_s, words, notice.reporter)


def _notice_due(case: Case, purpose: str, reporter: str, queued_s: int) -> int:
    """Return when a queued notice is late: with its promise, and at the latest a day after it was queued."""
    if purpose == Step.ACKNOWLEDGE:
        return case.promise.acknowledgement_due(case.reporters.get(reporter, queued_s))
    last_s = case.informed_s(reporter)
    return min(queued_s + _DAY_S, case.promise.update_due(last_s if last_s is not None else queued_s))


def authority_due(case: Case, duty: str, stage: str) -> int | None:
    """Return when a stage of CRA Art. 14 is due (rule 2); None if its time does not run yet."""
    aware_s = case.aware_s.get(duty)
    if aware_s is None:
        return None
    if stage == EARLY_WARNING:
        return aware_s + EARLY_WARNING_S
    if stage == NOTIFICATION:
        return aware_s + NOTIFICATION_S
    if duty == EXPLOITED:
        return None if case.fixed_s is None else case.fixed_s + FINAL_AFTER_FIX_S
    filed = case.filed.get((duty, NOTIFICATION))
    if filed is None:
        return None
    start = dt.datetime.fromtimestamp(int(filed["filed_s"]), dt.UTC)
    return int(months_later(start, 1).timestamp())


def _to_authorities(case: Case) -> Iterator[Due]:
    for duty in case.aware_s:
        for stage in STAGES:
            limit = authority_due(case, duty, stage)
            if limit is not None and (duty, stage) not in case.filed:
                yield Due(case.code, f"CRA {stage}", limit, f"file the {stage} ({duty}), CRA Art. 14")


@dataclass(frozen=True)
class Punctuality:
    """Figures on the published times (RP-08). Counts of reporters and of intervals between news to one reporter."""

    acknowledged_in_time: int
    acknowledged_late: int
    updates_in_time: int
    updates_late: int


def punctuality(cases: Iterable[Case], now_s: int) -> Punctuality:
    """Return how the published times were met until now. An open item counts as late once its time has passed."""
    counts = dict.fromkeys(("a_in", "a_late", "u_in", "u_late"), 0)
    for case in cases:
        if case.state in (State.DISCARDED, State.MERGED):
            continue
        for reporter, since_s in case.reporters.items():
            _count(case, reporter, since_s, now_s, counts)
    return Punctuality(counts["a_in"], counts["a_late"], counts["u_in"], counts["u_late"])


def _count(case: Case, reporter: str, since_s: int, now_s: int, counts: dict[str, int]) -> None:
    news = sorted(
        notice.status_s
        for notice in case.notices.values()
        if notice.reporter == reporter and notice.status in DELIVERED
    )
    limit = case.promise.acknowledgement_due(since_s)
    if not news:
        counts["a_late"] += now_s > limit and states.is_open(case.state)
        return
    counts["a_in" if news[0] <= limit else "a_late"] += 1
    ends = [*news[1:], case.ended_s if case.ended_s is not None else now_s]
    for before, after in zip(news, ends, strict=True):
        is_late = after > case.promise.update_due(before)
        is_finished = after is not ends[-1] or case.ended_s is not None
        if is_late or is_finished:
            counts["u_late" if is_late else "u_in"] += 1
