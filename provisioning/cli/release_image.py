"""`firstboot release image`: sign firmware for the boot ROM."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.options import JsonOption, LogOption
from provisioning.cli.output import print_result
from provisioning.cli.release_sign import DEFAULT_LOG, warn_of_few
from provisioning.keys.hss_signer import HssSigner
from provisioning.keys.signer import Signer
from provisioning.release.image import ImageInfo, image_info, sign_image
from provisioning.release.log import LogEntry, ReleaseLog
from provisioning.release.numbering import indices, now_text, report_highest


def image_command(
    raw: Annotated[
        Path, typer.Argument(metavar="FIRMWARE", help="Firmware made by `firstboot firmware build`.")
    ],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="Image key: P-256 private key (PEM).")],
    version: Annotated[
        str,
        typer.Option(
            "--version",
            metavar="VERSION",
            help="Version M.m.r+b. The build number b becomes the sequence number.",
        ),
    ],
    counter: Annotated[
        int,
        typer.Option(
            "--security-counter", min=0, help="Raise it to prevent a return to images with a lower counter."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The signed image.")],
    hss: Annotated[
        Path | None,
        typer.Option("--hss", metavar="DIR", help="HSS/LMS tree. Needed if the boot ROM demands one."),
    ] = None,
    log: LogOption = DEFAULT_LOG,
    is_json: JsonOption = False,
) -> None:
    """Sign firmware for the boot ROM with P-256, and with HSS/LMS over the same digest if `--hss` is given.

    Example: `firstboot release image firmware.bin --key maker/keys/image-0.pem --version 1.2.0+12 --security-counter 3
    --out 12.img`
    """
    tree = None if hss is None else HssSigner(hss)
    signers = [tree] if tree else []
    releases = ReleaseLog(log)
    with releases.locked():
        report_highest(releases, signers)
        sign_image(raw, key, version=version, security_counter=counter, out=out, hss=tree)
        info = image_info(out.read_bytes())
        if tree is not None:
            releases.append(_log_entry(info, out, signers))
    _report(out, info, tree, is_json)


def _report(out: Path, info: ImageInfo, tree: HssSigner | None, is_json: bool) -> None:
    warn_of_few([tree] if tree else [])
    rows = [
        ("image", str(out)),
        ("version", info.version_text),
        ("digest", info.digest.hex()),
        ("signed with", "P-256" if tree is None else "P-256 and HSS/LMS"),
    ]
    document = {
        "image": str(out),
        "version": info.version_text,
        "digest": info.digest.hex(),
        "security_counter": info.security_counter,
        "hss_index": None if tree is None else tree.last_index,
    }
    print_result(rows, document, is_json)


def _log_entry(info: ImageInfo, out: Path, signers: Sequence[Signer]) -> LogEntry:
    """Return a boot image that was signed with a tree: no class, no sequence number, no envelope."""
    return LogEntry(
        class_id="",
        sequence_number=0,
        version=info.version_text,
        payload_sha256=hashlib.sha256(out.read_bytes()).hexdigest(),
        envelope_sha256="",
        signed_at=now_text(),
        security_counter=info.security_counter,
        hss=indices(signers),
    )
