"""`firstboot release`: sign firmware into a release, inspect, verify and publish it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from device.codec import cose
from device.suit import envelope as suit_envelope
from device.suit import manifest
from device.trust.verify import verify_envelope
from provisioning.cli.commands import CommandGroup
from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_result
from provisioning.cli.release_image import image_command
from provisioning.cli.release_publish import publish_command
from provisioning.cli.release_record import record_command
from provisioning.cli.release_sign import sign
from provisioning.release.check import check_delta, check_files, choose_anchors, claimed_ids, firmware_of
from provisioning.release.diagnostic import envelope_notation
from provisioning.release.explain import app_lines, delta_document, delta_lines, explain
from provisioning.release.release import ENVELOPE_NAME, Release

HELP = """Sign firmware into releases, inspect releases, and verify them as a device would.

A release is a folder: `release.suit` (the signed SUIT envelope), `payload.bin` (the firmware) and `chunks.bin` (digests
of its chunks). If it has an application it also contains `app.bin` and `app-chunks.bin`, and for a delta `delta.bin`
and `delta-chunks.bin`.

Example: `firstboot release verify release-12 --key maker/keys/author.pem --product product.toml`
"""

app = CommandGroup(HELP)
app.command("image")(image_command)
app.command()(sign)
app.command("record")(record_command)
app.command("publish")(publish_command)


def _envelope_bytes(release: Path) -> bytes:
    return (release / ENVELOPE_NAME if release.is_dir() else release).read_bytes()


@app.command()
def inspect(
    release: Annotated[Path, typer.Argument(metavar="RELEASE", help="Release folder or SUIT envelope.")],
    is_json: JsonOption = False,
) -> None:
    """Show the contents of an envelope, in words and in CBOR diagnostic notation. Nothing is verified.

    Example: `firstboot release inspect release-12`
    """
    data = _envelope_bytes(release)
    parts = suit_envelope.decode(data)
    content = manifest.decode(parts.manifest)
    diagnostic = envelope_notation(data)
    what = explain(content, *claimed_ids(data)) + (app_lines(release) if release.is_dir() else [])
    signers = [one for each in parts.signatures for one in cose.decode(each).signers]
    names = [
        (one.algorithm, "no key id" if one.key_id is None else f"key {one.key_id.hex()}") for one in signers
    ]
    lines = [
        ("envelope", f"{len(data)} bytes, not verified"),
        ("sequence number", str(content.sequence_number)),
        ("components", ", ".join("/".join(map(_shown, one)) for one in content.components)),
        *what,
        *(("signature", f"algorithm {algorithm}, {name}") for algorithm, name in names),
        ("severed members", ", ".join(map(str, sorted(content.severed))) or "none"),
    ]
    document = {
        "envelope_bytes": len(data),
        "is_verified": False,
        "sequence_number": content.sequence_number,
        "signatures": [{"algorithm": algorithm, "key": name} for algorithm, name in names],
        "meaning": dict(what),
        "diagnostic": diagnostic,
    }
    print_result(lines, document, is_json)
    if not is_json:
        typer.echo("\n" + diagnostic)


def _shown(part: bytes) -> str:
    return part.decode() if part.isascii() and part.decode().isprintable() else part.hex()


@app.command()
def verify(
    release: Annotated[
        Path, typer.Argument(metavar="RELEASE", help="Release folder, or only a SUIT envelope.")
    ],
    anchors: Annotated[
        Path | None, typer.Option("--anchors", metavar="FILE", help="A unit's anchors record (CBOR).")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="Author's P-256 public or private key (PEM).")
    ] = None,
    product: Annotated[
        Path | None,
        typer.Option(
            "--product", metavar="FILE", help="Product definition. With --key: checks vendor and class too."
        ),
    ] = None,
    delta_from: Annotated[
        Path | None,
        typer.Option(
            "--delta-from",
            metavar="RELEASE",
            help="Image or release folder that the delta was made from. Applies the delta.",
        ),
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Verify a release exactly as a device would: author, digests, vendor, class, sizes and every chunk.

    Example: `firstboot release verify release-12 --key maker/keys/author.pem --product product.toml`
    """
    data = _envelope_bytes(release)
    trusted, is_class_checked = choose_anchors(data, anchors, key, product)
    verified = verify_envelope(data, trusted)
    if release.is_dir():
        check_files(Release.load(release), verified)
    if delta_from is not None:
        check_delta(Release.load(release), verified, firmware_of(delta_from))
    what = (
        "as a unit with these anchors would"
        if is_class_checked
        else "author only; vendor and class not checked"
    )
    lines = [
        ("verified", what + ("" if release.is_dir() else "; the payload was not checked")),
        ("sequence number", str(verified.sequence_number)),
        ("firmware", f"{verified.firmware.size} bytes, SHA-256 {verified.firmware.digest.hex()}"),
        *([("application set", f"{verified.app.size} bytes")] if verified.app else []),
        *delta_lines(verified.delta, verified.firmware),
    ]
    if verified.text is not None:
        lines += [(name, getattr(verified.text, name)) for name in verified.text._fields]
    document = {
        "is_verified": True,
        "is_class_checked": is_class_checked,
        "is_payload_checked": release.is_dir(),
        "is_delta_checked": delta_from is not None,
        "sequence_number": verified.sequence_number,
        "firmware_sha256": verified.firmware.digest.hex(),
        "app_sha256": verified.app.digest.hex() if verified.app else None,
        "delta": delta_document(verified.delta),
        "text": None if verified.text is None else verified.text._asdict(),
    }
    print_result(lines, document, is_json)


for old, new in (
    ("init", "firstboot keys init"),
    ("keygen", "firstboot keys generate signing"),
    ("keyset", "firstboot keys sign-set"),
    ("rotate", "firstboot keys rotate"),
    ("revoke", "firstboot keys revoke"),
    ("drill", "firstboot keys drill"),
):
    app.moved(old, new)
