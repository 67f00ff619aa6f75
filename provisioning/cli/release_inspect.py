"""`firstboot release inspect` and `verify`: show an envelope, and verify a release as a device would."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from device.codec import cose
from device.suit import envelope as suit_envelope
from device.suit import manifest
from device.trust.verify import VerifiedManifest, verify_envelope
from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_line, print_result
from provisioning.release.bill import check_bill, named_bill
from provisioning.release.check import check_delta, check_files, choose_anchors, claimed_ids, firmware_of
from provisioning.release.diagnostic import envelope_notation
from provisioning.release.explain import app_lines, delta_document, delta_lines, explain
from provisioning.release.release import ENVELOPE_NAME, Release


def _envelope_bytes(release: Path) -> bytes:
    return (release / ENVELOPE_NAME if release.is_dir() else release).read_bytes()


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
    rows = [
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
    print_result(rows, document, is_json)
    if not is_json:
        print_line("\n" + diagnostic)


def _shown(part: bytes) -> str:
    return part.decode() if part.isascii() and part.decode().isprintable() else part.hex()


class Verified(NamedTuple):
    """A release that passed, and what was checked besides its author."""

    manifest: VerifiedManifest
    is_class_checked: bool
    is_payload_checked: bool
    is_delta_checked: bool
    bill_sha256: str = ""


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
    found = verify_envelope(data, trusted)
    if release.is_dir():
        check_files(Release.load(release), found)
    bill = check_bill(release, data) if release.is_dir() else named_bill(data)
    if delta_from is not None:
        check_delta(Release.load(release), found, firmware_of(delta_from))
    verified = Verified(found, is_class_checked, release.is_dir(), delta_from is not None, bill)
    print_result(_rows(verified), _document(verified), is_json)


def _rows(verified: Verified) -> list[tuple[str, str]]:
    found = verified.manifest
    how = (
        "as a unit with these anchors would"
        if verified.is_class_checked
        else "author only; vendor and class not checked"
    )
    rows = [
        ("verified", how + ("" if verified.is_payload_checked else "; the payload was not checked")),
        ("sequence number", str(found.sequence_number)),
        ("firmware", f"{found.firmware.size} bytes, SHA-256 {found.firmware.digest.hex()}"),
        *([("application set", f"{found.app.size} bytes")] if found.app else []),
        *delta_lines(found.delta, found.firmware),
        *([("bill of materials", f"SHA-256 {verified.bill_sha256}")] if verified.bill_sha256 else []),
    ]
    if found.text is not None:
        rows += [(name, getattr(found.text, name)) for name in found.text._fields]
    return rows


def _document(verified: Verified) -> dict[str, Any]:
    found = verified.manifest
    return {
        "is_verified": True,
        "is_class_checked": verified.is_class_checked,
        "is_payload_checked": verified.is_payload_checked,
        "is_delta_checked": verified.is_delta_checked,
        "sequence_number": found.sequence_number,
        "firmware_sha256": found.firmware.digest.hex(),
        "app_sha256": found.app.digest.hex() if found.app else None,
        "delta": delta_document(found.delta),
        "sbom_sha256": verified.bill_sha256,
        "text": None if found.text is None else found.text._asdict(),
    }
