"""The words of the notices of s. 11 of the Act: details, risks, steps and their success, and the authority's knowledge.

Rules:
1. A notice has what s. 11(6) asks for: (a) details, (b) known risks, (c) steps and whether they were successful. To a
   manufacturer, importer or distributor it also says whether the authority was notified (s. 11(7)).
2. It never claims more than the log has: an authority counts as notified when a server accepted the notice, or when a
   person recorded it.
3. What a receiver has to do is quoted from the Act by section, and nothing is added to it.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from provisioning.failures.investigation import AUTHORITY, Investigation
from provisioning.failures.parties import MANUFACTURER, Party
from provisioning.failures.states import State
from provisioning.registry.consignees import CUSTOMER, DISTRIBUTOR, IMPORTER
from provisioning.registry.stops import EVERY_BATCH

FIRST: Final = "notice"
RESULT: Final = "result"
MOST_SERIALS: Final = 50
ENDED: Final = (State.REMEDIED, State.NOT_REMEDIED)


def purpose_of(found: Investigation) -> str:
    """Return the purpose of the notice that is due now: the failure itself, or how it ended. By confirmed failure."""
    is_ended = found.state in ENDED or (found.state is State.CLOSED and found.is_failure)
    return f"failure {found.failures} {RESULT if is_ended else FIRST}"


def subject(found: Investigation) -> str:
    """Return the subject: the number and a fixed phrase."""
    ended = purpose_of(found).endswith(RESULT)
    words = "Result: compliance failure of a product" if ended else "Compliance failure of a product"
    return f"[{found.code}] {words}"


def text(found: Investigation, party: Party, maker: str) -> str:
    """Return the notice to one party as plain text."""
    parts = [
        f"To: {', '.join(part for part in (party.name, party.address) if part)}",
        "Hello,",
        f"{maker} notifies you under section 11 of the Product Security and Telecommunications Infrastructure Act 2022"
        " of a compliance failure of a product.",
        f"Product: {found.model}\n{_batches(found)}",
        f"Details of the failure:\n{found.failure['details']}",
        f"Risks that we know of:\n{found.failure['risks']}",
        f"Steps that we took to remedy it:\n{_steps(found)}",
        _supplied(party),
        _recalled(found, party),
        "" if party.role in (AUTHORITY, CUSTOMER) else _authority(found),
        _DUTIES.get(party.role, ""),
        f"Our reference: {found.code}\n{maker}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def document(found: Investigation, party: Party, maker: str) -> dict[str, Any]:
    """Return the notice as plain values, for programs."""
    notified = found.authority_notified_s()
    return {
        "reference": found.code,
        "manufacturer": maker,
        "to": {"role": party.role, "name": party.name, "address": party.address},
        "is_required_by_s11": party.is_required,
        "product": found.model,
        "batches": None if found.batches == (EVERY_BATCH,) else list(found.batches),
        "serials": list(party.serials),
        "details": found.failure["details"],
        "risks": found.failure["risks"],
        "steps": [
            {"step": one.text, "taken": _day(one.time_s), "is_successful": one.is_successful}
            for one in found.steps
        ],
        "is_recalled": found.recalled_s is not None,
        "authority_notified": None if notified is None else _day(notified),
    }


def _day(time_s: int) -> str:
    return dt.datetime.fromtimestamp(time_s, dt.UTC).date().isoformat()


def _batches(found: Investigation) -> str:
    if found.batches == (EVERY_BATCH,):
        return "Batches: all"
    return f"{'Batch' if len(found.batches) == 1 else 'Batches'}: {', '.join(found.batches)}"


_SUCCESS: Final = {True: "successful", False: "not successful", None: "success not known yet"}


def _steps(found: Investigation) -> str:
    lines = [f"- {_day(one.time_s)}: {one.text} ({_SUCCESS[one.is_successful]})" for one in found.steps]
    return "\n".join(lines) or "None yet."


def _supplied(party: Party) -> str:
    if not party.serials:
        return ""
    shown = ", ".join(party.serials[:MOST_SERIALS])
    left = len(party.serials) - MOST_SERIALS
    more = f" and {left} more; ask us for the whole list" if left > 0 else ""
    count = len(party.serials)
    return f"We supplied {count} {'unit' if count == 1 else 'units'} to you: {shown}{more}."


def _recalled(found: Investigation, party: Party) -> str:
    if found.recalled_s is None:
        return ""
    whom = "you" if party.serials else "everybody who has them"
    return f"We call these units back: since {_day(found.recalled_s)} we ask {whom} to return them to us."


def _authority(found: Investigation) -> str:
    notified = found.authority_notified_s()
    if notified is not None:
        return f"We notified the enforcement authority on {_day(notified)}."
    return "When this notice was written, we had not notified the enforcement authority yet."


_DUTIES: Final = {
    IMPORTER: "As an importer, you may not make the product available in the United Kingdom while you know or believe"
    " that there is a compliance failure (section 16). Sections 17, 19 and 20 have your other duties: to investigate,"
    " to stop supply if it is unlikely that we remedy the failure, to notify, and to keep records for ten years.",
    DISTRIBUTOR: "As a distributor, you may not make the product available in the United Kingdom while you know or"
    " believe that there is a compliance failure (section 23). Section 25 has your other duties.",
    MANUFACTURER: "As a manufacturer of the product, you have duties of your own under sections 10 to 12.",
}
