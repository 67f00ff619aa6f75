"""`firstboot keys show`: the public part of a key, and how many signatures a tree has left."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.errors import warn
from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_result
from provisioning.keys.hss_signer import HssSigner
from provisioning.keys.key_id import key_id
from provisioning.keys.public_keys import PublicKey, encode_cose, parse
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
    is_json: JsonOption = False,
) -> None:
    """Show the public part of a key: key id, algorithm and public key. For a tree also the signatures that are left.

    Example: `firstboot keys show maker/keys/author.pem`
    """
    path = Path(key.removeprefix("hss:"))
    if key.startswith(PKCS11_SCHEME):
        print_key(open_signer(key), is_json)
    elif path.is_dir():
        print_key(HssSigner(path), is_json)
    elif b"PRIVATE KEY" in (data := path.read_bytes()):
        print_key(open_signer(key), is_json)
    else:
        found = [(one.algorithm, one.public, one.key_id or key_id(one.public)) for one in parse(data)]
        rows = [row for one in found for row in _rows(*one)]
        documents = [_document(*one) for one in found]
        print_result(rows, documents[0] if len(documents) == 1 else documents, is_json)


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
