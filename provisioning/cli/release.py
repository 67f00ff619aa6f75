"""`firstboot release`: sign firmware into a release, look into one, verify one as a unit would."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from device.codec import cose
from device.suit import envelope as suit_envelope
from device.suit import manifest
from device.trust.verify import verify_envelope
from provisioning.cli.commands import CommandGroup
from provisioning.cli.release_output import JsonOption, say
from provisioning.cli.release_record import record_command
from provisioning.cli.release_sign import image_command, sign
from provisioning.release.check import check_delta, check_files, choose_anchors, claimed_ids, firmware_of
from provisioning.release.diagnostic import envelope_notation
from provisioning.release.explain import app_lines, delta_document, delta_lines, explain
from provisioning.release.release import ENVELOPE_NAME, Release

HELP = """Sign firmware into releases, look into them, verify them as a unit would.

A release is a folder: `release.suit` (the signed SUIT envelope), `payload.bin` (the firmware) and `chunks.bin` (digests
of its chunks), and the same two of an application set (`app.bin`, `app-chunks.bin`) and of a delta (`delta.bin`,
`delta-chunks.bin`) where it has them.

Exit codes: 0 done; 1 refused (the reason is said); 2 the command line, a key or a file cannot be used.
"""

app = CommandGroup(HELP)
app.command("image")(image_command)
app.command()(sign)
app.command("record")(record_command)


def _envelope_bytes(release: Path) -> bytes:
    return (release / ENVELOPE_NAME if release.is_dir() else release).read_bytes()


@app.command()
def inspect(
    release: Annotated[Path, typer.Argument(help="Release folder or SUIT envelope.")],
    is_json: JsonOption = False,
) -> None:
    """Show what an envelope says, in words and in CBOR diagnostic notation. Verifies nothing."""
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
    say(lines, document, is_json)
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
    delta_from: Annotated[
        Path | None,
        typer.Option("--delta-from", help="Image or release folder that the delta was made from: apply it."),
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Check a release exactly as a unit would: author, digests, vendor, class, sizes, every chunk.

    A delta is applied as well where --delta-from says to what.
    """
    data = _envelope_bytes(release)
    trusted, is_class_checked = choose_anchors(data, anchors, key, product)
    verified = verify_envelope(data, trusted)
    if release.is_dir():
        check_files(Release.load(release), verified)
    if delta_from is not None:
        check_delta(Release.load(release), verified, firmware_of(delta_from))
    what = "as a unit with these anchors would" if is_class_checked else "author only: any vendor and class"
    lines = [
        ("verified", what + ("" if release.is_dir() else "; no payload beside it")),
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
    say(lines, document, is_json)


for old, new in (
    ("init", "firstboot keys init"),
    ("keygen", "firstboot keys generate signing"),
    ("keyset", "firstboot keys sign-set"),
    ("rotate", "firstboot keys rotate"),
    ("revoke", "firstboot keys revoke"),
    ("drill", "firstboot keys drill"),
):
    app.moved(old, new)


def _add_publish() -> None:
    """`firstboot release publish` belongs to the part that knows brokers; without it the rest works."""
    try:
        from provisioning.cli.release_publish import publish_command
    except ModuleNotFoundError as error:
        if error.name != "provisioning.cli.release_publish":
            raise
    else:
        app.command("publish")(publish_command)


_add_publish()
