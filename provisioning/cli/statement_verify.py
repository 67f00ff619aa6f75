"""`firstboot statement verify`: check a unit by its serial number, as an importer or a shop does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.compliance_inputs import opened_if_given, today_utc, trusted_keys
from provisioning.cli.errors import RefusedError
from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_report
from provisioning.cli.settings import with_settings
from provisioning.compliance.check import Delivery, answer_facts, check_serial


@dataclass(frozen=True, kw_only=True)
class VerifySettings:
    """The options of `statement verify`: the serial number, the documents of the delivery, and the keys to trust."""

    serial: Annotated[str, typer.Argument(metavar="SERIAL", help="The serial number on the unit's label.")]
    site: Annotated[
        Path, typer.Option("--site", metavar="DIR", help="Copy of the manufacturer's published site.")
    ]
    packing: Annotated[
        Path,
        typer.Option("--packing", metavar="FILE", help="The packing list that came with the delivery."),
    ]
    trust: Annotated[
        list[Path],
        typer.Option(
            "--trust",
            metavar="FILE",
            help="Public key of the signatory. Compare it once with the manufacturer.",
        ),
    ]
    station: Annotated[
        list[Path],
        typer.Option(
            "--station",
            metavar="FILE",
            help="Public key of the station that shipped the unit. Compare it once with the manufacturer.",
        ),
    ]
    registry: Annotated[
        Path | None,
        typer.Option(
            "--registry",
            metavar="FILE",
            help="The maker's registry, instead of the site's list of withdrawn units.",
        ),
    ] = None
    device_sha256: Annotated[
        str | None,
        typer.Option(
            "--device-sha256",
            metavar="HEX",
            help="The `statement_sha256` that the unit shows at /public.json. It must be that of the statement.",
        ),
    ] = None
    is_json: JsonOption = False


@with_settings(VerifySettings, "statement.verify")
def verify(settings: VerifySettings) -> None:
    """Check a unit by its serial number: packing line, statement, files, support period, contact, withdrawal.

    Example: `firstboot statement verify FB1-000001 --site site --packing packing.jsonl --trust erika.pub --station
    packing.station.pub`
    """
    with opened_if_given(settings.registry) as known:
        delivery = Delivery(
            settings.site,
            settings.packing,
            trusted_keys(settings.trust),
            today_utc(),
            trusted_keys(settings.station),
            known,
        )
        answers = check_serial(settings.serial, delivery, settings.device_sha256)
    lines = [f"{'ok ' if one.is_yes else 'NO '} {one.question}: {one.sentence}" for one in answers]
    print_report(lines, answer_facts(settings.serial, answers), settings.is_json)
    failed = sum(not answer.is_yes for answer in answers)
    if failed:
        raise RefusedError([f"{failed} of {len(answers)} checks failed"])
