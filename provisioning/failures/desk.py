"""The operations of people on investigations: open, record evidence and steps, decide (ss. 10 to 12 of the Act).

Rules:
1. Every decision names a person and the version of the investigation that the person saw; of two people who decide on
   the same version, one is refused (`disclosure/store.py`, rule 2).
2. The batches are stopped before the investigation is in the log, so no interruption leaves an investigation whose
   batches ship. `sale.py` puts both in order again.
3. A record of s. 12 is complete when it ends: nothing is confirmed without details and risks, and nothing ends without
   a step whose success is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.orm import Session

from provisioning.disclosure.desk import Decision
from provisioning.disclosure.errors import CaseConflictError, CaseInputError, StateError, UnknownCaseError
from provisioning.disclosure.store import CaseStore, read_events
from provisioning.failures import origins, states
from provisioning.failures.investigation import (
    CODE,
    EVIDENCE,
    OPENED,
    RECALL,
    REPORTED,
    STEP_RESULT,
    STEP_TAKEN,
    Investigation,
    all_investigations,
    fold,
    is_investigation,
)
from provisioning.failures.origins import Origin
from provisioning.failures.states import State, Step
from provisioning.registry import stops
from provisioning.registry.stops import EVERY_BATCH

if TYPE_CHECKING:
    from provisioning.registry.registry import Registry

LONGEST_TEXT: Final = 4000
# so that a notice with details, risks and every step stays under the longest text of the outbox
LONGEST_STEPS: Final = 6000


@dataclass(frozen=True)
class Suspicion:
    """The content of a new investigation. `model` None: that of the batches; `informed_s` None: now."""

    text: str
    origin: Origin
    batches: Sequence[str] = ()
    model: str | None = None
    informed_s: int | None = None


def load(store: CaseStore, code: str) -> Investigation:
    """Return one investigation. Raises UnknownCaseError."""
    with store.reading() as session:
        return read(session, code)


def load_all(store: CaseStore) -> dict[str, Investigation]:
    """Return every investigation by its number."""
    with store.reading() as session:
        return all_investigations(read_events(session))


def open_investigation(store: CaseStore, registry: Registry, suspicion: Suspicion, by: str) -> Investigation:
    """Open an investigation and stop its batches. Return it.

    Raises CaseInputError for a text, an origin, a batch or a time that cannot be used, StateError if the same origin is
    examined already, RegistryError.
    """
    _require_text("the suspicion", suspicion.text)
    informed_s = store.now() if suspicion.informed_s is None else suspicion.informed_s
    if informed_s > store.now():
        raise CaseInputError("the time at which you were informed is in the future")
    with store.writing() as session:
        model, batches = _scope(suspicion, registry, origins.batch_of(suspicion.origin, registry, session))
        _require_new(session, suspicion.origin, batches)
        code = store.new_code(session, CODE, [each.code for each in stops.stops(registry)])
        facts = {
            "by": by,
            "model": model,
            "batches": list(batches),
            "suspicion": suspicion.text,
            "origin": suspicion.origin.facts(),
            "informed_s": informed_s,
        }
        store.append(session, OPENED, facts, case=code)
        found = read(session, code)
        stops.stop(registry, code, model, batches, stops.INVESTIGATED, by=by)  # rule 2
    return found


def _scope(suspicion: Suspicion, registry: Registry, of_origin: str | None) -> tuple[str, tuple[str, ...]]:
    """Return the model and its batches; (EVERY_BATCH,) for the whole model. Raises CaseInputError."""
    models = {batch.number: batch.model for batch in registry.batches()}
    named = list(dict.fromkeys([*suspicion.batches, *([of_origin] if of_origin else [])]))
    for number in named:
        if number not in models:
            raise CaseInputError(f"the registry has no batch {number}")
    found = {models[number] for number in named} | ({suspicion.model} if suspicion.model else set())
    if not found:
        raise CaseInputError("name the batches, or the model if it may concern every batch")
    if len(found) > 1:
        raise CaseInputError(
            f"an investigation is about one model, and these are of {', '.join(sorted(map(str, found)))}"
        )
    (model,) = found
    if model not in models.values():
        raise CaseInputError(f"the registry has no batch of {model}")
    return str(model), tuple(sorted(named)) if suspicion.model is None else (EVERY_BATCH,)


def _require_new(session: Session, origin: Origin, batches: Sequence[str]) -> None:
    if not origin.reference:
        return
    for each in all_investigations(read_events(session)).values():
        if (
            each.origin == origin.facts()
            and each.batches == tuple(batches)
            and each.state is not State.CLOSED
        ):
            raise StateError(f"{each.code} examines {origin.reference} already: it is {each.state}")


# Decisions --------------------------------------------------------------------------------------------------------


def decide(
    store: CaseStore, code: str, step: Step, decision: Decision, facts: Mapping[str, Any] | None = None
) -> Investigation:
    """Take a step of the table of states. Return the investigation; `sale.settle` changes its stops.

    `facts` of CONFIRM: details and risks. Raises UnknownCaseError, StateError, CaseConflictError, CaseInputError.
    """
    given = dict(facts or {})

    def check(found: Investigation) -> None:
        states.after(found.state, step)
        if step is Step.CONFIRM:
            _require_text("the details of the failure", str(given.get("details", "")))
            _require_text("the risks of the failure", str(given.get("risks", "")))
        else:
            _require_text("the reason", decision.reason)
        if step in (Step.REMEDY, Step.GIVE_UP):
            _require_results(found, step)

    return _record(store, code, step, decision, given, check)


def _require_results(found: Investigation, step: Step) -> None:
    """Raise StateError unless the record has the steps and their success (rule 3)."""
    unknown = [one.number for one in found.steps if one.is_successful is None]
    if unknown:
        raise StateError(
            f"it is not recorded whether step {unknown[0]} was successful: `firstboot failure result`"
        )
    if step is Step.REMEDY and not any(one.is_successful for one in found.steps):
        raise StateError("no successful step is recorded: `firstboot failure step`")
    if not found.steps:
        raise StateError("no step is recorded: `firstboot failure step`")


def add_evidence(store: CaseStore, code: str, text: str, decision: Decision) -> Investigation:
    """Record evidence. Return the investigation. Raises StateError if it is closed."""
    _require_text("the evidence", text)
    return _record(store, code, EVIDENCE, decision, {"text": text}, _require_open)


def add_step(
    store: CaseStore, code: str, text: str, is_successful: bool | None, decision: Decision
) -> Investigation:
    """Record a step that was taken to remedy the failure. Return the investigation."""
    _require_text("the step", text)

    def check(found: Investigation) -> None:
        _require_open(found)
        if sum(len(one.text) for one in found.steps) + len(text) > LONGEST_STEPS:
            raise CaseInputError(
                f"the steps of {code} would have more than {LONGEST_STEPS} characters together"
            )

    facts = {"text": text, "is_successful": is_successful}
    return _record(store, code, STEP_TAKEN, decision, facts, check)


def set_result(
    store: CaseStore, code: str, number: int, is_successful: bool, decision: Decision
) -> Investigation:
    """Record whether a step was successful. Return the investigation. Raises CaseInputError for an unknown step."""

    def check(found: Investigation) -> None:
        _require_open(found)
        if not 1 <= number <= len(found.steps):
            raise CaseInputError(f"{code} has {len(found.steps)} steps, and no step {number}")

    facts = {"step": number, "is_successful": is_successful}
    return _record(store, code, STEP_RESULT, decision, facts, check)


def recall(store: CaseStore, code: str, decision: Decision) -> Investigation:
    """Record that the units are called back. Return it. Raises StateError without a confirmed failure."""

    def check(found: Investigation) -> None:
        if not found.is_failure or found.state is State.CLOSED:
            raise StateError(f"{code} is {found.state}: only units with a confirmed failure are called back")
        if found.recalled_s is not None:
            raise StateError(f"the units of {code} are called back already")

    return _record(store, code, RECALL, decision, {}, check)


def record_authority(
    store: CaseStore, code: str, at_s: int, reference: str, decision: Decision
) -> Investigation:
    """Record that a person notified the enforcement authority in another way. Return the investigation."""

    def check(found: Investigation) -> None:
        if not found.is_failure:
            raise StateError(f"{code} is {found.state}: no failure is confirmed")
        if not found.informed_s <= at_s <= store.now():
            raise CaseInputError("the time of the notification is before the suspicion, or in the future")

    return _record(store, code, REPORTED, decision, {"at_s": at_s, "reference": reference}, check)


# Inside -----------------------------------------------------------------------------------------------------------


def _record(
    store: CaseStore,
    code: str,
    kind: str,
    decision: Decision,
    facts: Mapping[str, Any],
    check: Callable[[Investigation], None],
) -> Investigation:
    with store.writing() as session:
        found = read(session, code)
        if found.version != decision.version:
            raise CaseConflictError(code, found.version, decision.version)
        check(found)
        store.append(session, kind, {**facts, **decision.facts()}, case=code, expected=decision.version)
        return read(session, code)


def read(session: Session, code: str) -> Investigation:
    """Return one investigation inside a transaction. Raises UnknownCaseError."""
    if not is_investigation(code):
        raise UnknownCaseError(f"there is no investigation {code}")
    try:
        return fold(read_events(session, code))
    except UnknownCaseError:
        raise UnknownCaseError(f"there is no investigation {code}") from None


def _require_open(found: Investigation) -> None:
    if found.state is State.CLOSED:
        raise StateError(f"{found.code} is closed: reopen it first")


def _require_text(what: str, text: str) -> None:
    if not text.strip():
        raise CaseInputError(f"{what} is missing")
    if len(text) > LONGEST_TEXT:
        raise CaseInputError(f"{what} has more than {LONGEST_TEXT} characters")
    if not all(each.isprintable() or each in "\n\t" for each in text):
        raise CaseInputError(f"{what} has control or direction characters")
