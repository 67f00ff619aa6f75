"""`firstboot release keyset | rotate | revoke | drill`: who may sign what, from now on."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Final

import typer
from cryptography.hazmat.primitives.asymmetric import ec

from device.trust import keyset as device_keyset
from provisioning.keys import keyset
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.key_ring import SIGNING_ROLES, KeyRing
from provisioning.keys.pem import private_pem, write_private
from provisioning.keys.signer import Signer
from provisioning.product.product import load_product

REFUSED: Final = 1
RETIRED: Final = "retired"

KeysOption = Annotated[Path, typer.Option("--keys", help="Key folder.")]
RootsOption = Annotated[
    list[Path] | None,
    typer.Option("--root", help="Root's private key (PEM); repeatable. Default: roots/ of the key folder."),
]


def _fail(error: Exception) -> typer.Exit:
    typer.echo(str(error), err=True)
    return typer.Exit(REFUSED)


def _signers(keys: Path, roots: list[Path] | None) -> list[Signer]:
    return [FileSigner.load(path) for path in roots] if roots else keyset.root_signers(keys)


def keyset_command(
    product: Annotated[Path, typer.Option("--product", help="Product definition (TOML): the class.")],
    keys: KeysOption,
    out: Annotated[Path, typer.Option("--out", help="File for the signed key set.")],
    root: RootsOption = None,
    time_s: Annotated[
        int | None, typer.Option("--time", min=0, help="Root's time (unix seconds). Default: this machine's.")
    ] = None,
    renew: Annotated[
        bool, typer.Option("--renew-tracker", help="Give the tracker's key a new interval of 400 days.")
    ] = False,
) -> None:
    """Sign the key set of a folder with its roots, for one product class; units take it over by themselves.

    Exit codes: 0 signed, 1 not signed (the reason is said).
    """
    try:
        now_s = int(time.time()) if time_s is None else time_s
        book = keyset.Book.load(keys)
        book = book.with_tracker_from(now_s) if renew else book
        content = keyset.key_set(book, load_product(product).class_id, KeyRing(keys).anchor_keys(), now_s)
        signers = keyset.minimal(book, _signers(keys, root))
        data = keyset.sign_key_set(content, signers)
        book.save(keys)
        out.write_bytes(data)
    except (ValueError, OSError) as error:
        raise _fail(error) from None
    typer.echo(
        f"key set {book.sequence}: {len(content.keys)} keys, {len(book.revoked)} revoked, {len(data)} bytes"
    )
    _warn_of_sleepers(keyset.missed_out(book, signers))


def _warn_of_sleepers(missed: int) -> None:
    """Say that units which slept through too many changes of roots need an older key set first."""
    if missed:
        typer.echo(
            f"{missed} earlier sets of roots did not sign: units that know none but those follow only over a key set "
            "of the time between; publish that one first, and this one when they have it",
            err=True,
        )


def rotate_command(
    role: Annotated[str, typer.Argument(help="author, support, tracker, signatory or root.")],
    keys: KeysOption,
    key: Annotated[
        Path | None, typer.Option("--key", help="New private key (PEM). Default: drawn here.")
    ] = None,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="The old key was stolen: it never comes back.")
    ] = False,
) -> None:
    """Replace the key of a role and raise the sequence number of the key set. Sign it with `release keyset` then.

    New roots are drawn as many as there are; the old ones go on signing beside them until no unit needs them.
    """
    try:
        book = keyset.Book.load(keys)
        if role == "root":
            if key is not None or revoke:
                raise keyset.KeySetBookError(
                    "roots are replaced together, and drop out by not being in the key set"
                )
            book = book.with_roots(keyset.draw_roots(keys, len(book.roots)))
        else:
            book = _rotate(book, role, keys, key, revoke)
        book.save(keys)
    except (ValueError, OSError) as error:
        raise _fail(error) from None
    typer.echo(f"{role} replaced; sign key set {book.sequence} with: firstboot release keyset")


def _rotate(book: keyset.Book, role: str, keys: Path, key: Path | None, is_revoked: bool) -> keyset.Book:
    if role not in SIGNING_ROLES:
        raise keyset.KeySetBookError(f"no role {role!r}; there are {', '.join(SIGNING_ROLES)}, root")
    path = keys / f"{role}.pem"
    old = FileSigner.load(path).key_id
    pem = private_pem(ec.generate_private_key(ec.SECP256R1())) if key is None else key.read_bytes()
    FileSigner.from_pem(pem)  # refused before anything is moved
    (keys / RETIRED).mkdir(exist_ok=True)
    os.replace(path, keys / RETIRED / f"{role}-{old.hex()}.pem")
    write_private(path, pem)
    if role == "tracker":
        book = book.with_tracker_from(int(time.time()))
    return book.with_revoked(old) if is_revoked else book.changed()


def revoke_command(
    name: Annotated[str, typer.Argument(metavar="KEYID|image-N", help="Key id in hex, or a boot image key.")],
    keys: KeysOption,
) -> None:
    """Revoke a key for ever and raise the sequence number of the key set. Sign it with `release keyset` then."""
    try:
        book = keyset.Book.load(keys)
        if name.startswith("image-"):
            numbers = {*book.revoked_images, int(name.removeprefix("image-"))}
            book = book.changed(revoked_images=tuple(sorted(numbers)))
        else:
            book = book.with_revoked(bytes.fromhex(name))
        everything = keyset.key_set(book, bytes(16), KeyRing(keys).anchor_keys(), 0)
        device_keyset.encode(everything)  # what no unit would accept is not written down
        book.save(keys)
    except (ValueError, OSError) as error:
        raise _fail(error) from None
    typer.echo(f"{name} revoked; sign key set {book.sequence} with: firstboot release keyset")


def drill_command() -> None:
    """Steal every key in turn, see what a thief gets, and take the units back with a new key set.

    Units and keys are drawn for this run and thrown away. Exit codes: 0 all came back, 1 one did not.
    """
    from provisioning.release.drill import drill

    is_good = True
    for line in drill():
        typer.echo(f"{'ok ' if line.is_good else 'BAD'}  {line.stolen:14} {line.text}")
        is_good = is_good and line.is_good
    if not is_good:
        raise typer.Exit(REFUSED)


def add_to(app: typer.Typer) -> None:
    """Hang the commands of the key set below `firstboot release`."""
    app.command("keyset")(keyset_command)
    app.command("rotate")(rotate_command)
    app.command("revoke")(revoke_command)
    app.command("drill")(drill_command)
