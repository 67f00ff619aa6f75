"""`firstboot keys show`: the public part of a key, and how many signatures a tree has left."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.errors import InputError, warn
from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_result
from provisioning.file_system import create_file
from provisioning.keys.hss_signer import HssSigner
from provisioning.keys.key_id import key_id
from provisioning.keys.public_keys import PublicKey, PublicKeyError, encode_cose, encode_pem, parse
from provisioning.keys.schemes import PKCS11_SCHEME
from provisioning.keys.signer import Signer
from provisioning.keys.signers import open_signer


def show(
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY", help="PEM file, certificate, COSE key, folder of an hss tree, or pkcs11: URI."
        ),
    ],
    public: Annotated[
        Path | None,
        typer.Option(
            "--public",
            metavar="FILE",
            help="Write the public key to this new PEM file too, for others who verify.",
        ),
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Show the public part of a key: key id, algorithm and public key. For a tree also the signatures that are left.

    Example: `firstboot keys show runner.pem --public runner.pub`
    """
    path = Path(key.removeprefix("hss:"))
    if key.startswith(PKCS11_SCHEME):
        signer: Signer | None = open_signer(key)
    elif path.is_dir():
        signer = HssSigner(path)
    elif b"PRIVATE KEY" in (data := path.read_bytes()):
        signer = open_signer(key)
    else:
        signer = None
    found = parse(data) if signer is None else [PublicKey(signer.algorithm, signer.public, signer.key_id)]
    if public is not None:
        _write_public(public, found)
    if signer is not None:
        print_key(signer, is_json)
        return
    parts = [(one.algorithm, one.public, one.key_id or key_id(one.public)) for one in found]
    rows = [row for one in parts for row in _rows(*one)]
    documents = [_document(*one) for one in parts]
    print_result(rows, documents[0] if len(documents) == 1 else documents, is_json)


def _write_public(file: Path, keys: list[PublicKey]) -> None:
    if len(keys) != 1:
        raise InputError(f"There are {len(keys)} keys. A PEM file has one: name a file with one key.")
    try:
        create_file(file, encode_pem(keys[0]))
    except FileExistsError:
        raise InputError(f"{file} exists already. Name a new file: a key is never overwritten.") from None
    except PublicKeyError as error:
        raise InputError(f"{file} was not written: {error}.") from None


def print_key(signer: Signer, is_json: bool) -> None:
    """Print the public part of a signer; warn if a tree is nearly used up."""
    rows = _rows(signer.algorithm, signer.public, signer.key_id)
    document = _document(signer.algorithm, signer.public, signer.key_id)
    if isinstance(signer, HssSigner):
        left = signer.left()
        rows.append(("signatures left", f"{left} of {signer.signatures}"))
        document |= {"signatures_left": left, "signatures": signer.signatures}
        if signer.is_nearly_used_up():
            warn("Less than a tenth of the signatures are left. Generate the next tree.")
    print_result(rows, document, is_json)


def _rows(algorithm: int, public: bytes, identifier: bytes) -> list[tuple[str, str]]:
    return [
        ("key id", identifier.hex()),
        ("algorithm", f"COSE {algorithm}"),
        ("public key", public.hex()),
    ]


def _document(algorithm: int, public: bytes, identifier: bytes) -> dict[str, object]:
    return {
        "key_id": identifier.hex(),
        "algorithm": algorithm,
        "public": public.hex(),
        "cose_key": encode_cose(PublicKey(algorithm, public, identifier)).hex(),
    }
