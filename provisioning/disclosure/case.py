"""A case as it is now, computed from its events, and from nothing else.

Rules:
1. The state of a case is what the table of states makes of its steps (`states.py`).
2. A reporter counts as informed when a mail server accepted the notice, or when the notice can be read with the
   reporter's token, or when a person recorded that it was spoken. A queued, bounced or unclear notice informs nobody.
3. A case keeps the promise that was in force when it was opened (`promise.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from provisioning.disclosure import states
from provisioning.disclosure.errors import CaseInputError
from provisioning.disclosure.promise import Promise
from provisioning.disclosure.states import State, Step
from provisioning.disclosure.store import Event, is_case

# Kinds of events that are not steps of the table of states.
OPENED: Final = "opened"
MESSAGE: Final = "message"
NOTICE: Final = "notice"
DELIVERY: Final = "delivery"
JOINED: Final = "joined"
AWARE: Final = "aware"
FILED: Final = "filed"
EMBARGO: Final = "embargo"
ERASED: Final = "erased"
ADVISORY: Final = "advisory"
THANKS: Final = "thanks"
PROMISE: Final = "promise"

QUEUED: Final = "queued"
SENDING: Final = "sending"
SENT: Final = "sent"
SHOWN: Final = "shown"  # readable with the token, or spoken
WRITTEN: Final = "written"  # a person posts it
UNCLEAR: Final = "unclear"  # the connection ended after the message was handed over: accepted or not
FAILED: Final = "failed"
BOUNCED: Final = "bounced"
DELIVERED: Final = (SENT, SHOWN)
NEEDS_A_PERSON: Final = (UNCLEAR, FAILED, BOUNCED, WRITTEN)


@dataclass
class Notice:
    """A notice to one reporter, as the log knows it."""

    message_id: str
    reporter: str
    purpose: str
    queued_s: int
    status: str
    status_s: int


@dataclass
class Case:
    """One case. Times are unix seconds; None: it has not happened."""

    code: str
    promise: Promise
    received_s: int
    channel: str
    version: int = 0
    state: State = State.RECEIVED
    title: str = ""
    reporters: dict[str, int] = field(default_factory=dict)  # reporter -> when the first message came
    notices: dict[str, Notice] = field(default_factory=dict)
    messages: list[tuple[int, str, str]] = field(default_factory=list)  # (time, reporter, digest)
    triage: Mapping[str, Any] = field(default_factory=dict)
    fix: Mapping[str, Any] = field(default_factory=dict)
    fixed_s: int | None = None
    published_s: int | None = None
    ended_s: int | None = None
    merged_into: str | None = None
    aware_s: dict[str, int] = field(default_factory=dict)  # kind of CRA duty -> awareness
    filed: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    embargo: Mapping[str, Any] = field(default_factory=dict)
    is_confirmed: bool | None = None  # None: nobody has decided yet
    public_version: int | None = None  # the version with which the embargo ended
    advisories: list[Event] = field(default_factory=list)  # the texts for the public, oldest first
    thanks: dict[str, str] = field(default_factory=dict)  # reporter who agreed -> digest of the name
    thanked: tuple[str, ...] = ()  # the names, which only the tables have (`desk.load`)
    events: list[Event] = field(default_factory=list)

    def informed_s(self, reporter: str, purpose: str | None = None) -> int | None:
        """Return when the reporter was last informed (about `purpose`), None if never (rule 2)."""
        times = [
            notice.status_s
            for notice in self.notices.values()
            if notice.reporter == reporter
            and notice.status in DELIVERED
            and purpose in (None, notice.purpose)
        ]
        return max(times, default=None)

    @property
    def is_embargoed(self) -> bool:
        """Return whether the case is kept from site, feed and export."""
        return self.published_s is None and not self.embargo.get("is_lifted", False)


def _opened(case: Case, event: Event) -> None:
    case.title = event.facts["title"]
    case.received_s = int(event.facts.get("received_s", event.time_s))
    case.reporters[event.facts["reporter"]] = case.received_s


def _message(case: Case, event: Event) -> None:
    reporter = event.facts["reporter"]
    case.reporters.setdefault(reporter, int(event.facts.get("received_s", event.time_s)))
    case.messages.append((event.time_s, reporter, event.facts["digest"]))


def _notice(case: Case, event: Event) -> None:
    facts = event.facts
    case.notices[facts["message_id"]] = Notice(
        facts["message_id"], facts["reporter"], facts["purpose"], event.time_s, facts["status"], event.time_s
    )


def _delivery(case: Case, event: Event) -> None:
    notice = case.notices[event.facts["message_id"]]
    notice.status, notice.status_s = event.facts["status"], event.time_s


def _joined(case: Case, event: Event) -> None:
    for reporter, time_s in event.facts["reporters"].items():
        case.reporters.setdefault(reporter, int(time_s))


def _aware(case: Case, event: Event) -> None:
    case.aware_s[event.facts["duty"]] = int(event.facts["aware_s"])


def _filed(case: Case, event: Event) -> None:
    case.filed[event.facts["duty"], event.facts["stage"]] = event.facts


def _embargo(case: Case, event: Event) -> None:
    case.embargo = event.facts
    if case.published_s is None:
        case.public_version = event.version if event.facts.get("is_lifted", False) else None


def _erased(case: Case, event: Event) -> None:
    case.reporters.pop(event.facts["reporter"], None)
    case.thanks.pop(event.facts["reporter"], None)


def _thanks(case: Case, event: Event) -> None:
    case.thanks.pop(event.facts["reporter"], None)
    if event.facts.get("digest"):
        case.thanks[event.facts["reporter"]] = event.facts["digest"]


def _step(case: Case, event: Event) -> None:
    step = Step(event.kind)
    case.state = states.after(case.state, step)
    case.ended_s = event.time_s if not states.is_open(case.state) else None
    if step is Step.TRIAGE:
        case.triage = event.facts
        case.title = event.facts.get("title") or case.title
    elif step in (Step.CONFIRM, Step.REJECT):
        case.is_confirmed = step is Step.CONFIRM
    elif step is Step.RESOLVE:
        case.fix, case.fixed_s = event.facts, event.time_s
    elif step is Step.PUBLISH:
        case.published_s = event.time_s
        case.public_version = case.public_version or event.version
    elif step is Step.MERGE:
        case.merged_into = event.facts["into"]


_APPLY: Final[dict[str, Callable[[Case, Event], None]]] = {
    OPENED: _opened,
    MESSAGE: _message,
    NOTICE: _notice,
    DELIVERY: _delivery,
    JOINED: _joined,
    AWARE: _aware,
    FILED: _filed,
    EMBARGO: _embargo,
    ADVISORY: lambda case, event: case.advisories.append(event),
    ERASED: _erased,
    THANKS: _thanks,
    **{str(step): _step for step in Step},
}


def fold(events: Iterable[Event], promises: Mapping[tuple[str, int], Promise]) -> Case:
    """Return the case that these events make; they are of one case, in order. `promises`: by (chain, number)."""
    case: Case | None = None
    for event in events:
        if case is None:
            facts = event.facts
            promise = promises.get((facts["promise"][0], int(facts["promise"][1])))
            if promise is None:
                raise CaseInputError(f"case {event.case} names a promise that the log does not have")
            case = Case(event.case or "", promise, event.time_s, facts["channel"])
        _APPLY[event.kind](case, event)
        case.version = event.version
        case.events.append(event)
    if case is None:
        raise CaseInputError("a case has at least one event")
    return case


def promises_of(events: Iterable[Event]) -> dict[tuple[str, int], Promise]:
    """Return every promise of the log by (chain, number), in order."""
    return {
        (event.chain, event.number): Promise.from_facts(event.facts)
        for event in events
        if event.kind == PROMISE
    }


def all_cases(events: Iterable[Event]) -> dict[str, Case]:
    """Return every case of the log by its number."""
    listed = list(events)
    promises = promises_of(listed)
    grouped: dict[str, list[Event]] = {}
    for event in listed:
        if is_case(event.case):
            grouped.setdefault(str(event.case), []).append(event)
    return {
        code: fold(sorted(found, key=lambda each: each.version), promises)
        for code, found in sorted(grouped.items())
    }
