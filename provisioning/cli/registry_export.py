"""`firstboot registry export` and `import-secrets`: files for other programs, the broker and the CoAP server."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from provisioning.cli.options import FilesOption, JsonOption, RegistryOption
from provisioning.cli.output import print_report
from provisioning.cli.registry_access import opened
from provisioning.counted import counted
from provisioning.file_system import replace_file
from provisioning.registry import export
from provisioning.registry.errors import RegistryError
from provisioning.registry.registry import Registry
from provisioning.registry.sealed import ServerPrivateKey
from provisioning.servers.oscore_store import OscoreStore

FORMATS: Final = ("csv", "json", "parquet", "ledger", "acl", "secrets")


def export_command(
    what: Annotated[str, typer.Argument(metavar="WHAT", help=f"One of: {', '.join(FORMATS)}.")],
    registry: RegistryOption,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="The file. Default: standard output.")
    ] = None,
    batch: Annotated[
        str | None, typer.Option("--batch", help="Only units of this batch (csv, json, parquet).")
    ] = None,
    class_ids: Annotated[
        list[str] | None, typer.Option("--class", metavar="HEX", help="Class id in hex (acl).")
    ] = None,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Export units (csv, json, parquet), the signed chains (ledger), the broker's rights (acl) or the encrypted
    secrets for the CoAP server (secrets).

    `--json` reports on the file that --to names; it does not change the export.

    Example: `firstboot registry export acl --registry registry.db --class 1492af1425695e48bf429b2d51f2ab45 --to acl`
    """
    if is_json and to is None:
        raise RegistryError("--json reports on a file: name it with --to")
    with opened(registry, files) as source:
        makers = _makers(source, batch, class_ids)
        if what not in makers:
            raise RegistryError(f"there is no export {what!r}; there are {', '.join(makers)}")
        data = makers[what]()
    if to is None:
        _print(data)
        return
    size = _write(to, data)
    print_report([f"Wrote {to}"], {"format": what, "file": str(to), "bytes": size}, is_json)


def _makers(
    source: Registry, batch: str | None, class_ids: list[str] | None
) -> dict[str, Callable[[], str | bytes]]:
    return {
        "csv": lambda: export.units_csv(source, batch),
        "json": lambda: export.units_json(source, batch),
        "parquet": lambda: export.units_parquet(source, batch),
        "ledger": lambda: export.chains_json(source),
        "acl": lambda: export.broker_acl(source, _class_ids(class_ids)),
        "secrets": lambda: export.sealed_json(source),
    }


def _class_ids(texts: list[str] | None) -> list[bytes]:
    try:
        found = [bytes.fromhex(text.replace("-", "")) for text in texts or []]
    except ValueError:
        found = []
    if not found or any(len(class_id) != 16 for class_id in found):
        raise RegistryError("acl needs --class with a class id of 32 hex digits, at least once")
    return found


def _write(path: Path, data: str | bytes) -> int:
    """Replace the file at once: a broker that reads it sees the old content or the new one. Return its size."""
    content = data.encode() if isinstance(data, str) else data
    replace_file(path, content)
    return len(content)


def _print(data: str | bytes) -> None:
    if isinstance(data, bytes):
        raise RegistryError("this format needs --to FILE")
    sys.stdout.write(data if data.endswith("\n") else data + "\n")


def import_secrets(
    secrets_file: Annotated[
        Path, typer.Argument(metavar="FILE", help="File made by `firstboot registry export secrets`.")
    ],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The server's private key.")],
    store: Annotated[
        Path, typer.Option("--store", metavar="DIR", help="The CoAP server's credential store.")
    ],
    is_json: JsonOption = False,
) -> None:
    """Decrypt the secrets into the CoAP server's store, and remove withdrawn units. Run this on the CoAP server.

    Example: `firstboot registry import-secrets secrets.json --key server/oscore.key --store store`
    """
    try:
        private = ServerPrivateKey.load(key)
    except ValueError as error:
        raise RegistryError(f"{key.name}: {error}") from None
    added, removed = export.import_sealed(secrets_file.read_text(), private, OscoreStore(store))
    lines = [f"{counted(added, 'unit')} served, {removed} removed"]
    print_report(lines, {"served_units": added, "removed_units": removed}, is_json)
