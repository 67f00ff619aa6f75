"""The maker's OpenPGP key as an option of the commands that build advisories."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.errors import InputError
from provisioning.disclosure.signatures import Signing
from provisioning.keys.openpgp import LARGEST_FILE, load_signer, read_public

OpenPgpKeyOption = Annotated[
    Path | None,
    typer.Option(
        "--openpgp-key", metavar="FILE", help="Your private OpenPGP key (mode 0600): signs every document."
    ),
]


def signing_of(key: Path | None, earlier: list[Path], now_s: int) -> Signing | None:
    """Return the key with which the documents are signed, None without one. `now_s`: unix seconds.

    Raises InputError, OpenPgpKeyError, OpenPgpMissingError, OSError.
    """
    if key is None:
        if earlier:
            raise InputError("--openpgp-earlier needs --openpgp-key.")
        return None
    listed = []
    for path in earlier:
        with path.open("rb") as file:
            listed.append(read_public(file.read(LARGEST_FILE + 1), path.name))
    return Signing(load_signer(key, now_s), listed)
