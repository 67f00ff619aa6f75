"""`firstboot station sample`: read a finished unit again."""

from __future__ import annotations

from typing import Annotated

import typer

from provisioning.cli.errors import RefusedError
from provisioning.cli.options import ByOption, FilesOption, JsonOption, LabelsOption, RegistryOption
from provisioning.cli.output import print_report
from provisioning.cli.registry_access import opened
from provisioning.cli.signing_time import IN_RECORDS, warn_of_clock
from provisioning.station.link import FactoryLink
from provisioning.station.ports import open_address
from provisioning.station.sample import sample as read_again


def sample(
    port: Annotated[
        str, typer.Option("--port", metavar="PORT", help="The unit's factory port, as for `provision`.")
    ],
    registry: RegistryOption,
    labels: LabelsOption,
    by: ByOption,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Read a finished unit again and record the result. A unit that fails is quarantined, and its batch waits.

    Example: `firstboot station sample --port serial:/dev/ttyUSB0 --registry registry.db --labels labels --by "E.
    Example"`
    """
    warn_of_clock(IN_RECORDS)
    with opened(registry, files) as source:
        stream = open_address(port)
        try:
            found = read_again(FactoryLink(stream, timeout_s=5.0, attempts=4), source, labels, by=by)
        finally:
            stream.close()
    lines = [] if found.findings else [f"unit {found.serial} is as it left the line"]
    print_report(lines, {"serial": found.serial, "findings": list(found.findings)}, is_json)
    if found.findings:
        raise RefusedError(
            [f"unit {found.serial}: {finding}; it is in quarantine" for finding in found.findings]
        )
