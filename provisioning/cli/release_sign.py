"""`firstboot release sign`: make a release of firmware: manifest, digests, signatures, release log.

Rules:
1. Numbers go forward against the release log: the sequence number always, the security counter never back.
2. The log is locked from asking for a number until it is written; it is written before an envelope leaves the process.
3. HSS signers learn the highest index in the log, so that a machine that was restored from a backup refuses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer

from provisioning.cli.addresses import signer_place
from provisioning.cli.errors import InputError, warn
from provisioning.cli.one_line import one_line
from provisioning.cli.options import JsonOption, LogOption
from provisioning.cli.output import print_result
from provisioning.cli.settings import with_settings
from provisioning.cli.settings_fields import RelativeText
from provisioning.file_system import replace_file
from provisioning.keys.hss_signer import HssSigner
from provisioning.keys.key_ring import KeyRing
from provisioning.keys.signer import Signer
from provisioning.keys.signers import open_signers
from provisioning.product.product import Product, load_product
from provisioning.release.application_set import build_set
from provisioning.release.bill import BILL_NAME, bill_of
from provisioning.release.formats import boot_image
from provisioning.release.image import ImageInfo
from provisioning.release.log import LogEntry, ReleaseLog
from provisioning.release.numbering import indices, now_text, older_image, report_highest, require_build
from provisioning.release.release import ENVELOPE_NAME, Release, build_release

DEFAULT_LOG: Final = Path("releases.jsonl")


@dataclass(frozen=True, kw_only=True)
class SignSettings:
    """The options of `release sign`: the payloads, the keys, and the texts for the owner of a device."""

    image: Annotated[
        Path, typer.Argument(metavar="IMAGE", help="Signed boot image (`firstboot release image`).")
    ]
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the new release.")]
    product: Annotated[
        Path,
        typer.Option("--product", metavar="FILE", help="Product definition (TOML): vendor and class."),
    ]
    mitigates: Annotated[
        str,
        typer.Option(
            "--mitigates",
            metavar="TEXT",
            callback=one_line("release text"),
            help="What the release fixes, for the owner.",
        ),
    ]
    interrupts: Annotated[
        str,
        typer.Option(
            "--interrupts",
            metavar="TEXT",
            callback=one_line("release text"),
            help="What the owner notices during the update, for the owner.",
        ),
    ]
    signer: Annotated[
        list[str] | None,
        typer.Option(
            "--signer",
            metavar="KEY",
            help="Author's key: PEM file, hss:FOLDER or pkcs11: URI. Repeat it for several signatures.",
        ),
        RelativeText(signer_place),
    ] = None
    keys: Annotated[
        Path | None,
        typer.Option("--keys", metavar="DIR", help="Key folder whose author signs. Instead of --signer."),
    ] = None
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="Author's private key (PEM). The same as --signer FILE."),
    ] = None
    sequence: Annotated[
        int | None,
        typer.Option(
            "--sequence", min=1, help="Sequence number. Default: the image's build number, or the next one."
        ),
    ] = None
    log: LogOption = DEFAULT_LOG
    delta_from: Annotated[
        Path | None,
        typer.Option(
            "--delta-from",
            metavar="RELEASE",
            help="Image or release folder that devices run now. They then fetch a small patch. Needs the package"
            " detools.",
        ),
    ] = None
    app: Annotated[
        Path | None,
        typer.Option(
            "--app",
            metavar="DIR",
            help="The application: a folder with the package `app`. With an IMAGE that devices run already, they fetch"
            " only the application. Without this option devices remove the application they have.",
        ),
    ] = None
    sbom: Annotated[
        Path | None,
        typer.Option(
            "--sbom",
            metavar="FILE",
            help="Bill of materials that `firstboot firmware build` wrote for this firmware. It is kept in the release,"
            " and its SHA-256 in the release log.",
        ),
    ] = None
    is_json: JsonOption = False


class Signed(NamedTuple):
    """A release with its line in the log."""

    release: Release
    entry: LogEntry
    info: ImageInfo
    signers: list[Signer]


@with_settings(SignSettings, "release.sign")
def sign(settings: SignSettings) -> None:
    """Make a signed release of a boot image, and check it as a device would.

    The sequence number must be higher than any in the release log for the product class. The security counter must not
    be lower.

    Example: `firstboot release sign 12.img --out release-12 --config maker/firstboot.toml --mitigates "CVE-2026-1"
    --interrupts "restarts once"`
    """
    if (settings.out / ENVELOPE_NAME).exists():
        raise InputError(f"{settings.out} contains a release already. Name a new folder.")
    payload = settings.image.read_bytes()
    signers = _signers(settings)
    bill = b"" if settings.sbom is None else bill_of(settings.sbom, boot_image(payload).raw)
    signed = _sign(settings, load_product(settings.product), payload, signers, bill)
    if bill:
        settings.out.mkdir(parents=True, exist_ok=True)
        replace_file(settings.out / BILL_NAME, bill)  # before the envelope, whose folder is complete
    signed.release.save(settings.out)
    warn_of_few(signers)
    _report(signed, settings)


def _sign(settings: SignSettings, ids: Product, payload: bytes, signers: list[Signer], bill: bytes) -> Signed:
    """Number, build and log a release while the log is locked (rules 1 to 3)."""
    info = boot_image(payload).info
    releases = ReleaseLog(settings.log)
    with releases.locked():
        number = settings.sequence
        if number is None:
            number = max(releases.newest(ids.class_id) + 1, info.version[3])
        releases.require_forward(ids.class_id, number)
        releases.require_counter(ids.class_id, info.security_counter)
        report_highest(releases, signers)
        require_build(info, number, payload, settings.app is not None, releases.entries())
        app = None if settings.app is None else build_set(settings.app)
        release = build_release(
            payload,
            vendor_id=ids.vendor_id,
            class_id=ids.class_id,
            sequence_number=number,
            signer=signers,
            version=info.version_text,
            mitigates=settings.mitigates,
            interrupts=settings.interrupts,
            delta_from=older_image(settings.delta_from, number),
            app=app,
            bill=bill,
        )
        entry = _log_entry(release, ids.class_id, info, signers, bill)
        releases.append(entry)  # before the envelope exists outside this process
    return Signed(release, entry, info, signers)


def _report(signed: Signed, settings: SignSettings) -> None:
    release, entry, info, signers = signed
    key_ids = [one.key_id.hex() for one in signers]
    lines = [
        ("release", str(settings.out)),
        ("sequence number", str(entry.sequence_number)),
        ("version", info.version_text),
        ("security counter", str(info.security_counter)),
        ("payload", f"{len(release.payload)} bytes, SHA-256 {entry.payload_sha256}"),
        *_delta_line(release),
        *_app_line(release, info, entry.sequence_number),
        *([("bill of materials", f"SHA-256 {entry.sbom_sha256}")] if entry.sbom_sha256 else []),
        ("signed by", ", ".join(key_ids)),
    ]
    document: dict[str, Any] = {
        "release": str(settings.out),
        "key_id": key_ids[0],
        "key_ids": key_ids,
        "delta_bytes": None if release.delta is None else len(release.delta.content),
        "app_bytes": None if release.app is None else len(release.app.content),
    }
    print_result(lines, document | vars(entry), settings.is_json)


def _signers(settings: SignSettings) -> list[Signer]:
    ways = [way for way in (settings.keys, settings.key, settings.signer) if way]
    if len(ways) != 1:
        raise InputError(
            "Give one of --signer, --keys and --key, on the command line or in [release.sign] of firstboot.toml."
        )
    if settings.keys is not None:
        ring = KeyRing(settings.keys)
        if ring.is_development:
            warn("Signing with DEVELOPMENT keys.")
        return [ring.signer("author")]
    return open_signers([str(settings.key)] if settings.key is not None else settings.signer or [])


def warn_of_few(signers: Sequence[Signer]) -> None:
    """Warn while there is time to generate the next tree and to put it into a key set."""
    for one in signers:
        if isinstance(one, HssSigner) and one.is_nearly_used_up():
            warn(
                f"tree {one.key_id.hex()}: {one.left()} of {one.signatures} signatures left; make the next one"
            )


def _delta_line(release: Release) -> list[tuple[str, str]]:
    if release.delta is None:
        return []
    patch, whole = len(release.delta.content), len(release.payload)
    return [
        (
            "delta",
            f"{patch} bytes in place of {whole} for units that run the older image ({patch / whole:.1%})",
        )
    ]


def _app_line(release: Release, info: ImageInfo, number: int) -> list[tuple[str, str]]:
    if release.app is None:
        return []
    how = "with the firmware"
    if info.version[3] != number:
        how = f"without firmware for units that run {info.version_text}, with the firmware for others"
    return [("application", f"{len(release.app.content)} bytes, {how}")]


def _log_entry(
    release: Release, class_id: bytes, info: ImageInfo, signers: Sequence[Signer], bill: bytes
) -> LogEntry:
    return LogEntry(
        class_id=class_id.hex(),
        sequence_number=release.sequence_number,
        version=info.version_text,
        payload_sha256=release.payload_digest.hex(),
        envelope_sha256=hashlib.sha256(release.envelope).hexdigest(),
        signed_at=now_text(),
        security_counter=info.security_counter,
        hss=indices(signers),
        sbom_sha256=hashlib.sha256(bill).hexdigest() if bill else "",
    )
