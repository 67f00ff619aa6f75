"""`firstboot statement list`, `dispose` and `sign-withdrawals`: look after the archive of issued statements."""

from __future__ import annotations

from typing import Annotated

import typer

from provisioning.cli.compliance_inputs import existing_archive, today_utc
from provisioning.cli.options import ArchiveOption, FilesOption, JsonOption, RegistryOption
from provisioning.cli.output import print_report
from provisioning.cli.registry_access import opened
from provisioning.cli.signing_time import warn_of_clock
from provisioning.compliance.withdrawals import sign_list
from provisioning.counted import counted


def sign_withdrawals(
    registry: RegistryOption, archive: ArchiveOption, files: FilesOption = None, is_json: JsonOption = False
) -> None:
    """Sign the list of units that were withdrawn or quarantined after they shipped, for importers and shops.

    Run it after every withdrawal and every week: `firstboot statement verify` refuses a list older than 30 days.

    Example: `firstboot statement sign-withdrawals --registry registry.db --archive archive`
    """
    warn_of_clock("It becomes the date of the list, which counts for 30 days: check it.")
    folder = existing_archive(archive).root
    with opened(registry, files) as known:
        path, count = sign_list(known, folder, today_utc())
    lines = [f"Wrote {path} with {counted(count, 'unit')}. Next: publish it with `firstboot site build`."]
    print_report(lines, {"file": str(path), "units": count}, is_json)


def list_command(archive: ArchiveOption, is_json: JsonOption = False) -> None:
    """List the statements of an archive, and check that each is unchanged.

    Example: `firstboot statement list --archive archive`
    """
    store = existing_archive(archive)
    count = store.verify()
    found = store.statements()
    lines = [
        f"{each.id}  {each.model}  batch {each.batch}  kept until {each.retain_until}  {each.sha256}"
        for each in found
    ]
    names = ("id", "model", "batch", "retain_until", "sha256")
    document = [{name: str(getattr(each, name)) for name in names} for each in found]
    print_report([*lines, f"{counted(count, 'statement')}: nothing changed since issue"], document, is_json)


def dispose(
    statement: Annotated[str, typer.Argument(metavar="ID", help="Id of the statement.")],
    archive: ArchiveOption,
    is_json: JsonOption = False,
) -> None:
    """Delete a statement whose retention has ended. Before that it is refused.

    Example: `firstboot statement dispose FB-1-B1-1 --archive archive`
    """
    warn_of_clock("It decides whether the retention has ended: check it.")
    existing_archive(archive).dispose(statement, today_utc())
    print_report([f"Deleted {statement}."], {"statement": statement, "is_deleted": True}, is_json)
