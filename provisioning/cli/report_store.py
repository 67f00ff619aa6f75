"""`firstboot report init`, `promise`, `export`, `checkpoint`, `verify` and `set-clock`: the store itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.errors import InputError
from provisioning.cli.options import ByOption, FilesOption, JsonOption, ProductOption, ReasonOption
from provisioning.cli.output import print_report
from provisioning.cli.report_access import CasesOption, opened
from provisioning.cli.report_texts import case_document
from provisioning.disclosure import consistency, desk
from provisioning.disclosure.promise import DEFAULT_ZONE, Promise
from provisioning.disclosure.store import CaseStore
from provisioning.disclosure.working_days import read_calendar
from provisioning.file_system import paths_in, replace_file
from provisioning.product.product import load_product


def init(cases: CasesOption, files: FilesOption = None, is_json: JsonOption = False) -> None:
    """Create a case store. No other command creates one, so a mistyped name is an error and not a second store.

    Example: `firstboot report init --cases reports.db`
    """
    created = CaseStore.create(cases, files=files)
    created.close()
    key = str(created.database.location.key_path)
    lines = [
        f"Created the case store {cases}. Its key is {key}: back up both.",
        "Next: `firstboot report promise --product product.toml` records what you publish about your answers.",
    ]
    document = {"cases": cases, "store_id": created.database.registry_id.hex(), "key": key}
    print_report(lines, document, is_json)


def promise(
    cases: CasesOption,
    product: ProductOption,
    by: ByOption,
    calendar: Annotated[
        Path | None,
        typer.Option("--calendar", metavar="FILE", help="Public holidays as an iCalendar file (RFC 5545)."),
    ] = None,
    zone: Annotated[
        str, typer.Option("--time-zone", metavar="ZONE", help="The maker's time zone.")
    ] = DEFAULT_ZONE,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Record what the product definition publishes: when reporters get an acknowledgement and status updates.

    New cases get these times; earlier ones keep theirs. Run it again after each change of the definition or calendar.

    Example: `firstboot report promise --cases reports.db --product product.toml --calendar holidays.ics --by "E. E."`
    """
    definition = load_product(product)
    free = read_calendar(calendar) if calendar is not None else ()
    found = Promise.of(definition.contact, definition.manufacturer.name, zone, free)
    with opened(cases, files) as store:
        is_new = desk.record_promise(store, found, by)
    words = f"acknowledgement within {found.acknowledgement.in_words()}"
    words += f", status updates every {found.status_updates.in_words()}"
    lines = [f"{'Recorded' if is_new else 'Unchanged'}: {words}, {len(free)} holidays."]
    if not free:
        lines.append(
            "Without --calendar only weekends are free, so deadlines of working days may come early."
        )
    print_report(lines, {**found.facts(), "is_new": is_new}, is_json)


def export(
    cases: CasesOption,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="The file to write (JSON).")],
    with_embargoed: Annotated[
        bool, typer.Option("--with-embargoed", help="Include cases that are under embargo.")
    ] = False,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Write what happened in each case as JSON: times, decisions and hashes, no words and no address of a reporter.

    A case under embargo is left out, unless you ask for it.

    Example: `firstboot report export --cases reports.db --to cases.json`
    """
    with opened(cases, files) as store:
        found, now_s = desk.load_all(store), store.now()
    chosen = [case for case in found.values() if with_embargoed or not case.is_embargoed]
    document = [
        {
            **case_document(case, now_s),
            "events": [
                {"kind": each.kind, "time_s": each.time_s, "version": each.version, **each.facts}
                for each in case.events
            ],
        }
        for case in chosen
    ]
    replace_file(to, (json.dumps(document, indent=2) + "\n").encode())
    left_out = len(found) - len(chosen)
    lines = [f"wrote {len(chosen)} cases to {to}; {left_out} under embargo are left out"]
    print_report(lines, {"file": str(to), "cases": len(chosen), "left_out": left_out}, is_json)


def checkpoint(
    cases: CasesOption,
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="Folder for the checkpoint; keep it elsewhere.")
    ],
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Sign the state of the log. Keep the file elsewhere: it shows later that nothing was cut off or changed.

    Example: `firstboot report checkpoint --cases reports.db --to checkpoints`
    """
    with opened(cases, files) as store:
        text = store.checkpoint()
    number = json.loads(text)["checkpoint"]["number"]
    to.mkdir(parents=True, exist_ok=True)
    path = to / f"reports-checkpoint-{number:06}.json"
    replace_file(path, (text + "\n").encode())
    print_report([f"checkpoint {number}: {path}"], {"number": number, "file": str(path)}, is_json)


def verify_store(
    cases: CasesOption,
    checkpoints: Annotated[
        Path | None,
        typer.Option("--checkpoints", metavar="DIR", help="Folder with checkpoints kept elsewhere."),
    ] = None,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Check the log: chain, signatures, checkpoints, and the tables against it.

    Example: `firstboot report verify --cases reports.db --checkpoints checkpoints`
    """
    exported: list[str] = []
    if checkpoints is not None:
        paths = paths_in(checkpoints, "reports-checkpoint-*.json")
        if not paths:
            raise InputError(f"--checkpoints: {checkpoints} has no checkpoint.")
        exported = [path.read_text(encoding="utf-8").strip() for path in paths]
    with opened(cases, files) as store:
        report = consistency.verify(store, exported)
    events = sum(report.chains.values())
    lines = [f"the log is valid: {events} events, {report.checkpoints} checkpoints"]
    document = {"events": events, "checkpoints": report.checkpoints, "signers": list(report.signers)}
    print_report(lines, document, is_json)


def set_clock(
    cases: CasesOption,
    by: ByOption,
    reason: ReasonOption,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Record that the clock was wrong in earlier events, so that the log continues with the present time.

    Example: `firstboot report set-clock --cases reports.db --by "E. Example" --reason "the year was 2062"`
    """
    with opened(cases, files) as store:
        desk.record_clock(store, by, reason)
        now_s = store.now()
    print_report(["recorded"], {"now_s": now_s}, is_json)
