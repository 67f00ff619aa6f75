"""`firstboot keys init`: a new folder with all keys of a maker and a settings file."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer

from provisioning import file_system
from provisioning.cli.errors import InputError, warn
from provisioning.cli.options import JsonOption, ProductOption
from provisioning.cli.output import print_result
from provisioning.cli.settings_fields import FILE_NAME
from provisioning.cli.signing_time import IN_CERTIFICATES, warn_of_clock
from provisioning.keys.key_ring import KeyRing
from provisioning.product.product import load_product

_SETTINGS: Final = """# Settings of firstboot commands. The command line beats this file.
# Try: firstboot release sign IMAGE --out FOLDER --config {name} --show-config

[release.sign]
product = {product}
log = "releases.jsonl"
signer = ["keys/author.pem"]
# signer = ["keys/author.pem", "hss:keys/author-hss", "pkcs11:token=maker;object=author?module-path=..."]
"""


def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The new folder.")],
    product: ProductOption,
    is_development: Annotated[
        bool,
        typer.Option(
            "--development", help="Mark the keys as development keys. Their units are NOT FOR SALE."
        ),
    ] = False,
    is_json: JsonOption = False,
) -> None:
    """Generate all keys of a maker in a new folder: image keys, role keys and two certificate authorities.

    The keys are files that only you can read (mode 0600). Before you make the first unit for sale, move the keys that
    a person signs with off this machine, or replace them by keys in a token (`firstboot keys generate signing
    --pkcs11`). If anything fails, no folder is left.

    Example: `firstboot keys init maker --product product.toml`
    """
    warn_of_clock(IN_CERTIFICATES)
    if folder.exists():
        raise InputError(f"{folder} exists already. Name a new folder: existing keys are never overwritten.")
    if not file_system.is_there(product):
        raise InputError(
            f"There is no product definition {product}. `firstboot station init` writes one to start from."
        )
    load_product(product)  # another file is refused before any key is made
    count = _generate_folder(folder, product, is_development)
    if is_development:
        warn("DEVELOPMENT keys: units made with them are NOT FOR SALE.")
    lines = [
        ("folder", str(folder)),
        ("keys", f"{count} role keys, 3 image keys"),
        ("next", f"edit {folder / FILE_NAME}"),
    ]
    print_result(
        lines, {"folder": str(folder), "is_development": is_development, "role_keys": count}, is_json
    )


def _generate_folder(folder: Path, product: Path, is_development: bool) -> int:
    """Return the number of role keys. The folder appears whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".init-", dir=folder.parent))
    try:
        with file_system.naming(folder, draft=draft):
            ring = KeyRing.generate(draft / "keys", is_development=is_development)
            count = len(ring.anchor_keys())
            shown = os.path.relpath(product.resolve(), folder.resolve())
            text = _SETTINGS.format(name=FILE_NAME, product=json.dumps(shown))
            file_system.create_file(draft / FILE_NAME, text.encode())
            os.replace(draft, folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    file_system.sync_folder(folder.parent)
    return count
