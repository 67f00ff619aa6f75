"""`firstboot registry join`, `lease`, `sync` and the sync by files: stations that work without the main registry."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.addresses import parse_key_id
from provisioning.cli.errors import RefusedError
from provisioning.cli.one_line import one_line
from provisioning.cli.options import FilesOption, JsonOption, MainOption, RegistryOption
from provisioning.cli.output import print_report
from provisioning.cli.registry_access import opened
from provisioning.cli.signing_time import IN_RECORDS, warn_of_clock
from provisioning.counted import counted
from provisioning.file_system import PRIVATE, create_file
from provisioning.registry import branches, sync_file
from provisioning.registry.errors import RegistryError

KeyOption = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="KEYID",
        help="Key id of the other side (16 hex digits). Give it the first time, after comparing it.",
    ),
]


def join(
    main: MainOption,
    branch: Annotated[Path, typer.Option("--branch", metavar="FILE", help="New SQLite file for the branch.")],
    name: Annotated[
        str,
        typer.Option(
            "--name", callback=one_line("branch"), help="The branch's name, for example the station's."
        ),
    ],
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Make a branch: a registry for a station that works without a connection to the main registry.

    Example: `firstboot registry join --main registry.db --branch line1.db --name line1`
    """
    warn_of_clock(IN_RECORDS)
    with opened(main, files) as source:
        made = branches.join(source, branch, name)
        made.close()
    lines = [f"{branch} is branch {name}. Next: give it serial numbers with `firstboot registry lease`"]
    document = {"branch": str(branch), "name": name, "registry_id": made.registry_id.hex()}
    print_report(lines, document, is_json)


def lease(
    main: MainOption,
    prefix: Annotated[str, typer.Option("--prefix", help="Prefix of the serial numbers.")],
    count: Annotated[int, typer.Option("--count", help="How many numbers.")],
    branch: Annotated[
        str | None,
        typer.Option("--branch", metavar="FILE", help="The branch's SQLite file, if it is at hand."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="NAME",
            callback=one_line("branch"),
            help="The branch's name: its next answer contains the numbers.",
        ),
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option("--batch", help="The batch of the numbers: its definition is copied to the branch too."),
    ] = None,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Lease a range of serial numbers to a branch. Only that branch uses them.

    Example: `firstboot registry lease --main registry.db --branch line1.db --prefix FB1- --count 500 --batch B1`
    """
    warn_of_clock(IN_RECORDS)
    if (branch is None) == (name is None):
        raise RegistryError("name the branch: either --branch FILE or --for NAME")
    with opened(main, files) as source:
        if branch is None:
            first, last = branches.lease_by_name(source, name or "", prefix, count, batch)
        else:
            with opened(branch, None) as other:
                first, last = branches.lease(source, other, prefix, count, batch)
    serials = [f"{prefix}{number:06d}" for number in (first, last)]
    lines = [f"numbers {serials[0]} to {serials[1]} belong to the branch"]
    print_report(lines, {"first": serials[0], "last": serials[1], "count": last - first + 1}, is_json)


def sync(
    main: MainOption,
    branch: Annotated[str, typer.Option("--branch", metavar="FILE", help="The branch's SQLite file.")],
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Merge a branch into the main registry. Conflicting units are quarantined and reported.

    Example: `firstboot registry sync --main registry.db --branch line1.db`
    """
    warn_of_clock(IN_RECORDS)
    with opened(main, files) as source, opened(branch, None) as other:
        report = branches.sync(source, other)
    _report(report, [], {}, is_json)


def _report(report: branches.SyncReport, lines: list[str], document: dict[str, str], is_json: bool) -> None:
    """Print the result of a sync after `lines`. Raises RefusedError if it found incidents."""
    counts = f"{report.units} new units, {report.records} new production records"
    found = {
        "new_units": report.units,
        "new_records": report.records,
        "incidents": list(report.incidents),
    }
    print_report([*lines, counts], document | found, is_json)
    if report.incidents:
        raise RefusedError(list(report.incidents))


def export_sync(
    registry: RegistryOption,
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE", help="New file. Carry it to the main registry.")
    ],
    is_json: JsonOption = False,
) -> None:
    """At a station without a connection: write everything for the main registry into one signed file.

    Example: `firstboot registry export-sync --registry line1.db --to /media/line1.sync`
    """
    with opened(registry, None) as source:
        _require_new(to)
        _write(to, sync_file.export(source))
        signer = source.signer.key_id.hex()
    lines = [f"Wrote {to}, signed by {signer}. Next, at the main registry: `firstboot registry import-sync`"]
    print_report(lines, {"file": str(to), "signed_by": signer}, is_json)


def import_sync(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File made by `export-sync`.")],
    main: MainOption,
    answer: Annotated[
        Path, typer.Option("--answer", metavar="FILE", help="New file. Carry it back to the station.")
    ],
    key: KeyOption = None,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """At the main registry: merge a station's file as `sync` would, and write the answer for the station.

    Example: `firstboot registry import-sync /media/line1.sync --main registry.db --answer /media/line1.answer`
    """
    with opened(main, files) as source:
        _require_new(answer)
        report, text = sync_file.take_in(source, _read(file), _key(key))
        _write(answer, text)
        signer = source.signer.key_id.hex()
    line = f"Wrote {answer}, signed by {signer}. Next, at the station: `firstboot registry finish-sync`"
    _report(report, [line], {"answer": str(answer), "signed_by": signer}, is_json)


def finish_sync(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The answer made by `import-sync`.")],
    registry: RegistryOption,
    key: KeyOption = None,
    is_json: JsonOption = False,
) -> None:
    """At the station: stop the units that the main registry stopped, and add the serial numbers that it leased.

    Example: `firstboot registry finish-sync /media/line1.answer --registry line1.db`
    """
    with opened(registry, None) as source:
        stopped, ranges = sync_file.finish(source, _read(file), _key(key))
    lines = [
        f"{counted(stopped, 'unit')} stopped, {counted(ranges, 'new range', 'new ranges')} of serial numbers"
    ]
    print_report(lines, {"stopped_units": stopped, "new_ranges": ranges}, is_json)


def _key(text: str | None) -> bytes | None:
    return None if text is None else parse_key_id(text)


def _read(path: Path) -> str:
    if path.stat().st_size > sync_file.LARGEST_BYTES:
        raise RegistryError(f"{path.name} is larger than {sync_file.LARGEST_BYTES >> 20} MiB")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise RegistryError(f"{path.name} is not a sync file of a registry") from None


def _write(path: Path, text: str) -> None:
    create_file(path, text.encode(), mode=PRIVATE)


def _require_new(path: Path) -> None:
    if path.exists():
        raise RegistryError(f"{path} exists already and is not replaced; name a new file")
