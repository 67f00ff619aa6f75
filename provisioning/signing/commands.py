"""`firstboot release`: sign firmware into a release, look into one, verify one as a unit would."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from device.codec import cose
from device.errors import FirstbootError
from device.suit import envelope as suit_envelope
from device.suit import manifest
from device.trust.verify import verify_envelope
from provisioning.factory.product import Product, ProductError, load_product
from provisioning.signing.diagnostic import envelope_notation
from provisioning.signing.file_signer import FileSigner
from provisioning.signing.image import image_info
from provisioning.signing.keys import KeyRing, KeyRingError
from provisioning.signing.release import ENVELOPE_NAME, Release, ReleaseError, build_release
from provisioning.signing.release_check import check_files, choose_anchors
from provisioning.signing.release_log import LogEntry, ReleaseLog, ReleaseLogError
from provisioning.signing.signer import Signer

REFUSED: Final = 1
WRONG_INPUT: Final = 2

HELP = """Sign firmware into releases, look into them, verify them as a unit would.

A release is a folder of three files: `release.suit` (the signed SUIT envelope), `payload.bin` (the firmware) and
`chunks.bin` (digests of its chunks).

Exit codes: 0 done; 1 refused (the reason is said); 2 the command line, a key or a file cannot be used.
"""

app = typer.Typer(help=HELP, no_args_is_help=True, pretty_exceptions_show_locals=False)
err = Console(stderr=True, highlight=False, soft_wrap=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document to standard output.")]
ProductOption = Annotated[
    Path, typer.Option("--product", help="Product definition (TOML): vendor and class.")
]


@contextmanager
def _told() -> Iterator[None]:
    """Say what went wrong, and end with the exit code for it."""
    try:
        yield
    except (ProductError, KeyRingError, ReleaseError, OSError) as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(WRONG_INPUT) from None
    except ReleaseLogError as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(REFUSED) from None
    except FirstbootError as error:
        err.print(f"refused ({error.code}): {error}", style="red", markup=False)
        raise typer.Exit(REFUSED) from None
    except ValueError as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(WRONG_INPUT) from None


def _say(lines: list[tuple[str, str]], document: dict[str, Any], is_json: bool) -> None:
    """Words for people or one JSON document; control characters of foreign text never reach the terminal."""
    if is_json:
        json.dump(document, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in value)
        typer.echo(f"{name:{width}}  {shown}")


def _signer(keys: Path | None, key: Path | None) -> FileSigner:
    if (keys is None) == (key is None):
        raise ReleaseError("give either --keys DIR or --key PEM")
    if key is not None:
        return FileSigner.load(key)
    ring = KeyRing(keys or Path())
    if ring.is_development:
        err.print("signing with DEVELOPMENT keys", style="yellow")
    return FileSigner.load(ring.signer_path("author"))


@app.command()
def sign(  # noqa: PLR0913, PLR0917 - one parameter for each option
    image: Annotated[Path, typer.Argument(help="Signed boot image (MCUboot format).")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the release; must not hold one yet.")],
    product: ProductOption,
    mitigates: Annotated[str, typer.Option("--mitigates", help="What the release mends, for the owner.")],
    interrupts: Annotated[str, typer.Option("--interrupts", help="What the owner notices meanwhile.")],
    keys: Annotated[Path | None, typer.Option("--keys", help="Key folder; its author signs.")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Author's P-256 private key (PEM).")] = None,
    sequence: Annotated[
        int | None, typer.Option("--sequence", min=1, help="Default: last signed + 1.")
    ] = None,
    log: Annotated[Path, typer.Option("--log", help="Release log.")] = Path("releases.jsonl"),
    is_json: JsonOption = False,
) -> None:
    """Make a release of IMAGE: text, digests, SUIT envelope; checked as a unit checks it.

    The sequence number must go forward against the release log, which only grows.
    """
    with _told():
        if (out / ENVELOPE_NAME).exists():
            raise ReleaseError(f"{out} holds a release already")
        ids, signer, payload = load_product(product), _signer(keys, key), image.read_bytes()
        info = image_info(payload)
        releases = ReleaseLog(log)
        with releases.locked():
            number = releases.newest(ids.class_id) + 1 if sequence is None else sequence
            releases.require_forward(ids.class_id, number)
            texts = {"version": info.version_text, "mitigates": mitigates, "interrupts": interrupts}
            release = _build(payload, ids, number, signer, texts)
            entry = _log_entry(release, ids.class_id, info.version_text)
            releases.append(entry)  # before the envelope exists outside this process
        release.save(out)
    lines = [
        ("release", str(out)),
        ("sequence number", str(number)),
        ("version", info.version_text),
        ("security counter", str(info.security_counter)),
        ("payload", f"{len(payload)} bytes, SHA-256 {entry.payload_sha256}"),
        ("signed by", signer.key_id.hex()),
    ]
    document = {"release": str(out), "key_id": signer.key_id.hex(), "security_counter": info.security_counter}
    _say(lines, document | vars(entry), is_json)


def _build(payload: bytes, ids: Product, number: int, signer: Signer, texts: dict[str, str]) -> Release:
    return build_release(
        payload,
        vendor_id=ids.vendor_id,
        class_id=ids.class_id,
        sequence_number=number,
        signer=signer,
        **texts,
    )


def _log_entry(release: Release, class_id: bytes, version: str) -> LogEntry:
    return LogEntry(
        class_id=class_id.hex(),
        sequence_number=release.sequence_number,
        version=version,
        payload_sha256=release.payload_digest.hex(),
        envelope_sha256=hashlib.sha256(release.envelope).hexdigest(),
        signed_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    )


def _envelope_bytes(release: Path) -> bytes:
    return (release / ENVELOPE_NAME if release.is_dir() else release).read_bytes()


@app.command()
def inspect(
    release: Annotated[Path, typer.Argument(help="Release folder or SUIT envelope.")],
    is_json: JsonOption = False,
) -> None:
    """Show what an envelope says, in words and in CBOR diagnostic notation. Verifies nothing."""
    with _told():
        data = _envelope_bytes(release)
        parts = suit_envelope.decode(data)
        content = manifest.decode(parts.manifest)
        diagnostic = envelope_notation(data)
        signers = [one for each in parts.signatures for one in cose.decode(each).signers]
    names = [
        (one.algorithm, "no key id" if one.key_id is None else f"key {one.key_id.hex()}") for one in signers
    ]
    lines = [
        ("envelope", f"{len(data)} bytes, not verified"),
        ("sequence number", str(content.sequence_number)),
        ("components", ", ".join("/".join(map(_shown, one)) for one in content.components)),
        *(("signature", f"algorithm {algorithm}, {name}") for algorithm, name in names),
        ("severed members", ", ".join(map(str, sorted(content.severed))) or "none"),
    ]
    document = {
        "envelope_bytes": len(data),
        "is_verified": False,
        "sequence_number": content.sequence_number,
        "signatures": [{"algorithm": algorithm, "key": name} for algorithm, name in names],
        "diagnostic": diagnostic,
    }
    _say(lines, document, is_json)
    if not is_json:
        typer.echo("\n" + diagnostic)


def _shown(part: bytes) -> str:
    return part.decode() if part.isascii() and part.decode().isprintable() else part.hex()


@app.command()
def verify(
    release: Annotated[Path, typer.Argument(help="Release folder, or a SUIT envelope alone.")],
    anchors: Annotated[Path | None, typer.Option("--anchors", help="A unit's anchors record (CBOR).")] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="Author's P-256 public or private key (PEM).")
    ] = None,
    product: Annotated[
        Path | None, typer.Option("--product", help="With --key: product definition, for vendor and class.")
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Check a release exactly as a unit would: author, digests, vendor, class, sizes, every chunk."""
    with _told():
        data = _envelope_bytes(release)
        trusted, is_class_checked = choose_anchors(data, anchors, key, product)
        verified = verify_envelope(data, trusted)
        if release.is_dir():
            check_files(Release.load(release), verified)
    what = "as a unit with these anchors would" if is_class_checked else "author only: any vendor and class"
    lines = [
        ("verified", what + ("" if release.is_dir() else "; no payload beside it")),
        ("sequence number", str(verified.sequence_number)),
        ("firmware", f"{verified.firmware.size} bytes, SHA-256 {verified.firmware.digest.hex()}"),
    ]
    if verified.text is not None:
        lines += [(name, getattr(verified.text, name)) for name in verified.text._fields]
    document = {
        "is_verified": True,
        "is_class_checked": is_class_checked,
        "is_payload_checked": release.is_dir(),
        "sequence_number": verified.sequence_number,
        "firmware_sha256": verified.firmware.digest.hex(),
        "text": None if verified.text is None else verified.text._asdict(),
    }
    _say(lines, document, is_json)


def _add_publish() -> None:
    """`firstboot release publish` belongs to the part that knows brokers; without it the rest works."""
    try:
        from provisioning.publishing.commands import publish_command
    except ModuleNotFoundError as error:
        if error.name != "provisioning.publishing.commands":
            raise
    else:
        app.command("publish")(publish_command)


_add_publish()
