"""An investigation of a possible compliance failure as it is now, computed from its events, and from nothing else.

Rules:
1. Its events are in the case store's log (`disclosure/store.py`): append-only, hash-chained and signed. Its number
   begins with CF.
2. The log holds the maker's own words about product and failure, and no name or address of a person outside.
3. A party counts as notified when a mail server accepted the notice, or when a person recorded that it was delivered.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from provisioning.disclosure.case import DELIVERED, DELIVERY, NOTICE, Notice
from provisioning.disclosure.errors import CaseInputError
from provisioning.disclosure.store import Event
from provisioning.failures import states
from provisioning.failures.states import State, Step

CODE: Final = "CF"  # compliance failure
RETENTION_YEARS: Final = 10  # s. 12(4)
AUTHORITY: Final = "authority"  # the id of the enforcement authority among the parties

OPENED: Final = "failure opened"
EVIDENCE: Final = "evidence"
STEP_TAKEN: Final = "step taken"
STEP_RESULT: Final = "step result"
RECALL: Final = "recall"
REPORTED: Final = "authority notified"


@dataclass
class StepTaken:
    """A step to remedy the failure. `is_successful`: None while it is not known (s. 12(2)(c))."""

    number: int
    text: str
    time_s: int
    is_successful: bool | None


@dataclass
class Investigation:
    """One investigation. Times are unix seconds; None: it has not happened. `batches`: ("",) is the whole model."""

    code: str
    model: str
    batches: tuple[str, ...]
    suspicion: str
    origin: Mapping[str, str]
    informed_s: int
    opened_s: int
    version: int = 0
    state: State = State.OPEN
    failure: Mapping[str, Any] = field(default_factory=dict)  # details and risks, as they were confirmed
    outcome: str = ""
    failures: int = 0  # how often a failure was confirmed
    evidence: list[str] = field(default_factory=list)
    steps: list[StepTaken] = field(default_factory=list)
    notices: dict[str, Notice] = field(default_factory=dict)
    parties: dict[str, str] = field(default_factory=dict)  # Message-ID -> id of the party
    recalled_s: int | None = None
    authority: Mapping[str, Any] = field(default_factory=dict)  # notified by a person, outside the outbox
    events: list[Event] = field(default_factory=list)

    @property
    def stop(self) -> str | None:
        """Return the state of its batches' stops; None: they may ship."""
        return states.stop_of(self.state, is_recalled=self.recalled_s is not None)

    @property
    def is_failure(self) -> bool:
        """Return whether a failure was confirmed, and not withdrawn by a later result."""
        return bool(self.failure)

    def notice_to(self, party: str, purpose: str) -> Notice | None:
        """Return the notice to a party for one purpose, or None."""
        for message_id, notice in self.notices.items():
            if (self.parties.get(message_id), notice.purpose) == (party, purpose):
                return notice
        return None

    def authority_notified_s(self) -> int | None:
        """Return when the enforcement authority was notified, None if it was not (rule 3)."""
        times = [
            notice.status_s
            for message_id, notice in self.notices.items()
            if self.parties.get(message_id) == AUTHORITY and notice.status in DELIVERED
        ]
        if self.authority:
            times.append(int(self.authority["at_s"]))
        return min(times, default=None)

    def keep_until(self) -> dt.date:
        """Return the last day on which the record must be kept: ten years from its last entry, never a day less."""
        made = dt.datetime.fromtimestamp(self.events[-1].time_s, dt.UTC).date()
        try:
            return made.replace(year=made.year + RETENTION_YEARS)
        except ValueError:
            return dt.date(made.year + RETENTION_YEARS, 3, 1)


def _opened(found: Investigation, event: Event) -> None:
    del found, event  # the constructor has read it


def _evidence(found: Investigation, event: Event) -> None:
    found.evidence.append(str(event.facts["text"]))


def _step_taken(found: Investigation, event: Event) -> None:
    facts = event.facts
    found.steps.append(
        StepTaken(len(found.steps) + 1, str(facts["text"]), event.time_s, facts["is_successful"])
    )


def _step_result(found: Investigation, event: Event) -> None:
    found.steps[int(event.facts["step"]) - 1].is_successful = bool(event.facts["is_successful"])


def _notice(found: Investigation, event: Event) -> None:
    facts = event.facts
    found.notices[facts["message_id"]] = Notice(
        facts["message_id"], facts["reporter"], facts["purpose"], event.time_s, facts["status"], event.time_s
    )
    found.parties[facts["message_id"]] = str(facts["party"])


def _delivery(found: Investigation, event: Event) -> None:
    notice = found.notices[event.facts["message_id"]]
    notice.status, notice.status_s = event.facts["status"], event.time_s


def _recall(found: Investigation, event: Event) -> None:
    found.recalled_s = event.time_s


def _reported(found: Investigation, event: Event) -> None:
    found.authority = event.facts


def _step(found: Investigation, event: Event) -> None:
    step = Step(event.kind)
    found.state = states.after(found.state, step)
    found.outcome = str(event.facts.get("reason") or found.outcome)
    if step is Step.CONFIRM:
        found.failure, found.failures = event.facts, found.failures + 1
    elif step is Step.CLEAR:
        found.failure = {}


_APPLY: Final[dict[str, Callable[[Investigation, Event], None]]] = {
    OPENED: _opened,
    EVIDENCE: _evidence,
    STEP_TAKEN: _step_taken,
    STEP_RESULT: _step_result,
    NOTICE: _notice,
    DELIVERY: _delivery,
    RECALL: _recall,
    REPORTED: _reported,
    **{str(step): _step for step in Step},
}


def fold(events: Iterable[Event]) -> Investigation:
    """Return the investigation that these events make; they are of one investigation, in order."""
    found: Investigation | None = None
    for event in events:
        if found is None:
            facts = event.facts
            found = Investigation(
                str(event.case),
                str(facts["model"]),
                tuple(facts["batches"]),
                str(facts["suspicion"]),
                facts["origin"],
                int(facts["informed_s"]),
                event.time_s,
            )
        _APPLY[event.kind](found, event)
        found.version = event.version
        found.events.append(event)
    if found is None:
        raise CaseInputError("an investigation has at least one event")
    return found


def is_investigation(code: str | None) -> bool:
    """Return whether this is the number of an investigation, and not that of a case."""
    return code is not None and code.startswith(f"{CODE}-")


def all_investigations(events: Iterable[Event]) -> dict[str, Investigation]:
    """Return every investigation of the log by its number."""
    grouped: dict[str, list[Event]] = {}
    for event in events:
        if is_investigation(event.case):
            grouped.setdefault(str(event.case), []).append(event)
    return {
        code: fold(sorted(found, key=lambda each: each.version)) for code, found in sorted(grouped.items())
    }
