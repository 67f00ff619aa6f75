"""`firstboot failure list`, `show`, `record`, `due` and `lift`: what is known, what is missing, what is to be done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli import registry_access
from provisioning.cli.errors import RefusedError
from provisioning.cli.failure_access import FailureArgument, document_of, line_of
from provisioning.cli.options import ByOption, FilesOption, JsonOption, MainRegistryOption, ReasonOption
from provisioning.cli.output import print_report
from provisioning.cli.report_access import CasesOption, opened
from provisioning.failures import desk, sale
from provisioning.failures.investigation import Investigation
from provisioning.failures.notify import undelivered
from provisioning.failures.record import missing, record_of, text_of
from provisioning.failures.states import State
from provisioning.file_system import replace_file


def list_failures(cases: CasesOption, files: FilesOption = None, is_json: JsonOption = False) -> None:
    """List every investigation with its state and its batches.

    Example: `firstboot failure list --cases reports.db`
    """
    with opened(cases, files) as store:
        found = desk.load_all(store)
    lines = [line_of(each) for each in found.values()]
    print_report(
        lines or ["there is no investigation"], [document_of(each) for each in found.values()], is_json
    )


def show(
    number: FailureArgument, cases: CasesOption, files: FilesOption = None, is_json: JsonOption = False
) -> None:
    """Show an investigation: suspicion, evidence, result, steps, notices, and what its record does not have yet.

    Example: `firstboot failure show CF-2026-0001 --cases reports.db`
    """
    with opened(cases, files) as store:
        record_facts = record_of(store, desk.load(store, number))
    document = {name: value for name, value in record_facts.items() if name != "log"}
    print_report(text_of(record_facts).splitlines(), document, is_json)


def record(
    number: FailureArgument,
    cases: CasesOption,
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="Folder for the record, as text and as JSON.")
    ],
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Write the record of section 12 with its part of the signed log. Keep it until the day that it names.

    Ends with exit code 1 if the record does not have everything yet.

    Example: `firstboot failure record CF-2026-0001 --cases reports.db --to records`
    """
    with opened(cases, files) as store:
        facts = record_of(store, desk.load(store, number))
    to.mkdir(parents=True, exist_ok=True)
    written = {f"{number}.json": json.dumps(facts, indent=2) + "\n", f"{number}.txt": text_of(facts)}
    for name, text in written.items():
        replace_file(to / name, text.encode())
    lines = [f"wrote {number}.json and {number}.txt into {to}; keep them until {facts['keep_until']}"]
    document = {"number": number, "keep_until": facts["keep_until"], "missing": facts["missing"]}
    print_report(lines, document, is_json)
    if facts["missing"]:
        raise RefusedError([f"the record does not have {each} yet" for each in facts["missing"]])


def due(
    cases: CasesOption,
    registry: MainRegistryOption,
    files: FilesOption = None,
    registry_files: Annotated[
        Path | None,
        typer.Option(
            "--registry-files", metavar="DIR", help="Folder of the registry's key files, for PostgreSQL."
        ),
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """List what is to be done: results, notices, records. The Act has no hours here: it asks for "as soon as possible".

    Also sets a missing stop of a batch again. Ends with exit code 1 if there is anything, so that cron sends it to you.

    Example: `firstboot failure due --cases reports.db --registry registry.db`
    """
    with (
        opened(cases, files) as store,
        registry_access.opened(registry, registry_files) as records,
    ):
        settled = sale.settle(store, records, by="firstboot failure due")
        items = [item for each in desk.load_all(store).values() for item in _items(each)]
    items += [
        {"number": code, "what": "the registry has its stop and the log does not have it"}
        for code in settled.unknown
    ]
    lines = [f"{item['number']}  {item['what']}" for item in items]
    print_report(lines or ["nothing is due"], {"due": items}, is_json)
    if items:
        raise RefusedError([f"{len(items)} to be done"])


def _items(found: Investigation) -> list[dict[str, str]]:
    words = [f"the record does not have {each} yet" for each in missing(found)]
    if found.is_failure and not found.notices:
        words.append("nobody is notified: `firstboot failure notify`")
    if found.is_failure and found.authority_notified_s() is None:
        words.append("the enforcement authority is not notified")
    words += [f"the notice to {party} is not delivered" for party in undelivered(found)]
    if found.state in (State.NO_FAILURE, State.REMEDIED):
        words.append(f"it is {found.state}: close it, then its batches may ship")
    return [{"number": found.code, "what": each} for each in words]


def lift(
    number: FailureArgument,
    cases: CasesOption,
    registry: MainRegistryOption,
    by: ByOption,
    reason: ReasonOption,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Lift the stops of an investigation that the log does not have, for instance after a restored case store.

    The stops of an investigation that the log has end with `firstboot failure close`, and in no other way.

    Example: `firstboot failure lift CF-2026-0001 --cases reports.db --registry registry.db --by "E. E." --reason lost`
    """
    with opened(cases, files) as store, registry_access.opened(registry, files) as records:
        lifted = sale.lift_unknown(store, records, number, by=by, reason=reason)
    lines = [f"may ship again: {batch or 'every batch of the model'}" for batch in lifted]
    print_report(lines, {"number": number, "lifted": lifted}, is_json)
