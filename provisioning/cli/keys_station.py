"""`firstboot keys assign-station`: a key in a token signs the records of a registry."""

from __future__ import annotations

from typing import Annotated

import typer

from provisioning.cli.options import FilesOption, JsonOption, RegistryOption
from provisioning.cli.output import print_result
from provisioning.registry.location import Location
from provisioning.registry.station_key import hold_station_key, station_key_path


def assign_station(
    uri: Annotated[
        str, typer.Argument(metavar="URI", help="A P-256 key in a token: pkcs11:token=...;object=...")
    ],
    registry: RegistryOption,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Use a key in a token to sign the production records of a registry.

    Run this before the first record is signed. Without it the station generates a key in a file.

    Example: `firstboot keys assign-station "pkcs11:token=hsm;object=line-1" --registry registry.db`
    """
    signer = hold_station_key(station_key_path(Location.of(registry, files)), uri)
    lines = [("key id", signer.key_id.hex()), ("signs", f"all records of {registry} from now on")]
    print_result(lines, {"key_id": signer.key_id.hex(), "registry": registry}, is_json)
