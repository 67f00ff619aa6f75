"""`firstboot kit build`: write the kit of one importer or distributor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.compliance_inputs import today_utc
from provisioning.cli.errors import InputError, warn
from provisioning.cli.one_line import one_line
from provisioning.cli.options import FilesOption, JsonOption, MainRegistryOption
from provisioning.cli.output import print_report
from provisioning.cli.registry_access import opened
from provisioning.cli.settings import with_settings
from provisioning.cli.signing_time import warn_of_clock
from provisioning.compliance.check import REGISTER
from provisioning.compliance.ledger import Ledger
from provisioning.counted import counted
from provisioning.file_system import is_there
from provisioning.keys.key_ring import KeyRing
from provisioning.kit.build import Built, Sources, build_kit
from provisioning.registry.consignees import consignee


@dataclass(frozen=True, kw_only=True)
class BuildKitSettings:
    """The options of `kit build`: the party, the maker's records, and the folder."""

    consignee: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            callback=one_line("consignee"),
            help="The party, as `firstboot registry consignee` recorded it.",
        ),
    ]
    registry: MainRegistryOption
    packing: Annotated[
        Path, typer.Option("--packing", metavar="FILE", help="The packing list of `firstboot station ship`.")
    ]
    site: Annotated[
        Path,
        typer.Option(
            "--site", metavar="DIR", help="The published site. A kit states nothing that it does not publish."
        ),
    ]
    keys: Annotated[
        Path, typer.Option("--keys", metavar="DIR", help="Folder with the maker's keys that units trust.")
    ]
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder of the kit. An older kit there is replaced.")
    ]
    files: FilesOption = None
    is_json: JsonOption = False


@with_settings(BuildKitSettings, "kit.build")
def build(settings: BuildKitSettings) -> None:
    """Write the kit of one party: a page, signed data, and copies of the statements, in one folder.

    The kit lists the units that you shipped to this party, and no other party. Give it away with the delivery, and
    again after every recall and at least every 30 days: an older kit answers "kit too old".

    Example: `firstboot kit build hillside --registry registry.db --packing packing.jsonl --site site --keys maker/keys
    --out kits/hillside`
    """
    warn_of_clock("It becomes the date of the kit, which counts for 30 days: check it.")
    if not is_there(settings.site / REGISTER):
        raise InputError(f"There is no site of `firstboot site build` in {settings.site}.")
    if not is_there(settings.packing):
        raise InputError(f"There is no packing list {settings.packing}.")
    with opened(settings.registry, settings.files) as registry:
        sources = Sources(
            registry,
            Ledger(settings.packing).entries(),
            settings.site,
            KeyRing(settings.keys).anchor_keys(),
            today_utc(),
        )
        built = build_kit(sources, consignee(registry, settings.consignee), settings.out)
    _report(built, settings)


def _report(built: Built, settings: BuildKitSettings) -> None:
    content = built.content
    stopped = sum(each.state is not None for each in content.units)
    if built.unnamed:
        warn(
            f"{counted(built.unnamed, 'unit')} shipped without a consignee in the packing list: no kit has them."
        )
    lines = [
        f"Wrote the kit of {content.name} into {settings.out}: {counted(len(content.units), 'unit')},"
        f" {stopped} of them not for sale, {counted(len(content.statements), 'statement')}",
        f"It counts until {content.valid_until.isoformat()}. Build it again before that day, and after every recall.",
    ]
    document = {
        "kit": str(settings.out),
        "consignee": content.consignee,
        "units": len(content.units),
        "stopped": stopped,
        "unnamed": built.unnamed,
        "statements": [each.id for each in content.statements],
        "valid_until": content.valid_until.isoformat(),
    }
    print_report(lines, document, settings.is_json)
