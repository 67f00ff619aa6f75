"""`firstboot registry consignee` and `consignees`: the parties that units are shipped to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from provisioning.cli.errors import InputError
from provisioning.cli.one_line import one_line
from provisioning.cli.options import ByOption, FilesOption, JsonOption, RegistryOption
from provisioning.cli.output import print_report
from provisioning.cli.registry_access import opened
from provisioning.cli.settings import with_settings
from provisioning.cli.signing_time import IN_RECORDS, warn_of_clock
from provisioning.mail_address import is_address
from provisioning.registry import consignees


class Role(StrEnum):
    """The role of a consignee for the product (s. 7 of the Act)."""

    IMPORTER = consignees.IMPORTER
    DISTRIBUTOR = consignees.DISTRIBUTOR
    CUSTOMER = consignees.CUSTOMER


@dataclass(frozen=True, kw_only=True)
class ConsigneeSettings:
    """The options of `registry consignee`: one party and its details."""

    consignee: Annotated[
        str,
        typer.Argument(metavar="ID", callback=one_line("consignee"), help="A short id, such as hillside."),
    ]
    registry: RegistryOption
    role: Annotated[Role, typer.Option("--role", help="Importer, distributor or customer of your units.")]
    name: Annotated[str, typer.Option("--name", callback=one_line("person"), help="Its name.")]
    address: Annotated[
        str, typer.Option("--address", callback=one_line("postal address"), help="Its postal address.")
    ]
    by: ByOption
    email: Annotated[
        str | None, typer.Option("--email", metavar="ADDRESS", help="Its mail address, for notices.")
    ] = None
    files: FilesOption = None
    is_json: JsonOption = False


@with_settings(ConsigneeSettings, "registry.consignee")
def record_consignee(settings: ConsigneeSettings) -> None:
    """Record a party that you ship units to, or a change of its details. `firstboot station ship` names it by its id.

    The packing list, which others see, has the id, the role and a digest. Give a person who buys from you a neutral id.

    Example: `firstboot registry consignee hillside --registry registry.db --role distributor --name "Hillside Retail"
    --address "2 Hill Road, Leeds" --email goods@hillside.example --by "E. Example"`
    """
    warn_of_clock(IN_RECORDS)
    if settings.email is not None and not is_address(settings.email):
        raise InputError("--email is not a plain mail address.")
    wanted = consignees.Consignee(
        settings.consignee, settings.role.value, settings.name, settings.address, settings.email
    )
    with opened(settings.registry, settings.files) as source:
        found, is_new = consignees.record(source, wanted, by=settings.by)
    lines = [f"{'Recorded' if is_new else 'Unchanged'}: {found.id}, {found.role}, {found.name}"]
    if settings.email is None:
        lines.append("Without --email, notices to it are files that you post.")
    print_report(lines, {"id": found.id, "digest": found.digest, "is_new": is_new}, settings.is_json)


def list_consignees(registry: RegistryOption, files: FilesOption = None, is_json: JsonOption = False) -> None:
    """List the parties that you ship units to, with their newest details.

    Example: `firstboot registry consignees --registry registry.db`
    """
    with opened(registry, files) as source:
        found = consignees.consignees(source)
    document = [
        {"id": one.id, "role": one.role, "name": one.name, "address": one.address, "email": one.email}
        for one in found.values()
    ]
    lines = [
        f"{one.id:20}{one.role:12}  {one.name}, {one.address}, {one.email or 'by post'}"
        for one in found.values()
    ]
    print_report(lines or ["no consignee is recorded"], document, is_json)
