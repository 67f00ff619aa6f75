"""`firstboot station ship`: the check between a finished unit and the market."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.compliance_inputs import existing_archive, open_points, today_utc
from provisioning.cli.errors import InputError, RefusedError
from provisioning.cli.options import ArchiveOption, FilesOption, JsonOption, MainRegistryOption
from provisioning.cli.output import print_json, print_report
from provisioning.cli.registry_access import opened
from provisioning.cli.settings import with_settings
from provisioning.cli.signing_time import IN_RECORDS, warn_of_clock
from provisioning.compliance.faults import ship_faults
from provisioning.compliance.gate import Gate, ShipError
from provisioning.compliance.ledger import Ledger
from provisioning.compliance.withdrawals import sign_list
from provisioning.counted import counted
from provisioning.file_system import replace_file
from provisioning.keys.key_ring import KeyRing
from provisioning.keys.public_keys import public_pem
from provisioning.registry.consignees import consignee


@dataclass(frozen=True, kw_only=True)
class ShipSettings:
    """The options of `station ship`: a unit or a batch, and the records that it is checked against."""

    registry: MainRegistryOption
    archive: ArchiveOption
    register: Annotated[
        Path, typer.Option("--register", metavar="FILE", help="The published support register (JSON lines).")
    ]
    packing: Annotated[
        Path,
        typer.Option(
            "--packing", metavar="FILE", help="The packing list (JSON lines). Each shipped unit adds a line."
        ),
    ]
    keys: Annotated[
        Path,
        typer.Option("--keys", metavar="DIR", help="Folder with the maker's keys that units trust."),
    ]
    consignee: Annotated[
        str,
        typer.Option(
            "--consignee",
            metavar="ID",
            help="The party that gets the units, as `firstboot registry consignee` recorded it.",
        ),
    ]
    serial: Annotated[str | None, typer.Option("--serial", help="Ship this unit.")] = None
    batch: Annotated[str | None, typer.Option("--batch", help="Ship all units of this batch, or none.")] = (
        None
    )
    files: FilesOption = None
    is_json: JsonOption = False


@with_settings(ShipSettings, "station.ship")
def ship(settings: ShipSettings) -> None:
    """Ship a unit or a whole batch. If a document or a record is not in order, print every reason and ship nothing.

    The command checks the unit's verification, the statement of compliance, the published support period and that every
    set-up code is unique. First close the batch (`firstboot registry close-batch`), sync every branch and check the
    codes (`firstboot station check-batch`). Every line of the packing list names the consignee, so that you can notify
    each of them of a compliance failure later.

    Example: `firstboot station ship --batch B1 --registry registry.db --archive archive --register register.jsonl
    --packing packing.jsonl --keys maker/keys --consignee hillside`
    """
    warn_of_clock(IN_RECORDS)
    if (settings.serial is None) == (settings.batch is None):
        raise InputError("Give either --serial or --batch.")
    with opened(settings.registry, settings.files) as registry:
        gate = Gate(
            registry,
            existing_archive(settings.archive),
            Ledger(settings.register).lines(),
            Ledger(settings.packing),
            KeyRing(settings.keys).anchor_keys(),
            today_utc(),
            consignee(registry, settings.consignee),
            lambda number: ship_faults(registry, number),
        )
        try:
            shipped = gate.ship(serial=settings.serial, batch=settings.batch)
        except ShipError as refused:
            raise _refusal(refused, settings.is_json) from None
        station = settings.packing.with_suffix(".station.pub")
        if shipped:
            replace_file(station, public_pem(registry.signer.public))
            sign_list(registry, settings.archive, today_utc())
    lines = [
        f"Shipped {counted(len(shipped), 'unit')} to {settings.consignee}. Their lines are in"
        f" {settings.packing}, signed with the key in {station.name}.",
        *open_points(),
    ]
    print_report(
        lines, {"outcome": "SHIPPED", "serials": shipped, "consignee": settings.consignee}, settings.is_json
    )


def _refusal(error: ShipError, is_json: bool) -> RefusedError:
    if is_json:
        reasons = [
            {"serial": each.serial or None, "aspect": each.aspect, "sentence": each.sentence}
            for each in error.refusals
        ]
        print_json({"outcome": "REFUSED", "reasons": reasons})
    lines = [f"{each.serial or 'all'} ({each.aspect}): {each.sentence}" for each in error.refusals]
    return RefusedError(lines, heading="Nothing was shipped:")
