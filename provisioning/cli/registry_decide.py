"""`firstboot registry close-batch`, `ship-batch`, `incidents`, `settle`, `withdraw` and `decisions`.

A person decides about a batch or a unit, and the registry keeps the decision.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

from provisioning.cli.errors import RefusedError
from provisioning.cli.options import (
    BatchOption,
    ByOption,
    FilesOption,
    JsonOption,
    ReasonOption,
    RegistryOption,
    SerialArgument,
)
from provisioning.cli.output import print_report
from provisioning.cli.registry_access import opened
from provisioning.cli.signing_time import IN_RECORDS, warn_of_clock
from provisioning.counted import counted
from provisioning.registry import branches
from provisioning.registry import decisions as recorded


def close_batch(
    registry: RegistryOption, batch: BatchOption, files: FilesOption = None, is_json: JsonOption = False
) -> None:
    """Close a batch permanently: no new unit starts in it, and its number is not used again (PR-06).

    Example: `firstboot registry close-batch --registry registry.db --batch B1`
    """
    warn_of_clock(IN_RECORDS)
    with opened(registry, files) as source:
        source.close_batch(batch)
    print_report([f"batch {batch} is closed"], {"batch": batch, "is_closed": True}, is_json)


def ship_batch(
    registry: RegistryOption, batch: BatchOption, files: FilesOption = None, is_json: JsonOption = False
) -> None:
    """Mark a batch as shipped, or print every reason against it.

    Example: `firstboot registry ship-batch --registry registry.db --batch B1`
    """
    warn_of_clock(IN_RECORDS)
    with opened(registry, files) as source:
        problems = branches.ship_problems(source, batch)
        if not problems:
            branches.ship_batch(source, batch)
    document = {"batch": batch, "is_shipped": not problems, "problems": problems}
    print_report([] if problems else [f"batch {batch} has shipped"], document, is_json)
    if problems:
        raise RefusedError(problems)


def incidents(registry: RegistryOption, files: FilesOption = None, is_json: JsonOption = False) -> None:
    """List unresolved incidents. Ends with exit code 1 if there are any.

    Example: `firstboot registry incidents --registry registry.db`
    """
    with opened(registry, files) as source:
        found = branches.incidents(source)
    document = [{"id": one.id, "batch": one.batch, "kind": one.kind, "text": one.text} for one in found]
    lines = [f"{one.id}  batch {one.batch or '-'}  {one.kind}: {one.text}" for one in found]
    print_report(lines or ["no open incident"], document, is_json)
    if found:
        raise RefusedError([f"{len(found)} unresolved. Next: `firstboot registry settle NUMBER`"])


def settle(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="The incident's number.")],
    registry: RegistryOption,
    by: ByOption,
    reason: ReasonOption,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Record who resolved an incident, and how.

    Example: `firstboot registry settle 3 --registry registry.db --by "E. Example" --reason "label destroyed"`
    """
    warn_of_clock(IN_RECORDS)
    with opened(registry, files) as source:
        branches.settle(source, number, by=by, reason=reason)
    print_report([f"incident {number} is settled"], {"incident": number, "is_settled": True}, is_json)


def withdraw(
    serial: SerialArgument,
    registry: RegistryOption,
    by: ByOption,
    reason: ReasonOption,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Withdraw a unit. It loses its access to the servers with your next `registry export acl` and `export secrets`.

    Example: `firstboot registry withdraw FB1-000001 --registry registry.db --by "E. Example" --reason stolen`
    """
    warn_of_clock(IN_RECORDS)
    with opened(registry, files) as source:
        device_id = source.withdraw(serial, by=by, reason=reason).device_id.hex()
    lines = [
        f"unit {serial} ({device_id}) is withdrawn",
        "Next: `firstboot registry export acl` for the broker and `export secrets` for the CoAP server",
    ]
    print_report(lines, {"serial": serial, "device_id": device_id, "is_withdrawn": True}, is_json)


def decisions(registry: RegistryOption, is_json: JsonOption = False, files: FilesOption = None) -> None:
    """List what people and checks decided: who, what, why and when. Each line is a signed record.

    Example: `firstboot registry decisions --registry registry.db --json`
    """
    with opened(registry, files) as source:
        found = recorded.decisions(source)
    document = [{**each.facts, "chain": each.chain, "number": each.number} for each in found]
    print_report([_line(each) for each in found], document, is_json)


def _line(decision: recorded.Decision) -> str:
    when = dt.datetime.fromtimestamp(decision.time_s, dt.UTC).isoformat(timespec="seconds")
    subject = decision.facts.get("serial") or _subject(decision)
    return f"{when}  {decision.kind:12}{subject}  {_reason(decision)}"


def _subject(decision: recorded.Decision) -> str:
    if decision.kind == recorded.CONSIGNEE:
        return f"consignee {decision.facts['consignee']}"
    return (
        f"batch {decision.facts.get('batch')}" if decision.facts.get("batch") else "every batch of the model"
    )


def _reason(decision: recorded.Decision) -> str:
    if decision.kind == recorded.CHECK_BATCH:
        return f"{counted(len(decision.facts['codes']), 'code')}, {counted(len(decision.facts['findings']), 'finding')}"
    return f"{decision.facts['by']}: {decision.facts['reason']}"
