"""`firstboot keys generate`: one key of a kind, in a file, a token or a hash-based tree."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from provisioning.cli.commands import CommandGroup
from provisioning.cli.errors import InputError
from provisioning.cli.keys_show import print_key
from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_result
from provisioning.compliance.issue import draw_key as generate_signatory_key
from provisioning.keys.file_signer import load_file_signer
from provisioning.keys.hss_signer import FORMS, HssSigner
from provisioning.keys.pem import write_private
from provisioning.keys.secret_input import KEY_VARIABLE, ask, normal, require_typable
from provisioning.keys.signer import Signer
from provisioning.registry.sealed import ServerPrivateKey

KINDS: Final = ("p256", "ed25519", "hss")
PASSPHRASE_CHARS: Final = 12

HELP = """Generate one key. An existing key is never overwritten.

Example: `firstboot keys generate signing --out author.pem --encrypt`
"""

app = CommandGroup(HELP)


@app.command()
def signing(
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND", help=f"One of: {', '.join(KINDS)}.")
    ] = "p256",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="PATH", help="New PEM file. For `hss`: new folder.")
    ] = None,
    pkcs11: Annotated[
        str | None,
        typer.Option("--pkcs11", metavar="URI", help="Generate the key in a token instead, under this URI."),
    ] = None,
    is_encrypted: Annotated[
        bool, typer.Option("--encrypt", help="Encrypt the file with a passphrase that is asked for.")
    ] = False,
    tree: Annotated[
        str, typer.Option("--tree", metavar="FORM", help=f"Form of an hss tree: {', '.join(FORMS)}.")
    ] = "H10/W8",
    is_json: JsonOption = False,
) -> None:
    """Generate a key that signs releases, records or key sets.

    An `hss` key is a tree of one-time keys. H5, H10 and H15 sign 32, 1024 and 32768 times. Signatures with W4 are
    twice as long as with W8 and verify eight times as fast. A tree belongs to this machine only: never copy it and
    never restore it from a backup. Another machine gets a tree of its own.

    Example: `firstboot keys generate signing --kind ed25519 --out author2.pem`
    """
    if (out is None) == (pkcs11 is None):
        raise InputError("Give either --out PATH or --pkcs11 URI.")
    if pkcs11 is not None:
        from provisioning.keys.pkcs11_signer import Pkcs11Signer

        signer: Signer = Pkcs11Signer.create(pkcs11, kind)
    else:
        assert out is not None  # noqa: S101 - exactly one of the two is given
        signer = _generate(kind, out, tree, is_encrypted=is_encrypted)
    print_key(signer, is_json)


def _generate(kind: str, out: Path, tree: str, *, is_encrypted: bool) -> Signer:
    if out.exists():
        raise InputError(f"{out} exists already. Name a new file: an existing key is never overwritten.")
    if kind == "hss":
        if tree not in FORMS:
            raise InputError(f"There is no tree form {tree!r}. Use one of: {', '.join(FORMS)}.")
        return HssSigner.create(out, FORMS[tree])
    if kind == "p256":
        key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey = ec.generate_private_key(ec.SECP256R1())
    elif kind == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        raise InputError(f"There is no kind {kind!r}. Use one of: {', '.join(KINDS)}.")
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if is_encrypted:
        passphrase = ask(KEY_VARIABLE, "passphrase of the new key")
        if len(passphrase) < PASSPHRASE_CHARS:
            raise InputError(f"The passphrase of a key needs at least {PASSPHRASE_CHARS} characters.")
        _require_typable(passphrase)
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    write_private(
        out, key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )
    return load_file_signer(out)  # opened again: finds a passphrase that was mistyped on a terminal


def _require_typable(passphrase: str) -> None:
    try:
        require_typable(passphrase)
    except ValueError as error:
        raise InputError(f"The passphrase cannot be used: {error}.") from None


@app.command()
def signatory(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="New file for the key. Its public half gets the suffix .pub."),
    ],
    is_json: JsonOption = False,
) -> None:
    """Generate the key of the person who signs statements of compliance.

    The file is encrypted with a passphrase that is asked for. Only that person can open it.

    Example: `firstboot keys generate signatory erika.pem`
    """
    passphrase = normal(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True))
    _require_typable(passphrase)
    signer = generate_signatory_key(file, passphrase)
    public = file.with_suffix(".pub")
    lines = [
        ("key", str(file)),
        ("key id", signer.key_id.hex()),
        ("next", f"copy {public} into the station's key folder"),
    ]
    document = {"key": str(file), "key_id": signer.key_id.hex(), "public_key": str(public)}
    print_result(lines, document, is_json)


@app.command()
def server(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The CoAP server's folder.")],
    is_json: JsonOption = False,
) -> None:
    """Generate the CoAP server's key pair. Run this on the CoAP server.

    Stations encrypt the secrets of new units to the public key, `oscore.pub`. The private key, `oscore.key`, never
    leaves the server.

    Example: `firstboot keys generate server /srv/coap`
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    private, public = folder / "oscore.key", folder / "oscore.pub"
    key_id = ServerPrivateKey.create(private, public).public.key_id.hex()
    lines = [
        ("private key", f"{private} (stays on this machine)"),
        ("key id", key_id),
        ("next", f"copy {public} to the stations"),
    ]
    print_result(lines, {"private_key": str(private), "public_key": str(public), "key_id": key_id}, is_json)
