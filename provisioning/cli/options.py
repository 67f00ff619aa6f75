"""Options and arguments that several commands share: one name, one help text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from provisioning.cli.addresses import package_place, registry_place
from provisioning.cli.one_line import one_line
from provisioning.cli.settings_fields import RelativeText

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
STORE_HELP: Final = (
    "Where `firstboot release publish --store` publishes: a folder, or a server database (postgresql://..., or a SQLite"
    " file)."
)
KeysOption = Annotated[Path, typer.Option("--keys", metavar="DIR", help="Folder with the maker's keys.")]
# The program reads this option before it imports device code (firstboot.__main__).
FirmwareOption = Annotated[
    Path | None,
    typer.Option(
        "--firmware",
        metavar="DIR",
        help="A folder with `device/`: its files replace those of the same name in the firmware.",
        file_okay=False,
        exists=True,
    ),
]


def _place(flag: str, what: str) -> Any:
    return typer.Option(flag, metavar="PLACE", help=f"{what}: a SQLite file, or postgresql://HOST/NAME.")


RegistryOption = Annotated[str, _place("--registry", "The registry"), RelativeText(registry_place)]
MainRegistryOption = Annotated[str, _place("--registry", "The main registry"), RelativeText(registry_place)]
MainOption = Annotated[str, _place("--main", "The main registry"), RelativeText(registry_place)]
FilesOption = Annotated[
    Path | None,
    typer.Option("--files", metavar="DIR", help="Folder of the registry's key files. PostgreSQL needs it."),
]
ArchiveOption = Annotated[
    Path, typer.Option("--archive", metavar="DIR", help="Folder with the issued statements of compliance.")
]
LabelsOption = Annotated[
    Path, typer.Option("--labels", metavar="DIR", help="Folder with the label pictures of the station.")
]
LabelPictureOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A picture of the device's label. Its QR code is read.")
]
DeviceHostOption = Annotated[
    str | None, typer.Option(help="HOST or HOST:PORT. Default: the address on the label.")
]
FingerprintOption = Annotated[
    str | None, typer.Option(metavar="HEX", help="Certificate SHA-256 on the label. Not a secret.")
]
LogOption = Annotated[Path, typer.Option("--log", metavar="FILE", help="The release log.")]
ByOption = Annotated[
    str,
    typer.Option(
        "--by", metavar="NAME", callback=one_line("person"), help="Your name, for the signed record."
    ),
]
ReasonOption = Annotated[
    str,
    typer.Option(
        "--reason", metavar="TEXT", callback=one_line("reason"), help="The reason, for the signed record."
    ),
]
BatchOption = Annotated[str, typer.Option("--batch", callback=one_line("batch"), help="The batch number.")]
SerialArgument = Annotated[
    str, typer.Argument(metavar="SERIAL", callback=one_line("serial"), help="The unit's serial number.")
]
ProductOption = Annotated[
    Path, typer.Option("--product", metavar="FILE", help="The product definition (TOML).")
]

# Without a type, because only some commands need it: Annotated[Path, CA] or Annotated[Path | None, CA].
PackagesOption = Annotated[
    list[str],
    typer.Option(
        "--package",
        metavar="NAME=FILE",
        help="Package of a component that the user must install. It is searched for passwords.",
    ),
    RelativeText(package_place),
]
CA: Final = typer.Option("--ca", metavar="FILE", help="Certificate of the authority of the broker (PEM).")
NameOption = Annotated[
    str | None, typer.Option("--name", help="Name in the broker's certificate. Default: HOST of --mqtt.")
]
