"""`firstboot kit check` and `keep`: use a kit, as an importer or a distributor does."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from provisioning.cli.compliance_inputs import today_utc, trusted_keys
from provisioning.cli.errors import InputError, RefusedError
from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_report
from provisioning.compliance.archive import Archive
from provisioning.counted import counted
from provisioning.file_system import is_there
from provisioning.kit import answers
from provisioning.kit.check import Found, check_delivery, check_statements
from provisioning.kit.delivery import Listed, read_delivery, read_delivery_file
from provisioning.kit.duties import CONDITION, duties_of, keeping_words
from provisioning.kit.retention import keep_statements
from provisioning.kit.signed import SIGNED, Kit, open_kit

KitArgument = Annotated[Path, typer.Argument(metavar="KIT", help="The folder of the kit.")]
StationOption = Annotated[
    list[Path],
    typer.Option(
        "--station",
        metavar="FILE",
        help="Public key of the station that shipped the units. Compare it once with the manufacturer.",
    ),
]
TrustOption = Annotated[
    list[Path],
    typer.Option(
        "--trust",
        metavar="FILE",
        help="Public key of the signatory of the statements. Compare it once with the manufacturer.",
    ),
]


def check(
    kit: KitArgument,
    station: StationOption,
    trust: TrustOption,
    serials: Annotated[
        list[str] | None, typer.Argument(metavar="[SERIAL]...", help="Serial numbers on the labels.")
    ] = None,
    listed: Annotated[
        Path | None,
        typer.Option(
            "--list", metavar="FILE", help="The delivery: one serial number a line, or a packing list."
        ),
    ] = None,
    duties: Annotated[
        bool, typer.Option("--duties", help="Also print what the Act asks of the kit's consignee.")
    ] = False,
    is_json: JsonOption = False,
) -> None:
    """Check units or a whole delivery with a kit: statement, batch, support period, label, recall. Needs no network.

    Without serial numbers and without `--list` it checks only the kit. Ends with exit code 1 if a unit is not in order.

    Example: `firstboot kit check kit --list serials.txt --station station.pub --trust signatory.pub`
    """
    if serials and listed is not None:
        raise InputError("Give serial numbers or --list, not both.")
    delivery = _delivery(serials or [], listed)
    found = _trusted_kit(kit, station, trust)
    checked = check_delivery(found, delivery, today_utc())
    _report(found, checked, is_with_duties=duties, is_json=is_json)
    wrong = sum(not each.is_in_order for each in checked)
    if wrong:
        raise RefusedError([f"not in order: {wrong} of {counted(len(checked), 'unit')}"])


def _delivery(serials: list[str], listed: Path | None) -> list[Listed]:
    if listed is None:
        return read_delivery("\n".join(serials).encode()) if serials else []
    return read_delivery_file(listed)


def _trusted_kit(folder: Path, station: list[Path], trust: list[Path]) -> Kit:
    """Return the kit, checked with its statements. Raises InputError, KitError, OSError."""
    if not is_there(folder / SIGNED):
        raise InputError(f"There is no kit in {folder}: it has no {SIGNED}.")
    found = open_kit(folder, trusted_keys(station))
    check_statements(found, trusted_keys(trust))
    return found


def _report(kit: Kit, checked: list[Found], *, is_with_duties: bool, is_json: bool) -> None:
    content, today = kit.content, today_utc()
    is_current = content.issued <= today <= content.valid_until
    lines = [
        f"Kit of {content.maker} for {content.name} ({content.role}) of {content.issued},"
        f" {counted(len(content.units), 'unit')}; the signatures are valid. It counts until {content.valid_until}."
    ]
    if not is_current:
        lines.append("It does not count today: check the clock, or get a new kit.")
    for each in checked:
        mark, first = "ok " if each.is_in_order else "NO ", answers.title(each.results[0])
        lines += [f"{mark} {each.serial}: {first}. {each.sentences[0]}"]
        lines += [f"       also: {sentence}" for sentence in each.sentences[1:]]
    lines.append(f"Report security issues to {content.report}; the policy is {content.policy}.")
    listed = duties_of(content.role) if is_with_duties else ()
    if is_with_duties:
        lines += [CONDITION] if listed else ["The Act has no duties for a customer."]
        lines += [f"  {each.source}: {each.sentence}" for each in listed]
    document: dict[str, Any] = {
        "consignee": content.consignee,
        "role": content.role,
        "issued": content.issued.isoformat(),
        "valid_until": content.valid_until.isoformat(),
        "is_current": is_current,
        "report": content.report,
        "policy": content.policy,
        "results": dict(Counter(each.results[0] for each in checked)),
        "units": [each.facts() for each in checked],
        "duties": [
            {"source": each.source, "sentence": each.sentence, "requirement": each.requirement or None}
            for each in listed
        ],
    }
    print_report(lines, document, is_json)


def keep(
    kit: KitArgument,
    to: Annotated[
        Path,
        typer.Option("--to", metavar="DIR", help="Your archive of statements. Made if it does not exist."),
    ],
    station: StationOption,
    trust: TrustOption,
    is_json: JsonOption = False,
) -> None:
    """Keep the statements of a kit in an archive of your own, each with the day until which it has to be kept.

    The day is ten years after the issue of the statement, or the end of its support period, whichever is later.
    `firstboot statement list` checks the archive later, and `firstboot statement dispose` refuses to delete before it.

    Example: `firstboot kit keep kit --to kept --station station.pub --trust signatory.pub`
    """
    found = _trusted_kit(kit, station, trust)
    kept = keep_statements(found, Archive(to), trusted_keys(trust))
    lines = [
        f"{each.id}: {'kept' if each.is_new else 'was kept before'}, until {each.until}" for each in kept
    ]
    document = [{"id": each.id, "keep_until": each.until.isoformat(), "is_new": each.is_new} for each in kept]
    print_report([*lines, keeping_words(found.content.role)], document, is_json)
