"""`firstboot release init` and `firstboot release keygen`: a maker's folder, and single keys of every kind."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from provisioning.cli.release_output import JsonOption, say, told, warn
from provisioning.keys import public_keys
from provisioning.keys.file_signer import load_file_signer
from provisioning.keys.hss_signer import FORMS, HssSigner
from provisioning.keys.key_ring import KeyRing
from provisioning.keys.lms_state import sync_folder
from provisioning.keys.pem import write_private
from provisioning.keys.secret_input import KEY_VARIABLE, ask
from provisioning.keys.signer import Signer
from provisioning.release.config import CONFIG_NAME
from provisioning.release.release import ReleaseError

KINDS: Final = ("p256", "ed25519", "hss")
PASSPHRASE_CHARS: Final = 12
_CONFIG: Final = """# firstboot release sign --config release.yaml IMAGE --out FOLDER ...; flags win over this file.
product: {product}
log: releases.jsonl
signers: [keys/author.pem]
# signers: [keys/author.pem, "hss:keys/author-hss", "pkcs11:token=maker;object=author?module-path=..."]
"""


def init(
    folder: Annotated[Path, typer.Argument(help="New folder for keys and release.yaml.")],
    product: Annotated[Path, typer.Option("--product", help="Product definition (TOML); stays where it is.")],
    is_development: Annotated[
        bool, typer.Option("--development", help="Mark the keys: units made with them are NOT FOR SALE.")
    ] = False,
    is_json: JsonOption = False,
) -> None:
    """Make a maker's folder: image keys, role keys and authorities in `keys/`, and release.yaml beside it.

    The keys are files of mode 0600. Take those that a person signs with off this machine, or replace them by keys in
    a token (keygen --pkcs11) before the first unit is made. The folder appears whole or not at all.
    """
    with told():
        if folder.exists():
            raise ReleaseError(f"{folder} exists: keys are never drawn over others")
        if not product.is_file():
            raise ReleaseError(
                f"no product definition at {product}; firstboot station init writes one to start from"
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".init-", dir=folder.parent))
        try:
            ring = KeyRing.draw(draft / "keys", is_development=is_development)
            count = len(ring.anchor_keys())
            shown = os.path.relpath(product.resolve(), folder.resolve())
            (draft / CONFIG_NAME).write_text(_CONFIG.format(product=_yaml_text(shown)), encoding="utf-8")
            os.replace(draft, folder)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        sync_folder(folder.parent)
    if is_development:
        warn("DEVELOPMENT keys: units made with them are NOT FOR SALE")
    lines = [
        ("folder", str(folder)),
        ("keys", f"{count} role keys, 3 image keys"),
        ("next", f"edit {CONFIG_NAME}"),
    ]
    say(lines, {"folder": str(folder), "is_development": is_development, "role_keys": count}, is_json)


def keygen(
    kind: Annotated[str, typer.Option("--kind", help=f"One of: {', '.join(KINDS)}.")] = "p256",
    out: Annotated[Path | None, typer.Option("--out", help="New PEM file, or new folder for a tree.")] = None,
    pkcs11: Annotated[
        str | None, typer.Option("--pkcs11", help="URI of a new key in a token instead.")
    ] = None,
    is_encrypted: Annotated[
        bool, typer.Option("--encrypt", help="Encrypt the file under a passphrase that is asked for.")
    ] = False,
    tree: Annotated[str, typer.Option("--tree", help=f"Form of a tree: {', '.join(FORMS)}.")] = "H10/W8",
    show: Annotated[
        Path | None, typer.Option("--show", help="Make nothing: show the tree in this folder.")
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Make one signing key, or show a tree: key id, public key, and the signatures left.

    H5, H10, H15 sign 32, 1024, 32768 times; W4 signatures are twice as long as W8 and verify eight times as fast.
    A tree is for this machine alone: never copy it, never back it up; another machine has a tree of its own.
    """
    with told():
        if show is not None:
            signer: Signer = HssSigner(show)
        elif pkcs11 is not None and out is None:
            from provisioning.keys.pkcs11_signer import Pkcs11Signer

            signer = Pkcs11Signer.create(pkcs11, kind)
        elif out is not None and pkcs11 is None:
            signer = _make(kind, out, tree, is_encrypted=is_encrypted)
        else:
            raise ReleaseError("give one of --out PATH, --pkcs11 URI and --show DIR")
        public = public_keys.PublicKey(signer.algorithm, signer.public, signer.key_id)
        lines = [
            ("key id", signer.key_id.hex()),
            ("algorithm", f"COSE {signer.algorithm}"),
            ("public key", signer.public.hex()),
        ]
        document: dict[str, object] = {
            "key_id": signer.key_id.hex(),
            "algorithm": signer.algorithm,
            "public": signer.public.hex(),
            "cose_key": public_keys.encode_cose(public).hex(),
        }
        if isinstance(signer, HssSigner):
            left = signer.left()
            lines.append(("signatures left", f"{left} of {signer.signatures}"))
            document |= {"signatures_left": left, "signatures": signer.signatures}
            if signer.is_nearly_used_up():
                warn("fewer than a tenth of the signatures are left; make the next tree")
    say(lines, document, is_json)


def _make(kind: str, out: Path, tree: str, *, is_encrypted: bool) -> Signer:
    if out.exists():
        raise ReleaseError(f"{out} exists: a key is never drawn over another")
    if kind == "hss":
        if tree not in FORMS:
            raise ReleaseError(f"no tree of form {tree!r}: there are {', '.join(FORMS)}")
        return HssSigner.create(out, FORMS[tree])
    if kind == "p256":
        key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey = ec.generate_private_key(ec.SECP256R1())
    elif kind == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        raise ReleaseError(f"no key of kind {kind!r}: there are {', '.join(KINDS)}")
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if is_encrypted:
        passphrase = ask(KEY_VARIABLE, "passphrase of the new key")
        if len(passphrase) < PASSPHRASE_CHARS:
            raise ReleaseError(f"a key's passphrase has at least {PASSPHRASE_CHARS} characters")
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    write_private(
        out, key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )
    return load_file_signer(out)  # opened again: a passphrase that was mistyped at a terminal is found now


def _yaml_text(text: str) -> str:
    """A YAML scalar that reads back as `text`, in single quotes (YAML 1.2, 7.3.2)."""
    return "'" + text.replace("'", "''") + "'"
