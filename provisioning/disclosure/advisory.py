"""Advisories: texts for the public about a case, recorded in the signed log and turned into documents from there.

Rules:
1. The texts are events of the case, so an advisory's history cannot be changed later, and every build from the same
   store gives the same documents.
2. An advisory is public from the moment at which the embargo has ended and a text exists. Nothing of a case under
   embargo reaches a page, a feed or a document for the public: `public` is the only way to them.
3. After that, each event that changes what the documents say is a revision with a number of its own.
4. The title is the maker's, from the triage: the words of reporters are not published. Their names are, if they
   agreed (`thanks.py`) and the advisory is public.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from provisioning.csaf_names import CVE
from provisioning.disclosure import desk, states
from provisioning.disclosure.case import ADVISORY, ERASED, THANKS, Case
from provisioning.disclosure.desk import Decision
from provisioning.disclosure.errors import CaseInputError, StateError
from provisioning.disclosure.states import State, Step
from provisioning.disclosure.store import CaseStore, Event

LONGEST: Final = 4000
_PREFIX: Final = "SA"  # security advisory
_CHANGES: Final = {
    ADVISORY: "The text was changed.",
    THANKS: "The thanks were changed.",
    ERASED: "The thanks were changed.",
    Step.TRIAGE: "The affected versions or the severity were changed.",
    Step.CONFIRM: "The issue was confirmed.",
    Step.REJECT: "The issue was not confirmed.",
    Step.RESOLVE: "A fix is available.",
}


class Justification(StrEnum):
    """The reasons for which a product is not affected (CSAF 2.0 section 3.2.3.5, as in VEX)."""

    COMPONENT = "component_not_present"
    CODE = "vulnerable_code_not_present"
    PATH = "vulnerable_code_not_in_execute_path"
    CONTROL = "vulnerable_code_cannot_be_controlled_by_adversary"
    MITIGATED = "inline_mitigations_already_exist"


@dataclass(frozen=True)
class Text:
    """The text of a person for the public. `action`: what the owner of a product does. `cve`: empty without one."""

    description: str
    action: str
    cve: str = ""
    not_affected: str = ""  # a Justification; empty: the product is affected

    def facts(self) -> dict[str, Any]:
        """Return the text as an event holds it."""
        return {name: value for name, value in vars(self).items() if value}


@dataclass(frozen=True)
class Revision:
    """One version of the published documents: number from 1, unix seconds, and what changed."""

    number: int
    time_s: int
    summary: str


@dataclass(frozen=True)
class Advisory:
    """The newest text of a case, with its history. `revisions` is empty while the case is under embargo."""

    case: Case
    text: Text
    revisions: tuple[Revision, ...]

    @property
    def id(self) -> str:
        """Return the number of the advisory, SA-YEAR-0001, from the number of the case."""
        return f"{_PREFIX}-{self.case.code.partition('-')[2]}"

    @property
    def title(self) -> str:
        """Return the maker's title of the issue (rule 4)."""
        return str(self.case.triage["title"])

    @property
    def thanked(self) -> tuple[str, ...]:
        """Return the names of the reporters who are thanked; none while the case is under embargo."""
        return self.case.thanked if self.revisions else ()

    @property
    def is_fixed(self) -> bool:
        """Return whether a release with a fix is recorded."""
        return bool(self.case.fix.get("release"))


def write(store: CaseStore, code: str, text: Text, decision: Decision) -> Advisory:
    """Record a text for the public. Raises CaseInputError, StateError, UnknownCaseError, CaseConflictError."""
    _require_text(text)
    with store.writing() as session:
        case = desk.case_of(session, code)
        _require_case(case, text)
        facts = {**text.facts(), **decision.facts()}
        store.append(session, ADVISORY, facts, case=code, expected=decision.version)
        return advisory_of(desk.case_of(session, code))


def advisory_of(case: Case) -> Advisory:
    """Return the advisory of a case. Raises CaseInputError if nobody wrote one, or if it contradicts the case."""
    if not case.advisories:
        raise CaseInputError(
            f"case {case.code} has no text for the public: write one with `firstboot advisory write`"
        )
    facts = case.advisories[-1].facts
    text = Text(
        str(facts["description"]), str(facts["action"]), facts.get("cve", ""), facts.get("not_affected", "")
    )
    _require_case(case, text)
    return Advisory(case, text, _revisions(case))


def public(cases: Iterable[Case]) -> list[Advisory]:
    """Return the advisories that the public may read, by their numbers (rule 2).

    Raises CaseInputError for a public text that contradicts its case: a page must not state it.
    """
    found = [
        advisory_of(case)
        for case in cases
        if case.advisories and not case.is_embargoed and case.state not in (State.MERGED, State.DISCARDED)
    ]
    return sorted(found, key=lambda one: one.id)


def _revisions(case: Case) -> tuple[Revision, ...]:
    """Return the published versions of the documents (rule 3)."""
    if case.is_embargoed or case.public_version is None:
        return ()
    first = max(case.public_version, case.advisories[0].version)
    start = next(event for event in case.events if event.version == first)
    found, thanked = [Revision(1, start.time_s, "First version.")], set[str]()
    for event in case.events:
        is_change = event.kind in _CHANGES and (event.kind != ERASED or event.facts["reporter"] in thanked)
        if event.version > first and is_change:
            found.append(Revision(len(found) + 1, event.time_s, _summary(event)))
        if event.kind == THANKS and event.facts.get("digest"):
            thanked.add(event.facts["reporter"])
        elif event.kind in (THANKS, ERASED):
            thanked.discard(event.facts["reporter"])
    return tuple(found)


def _summary(event: Event) -> str:
    reason = str(event.facts.get("reason", "")) if event.kind == ADVISORY else ""
    return reason or _CHANGES[event.kind]


def _require_text(text: Text) -> None:
    for name, value in (("description", text.description), ("action", text.action)):
        if not value.strip():
            raise CaseInputError(f"the {name} is empty")
        if len(value) > LONGEST:
            raise CaseInputError(f"the {name} has more than {LONGEST} characters")
        if any(not (each.isprintable() or each == "\n") for each in value):
            raise CaseInputError(f"the {name} contains a control or direction character")
    if text.cve and CVE.fullmatch(text.cve) is None:
        raise CaseInputError(f"{text.cve!r} is not a CVE number like CVE-2026-12345")
    if text.not_affected and text.not_affected not in tuple(Justification):
        raise CaseInputError(f"the justification is one of {', '.join(Justification)}")


def _require_case(case: Case, text: Text) -> None:
    """Raise StateError or CaseInputError if the text contradicts what was decided about the case."""
    if case.state in (State.MERGED, State.DISCARDED):
        raise StateError(f"case {case.code} is {case.state}: it has no advisory of its own")
    if not case.triage:
        raise StateError(f"case {case.code} was not triaged: an advisory needs your own title of the issue")
    if text.not_affected and case.is_confirmed:
        raise CaseInputError(f"case {case.code} is confirmed, so the product is affected")
    if not text.not_affected and case.is_confirmed is False:
        raise CaseInputError(
            f"case {case.code} is not confirmed: give a reason why the product is not affected"
        )
    if case.fix.get("release") in case.triage.get("versions", []):
        raise CaseInputError(f"case {case.code}: the release with the fix is also an affected version")
    if not states.is_open(case.state) and case.is_confirmed is None:
        raise CaseInputError(f"case {case.code} ended without a decision")
