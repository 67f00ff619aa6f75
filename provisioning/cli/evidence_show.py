"""`firstboot evidence show` and `verify`: read an evidence folder, and check that its rows follow from its results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from provisioning.cli.compliance_inputs import today_utc, trusted_keys
from provisioning.cli.errors import InputError
from provisioning.cli.evidence_build import summary_facts, summary_lines
from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_report
from provisioning.compliance.check_outcomes import OUTCOMES
from provisioning.compliance.evidence_run import signed_image
from provisioning.evidence.envelope import ENVELOPE_BYTES
from provisioning.evidence.folder import SIGNED, read_evidence, verify_folder
from provisioning.evidence.runs import read_file

FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The evidence folder.")]
RunnersOption = Annotated[
    list[Path],
    typer.Option("--runner", metavar="FILE", help="Public key of a test runner that you trust."),
]


def show(
    folder: FolderArgument,
    runner: RunnersOption,
    requirement: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="One requirement, with its tests."),
    ] = None,
    outcome: Annotated[
        str | None,
        typer.Option(
            "--outcome",
            metavar="OUTCOME",
            help="Only rows that are: pass, fail, not run, not applicable.",
        ),
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Show the rows of an evidence folder: requirement, outcome, grounds, and what is not shown.

    Example: `firstboot evidence show evidence --runner runner.pub --id PW-01`
    """
    if outcome not in (None, *OUTCOMES):
        raise InputError(f"--outcome {outcome}: it must be one of {', '.join(OUTCOMES)}.")
    found = read_evidence(
        read_file(folder / SIGNED, ENVELOPE_BYTES), trusted_keys(runner), str(folder / SIGNED)
    )
    rows = [row for row in found.rows(outcome or "") if requirement in (None, row["id"])]
    if requirement is not None and not rows:
        raise InputError(f"--id {requirement}: the evidence has no such requirement.")
    lines = [line for row in rows for line in _lines(row, is_whole=requirement is not None)]
    print_report(lines, rows, is_json)


def _lines(row: dict[str, Any], *, is_whole: bool) -> list[str]:
    lines = [f"{row['id']}  {row['outcome']:15}{row['detail']}"]
    if is_whole:
        lines += [f"  {row['source']}: {row['text']}", f"  code: {', '.join(row['code']) or 'none'}"]
        lines += [
            f"  {one['outcome']:8} {one['test']} on {one['target'] or 'nothing'} {one['log']} {one['words']}".rstrip()
            for one in row["tests"]
        ]
        lines.append(f"  statement: {row['sentence'] or 'it says nothing about this'}")
    return lines + [f"  not shown: {text}" for text in row["not_shown"]]


def verify(
    folder: FolderArgument,
    runner: RunnersOption,
    image: Annotated[
        Path | None,
        typer.Option("--image", metavar="FILE", help="The signed image that the evidence must be about."),
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Check an evidence folder: signatures, every file, age, and that the rows follow from the results in it.

    Example: `firstboot evidence verify evidence --runner runner.pub --image 12.img`
    """
    digest = None if image is None else signed_image(image.read_bytes(), str(image)).digest.hex()
    found = verify_folder(folder, trusted_keys(runner), today_utc(), digest)
    print_report(summary_lines(found, folder), summary_facts(found), is_json)
