"""`firstboot release sign` and `firstboot release image`: the two signatures over new firmware.

Rules:
1. Numbers go forward against the release log: the sequence number always, the security counter never back.
2. The log is held from asking for a number to having written it; it is written before an envelope leaves the process.
3. HSS signers are told the highest index in the log, so that a machine that was set back refuses.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.release_output import JsonOption, say, warn
from provisioning.keys.hss_signer import HssSigner
from provisioning.keys.key_ring import KeyRing
from provisioning.keys.signer import Signer
from provisioning.keys.signers import open_signers
from provisioning.product.product import Product, load_product
from provisioning.release.application_set import build_set
from provisioning.release.check import firmware_of
from provisioning.release.config import ReleaseConfig, load_config
from provisioning.release.image import ImageInfo, ImageSigningError, image_info, sign_image
from provisioning.release.log import LogEntry, ReleaseLog
from provisioning.release.payload import Payload
from provisioning.release.release import ENVELOPE_NAME, Release, ReleaseError, build_release

DEFAULT_LOG = Path("releases.jsonl")
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="release.yaml: product, log, signers, texts.")
]
SignerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--signer",
        help="PEM file, hss:FOLDER or a pkcs11: URI; several give several signatures. "
        "The PIN of a token: FIRSTBOOT_PKCS11_PIN or a prompt.",
    ),
]


@dataclass(frozen=True)
class Extras:
    """What goes out beside the firmware."""

    delta_from: bytes | None
    app: Payload | None


def sign(  # noqa: PLR0913, PLR0917 - one parameter for each option
    image: Annotated[Path, typer.Argument(help="Signed boot image (MCUboot format).")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the release; must not hold one yet.")],
    product: Annotated[
        Path | None, typer.Option("--product", help="Product definition (TOML): vendor and class.")
    ] = None,
    mitigates: Annotated[
        str | None, typer.Option("--mitigates", help="What the release mends, for the owner.")
    ] = None,
    interrupts: Annotated[
        str | None, typer.Option("--interrupts", help="What the owner notices meanwhile.")
    ] = None,
    keys: Annotated[Path | None, typer.Option("--keys", help="Key folder; its author signs.")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Author's private key (PEM).")] = None,
    signer: SignerOption = None,
    sequence: Annotated[
        int | None,
        typer.Option("--sequence", min=1, help="Default: the image's build number, or the next one."),
    ] = None,
    log: Annotated[
        Path | None, typer.Option("--log", help="Release log; default releases.jsonl.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    delta_from: Annotated[
        Path | None,
        typer.Option(
            "--delta-from",
            help="Image or release folder that units run: add a patch from it, so that these fetch less. "
            "Needs the package detools.",
        ),
    ] = None,
    app: Annotated[
        Path | None,
        typer.Option(
            "--app",
            help="Folder of the application, the package `app`: goes out and comes to run together with IMAGE. With an "
            "IMAGE of an earlier release, units that run it fetch the application alone. Without this option the "
            "release has no application, and units drop the one that they had.",
        ),
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Make a release of IMAGE: text, digests, SUIT envelope; checked as a unit checks it.

    The sequence number must go forward against the release log, which only grows; the security counter must not go
    back. Product, texts, signers and log may come from --config instead.
    """
    if (out / ENVELOPE_NAME).exists():
        raise ReleaseError(f"{out} holds a release already")
    known = load_config(config)
    ids, texts = (
        load_product(_given(product or known.product, "--product")),
        _texts(known, mitigates, interrupts),
    )
    signers, payload = _signers(keys, key, signer, known), image.read_bytes()
    info = image_info(payload)
    releases = ReleaseLog(log or known.log or DEFAULT_LOG)
    with releases.locked():
        number = max(releases.newest(ids.class_id) + 1, info.version[3]) if sequence is None else sequence
        releases.require_forward(ids.class_id, number)
        releases.require_counter(ids.class_id, info.security_counter)
        tell_highest(releases, signers)
        texts["version"] = info.version_text
        require_build(info, number, payload, app is not None, releases.entries())
        extras = Extras(_older_image(delta_from, number), None if app is None else build_set(app))
        release = _build(payload, ids, number, signers, texts, extras)
        entry = _log_entry(release, ids.class_id, info, signers)
        releases.append(entry)  # before the envelope exists outside this process
    release.save(out)
    warn_of_few(signers)
    key_ids = [one.key_id.hex() for one in signers]
    lines = [
        ("release", str(out)),
        ("sequence number", str(number)),
        ("version", info.version_text),
        ("security counter", str(info.security_counter)),
        ("payload", f"{len(payload)} bytes, SHA-256 {entry.payload_sha256}"),
        *_delta_line(release),
        *_app_line(release, info, number),
        ("signed by", ", ".join(key_ids)),
    ]
    delta_bytes = None if release.delta is None else len(release.delta.content)
    ids_shown = {"key_id": key_ids[0], "key_ids": key_ids}
    document = {"release": str(out), **ids_shown, "delta_bytes": delta_bytes}
    document["app_bytes"] = None if release.app is None else len(release.app.content)
    say(lines, document | vars(entry), is_json)


def image_command(
    raw: Annotated[
        Path, typer.Argument(help="Firmware without header, as `firstboot firmware build` makes it.")
    ],
    key: Annotated[Path, typer.Option("--key", help="Image key: P-256 private key (PEM).")],
    version: Annotated[str, typer.Option("--version", help="M.m.r+b; b becomes the sequence number.")],
    counter: Annotated[
        int, typer.Option("--security-counter", min=0, help="Raise it to close a hole for good.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The signed image.")],
    hss: Annotated[
        Path | None,
        typer.Option("--hss", help="HSS/LMS tree of the image key, where the boot ROM demands one."),
    ] = None,
    log: Annotated[Path, typer.Option("--log", help="Release log.")] = DEFAULT_LOG,
    is_json: JsonOption = False,
) -> None:
    """Sign firmware for the boot ROM: P-256 by imgtool, and HSS/LMS over the same digest where --hss is given."""
    tree = None if hss is None else HssSigner(hss)
    signers = [] if tree is None else [tree]
    releases = ReleaseLog(log)
    try:
        with releases.locked():
            tell_highest(releases, signers)
            sign_image(raw, key, version=version, security_counter=counter, out=out, hss=tree)
            info = image_info(out.read_bytes())
            if tree is not None:
                releases.append(_image_entry(info, out, signers))
    except ImageSigningError as error:
        raise ReleaseError(str(error)) from None
    warn_of_few(signers)
    signed = "P-256" if tree is None else "P-256 and HSS/LMS"
    lines = [
        ("image", str(out)),
        ("version", info.version_text),
        ("digest", info.digest.hex()),
        ("signed", signed),
    ]
    document = {
        "image": str(out),
        "version": info.version_text,
        "digest": info.digest.hex(),
        "security_counter": info.security_counter,
        "hss_index": None if tree is None else tree.last_index,
    }
    say(lines, document, is_json)


def tell_highest(releases: ReleaseLog, signers: Sequence[Signer]) -> None:
    """Rule 3."""
    for one in signers:
        if isinstance(one, HssSigner):
            one.logged = releases.highest_index(one.key_id)


def warn_of_few(signers: Sequence[Signer]) -> None:
    """Say so while there is time to make the next tree and to put it into a key set."""
    for one in signers:
        if isinstance(one, HssSigner) and one.is_nearly_used_up():
            warn(
                f"tree {one.key_id.hex()}: {one.left()} of {one.signatures} signatures left; make the next one"
            )


def _given(path: Path | None, option: str) -> Path:
    if path is None:
        raise ReleaseError(f"give {option}, or name it in the file of --config")
    return path


def _texts(known: ReleaseConfig, mitigates: str | None, interrupts: str | None) -> dict[str, str]:
    found = {"mitigates": mitigates or known.mitigates, "interrupts": interrupts or known.interrupts}
    for name, text in found.items():
        if not text:
            raise ReleaseError(f"give --{name}, or name it in the file of --config: the owner reads it")
    return {name: text for name, text in found.items() if text}


def _signers(
    keys: Path | None, key: Path | None, texts: Sequence[str] | None, known: ReleaseConfig
) -> list[Signer]:
    ways = [way for way in (keys, key, texts) if way]
    if len(ways) > 1 or not (ways or known.signers):
        raise ReleaseError(
            "give one of --keys DIR, --key PEM and --signer, or name signers in the file of --config"
        )
    if keys is not None:
        ring = KeyRing(keys)
        if ring.is_development:
            warn("signing with DEVELOPMENT keys")
        return [ring.signer("author")]
    return open_signers([str(key)] if key is not None else list(texts or known.signers))


def _build(
    payload: bytes,
    ids: Product,
    number: int,
    signers: list[Signer],
    texts: dict[str, str],
    extras: Extras,
) -> Release:
    return build_release(
        payload,
        vendor_id=ids.vendor_id,
        class_id=ids.class_id,
        sequence_number=number,
        signer=signers,
        version=texts["version"],
        mitigates=texts["mitigates"],
        interrupts=texts["interrupts"],
        delta_from=extras.delta_from,
        app=extras.app,
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
        how = f"alone for units that run {info.version_text}, with the firmware for others"
    return [("application", f"{len(release.app.content)} bytes, {how}")]


def require_build(
    info: ImageInfo, number: int, payload: bytes, has_app: bool, entries: Sequence[LogEntry]
) -> None:
    """Refuse what units would refuse: an image whose build is not the release's number. Raises ReleaseError.

    Its build number is the release's, so that a unit fresh from the factory knows what it runs. With an application an
    image that was released before may go out again.
    """
    build = info.version[3]
    if build == number:
        return
    if not has_app:
        raise ReleaseError(
            f"units would refuse this: the image is build {build} and the release {number}; sign the image as +{number}"
        )
    digest = hashlib.sha256(payload).hexdigest()
    if build > number or all(one.payload_sha256 != digest for one in entries):
        raise ReleaseError(
            f"the image is build {build}, not {number}, and no release of the log had it: an application alone goes "
            "out with an image that was released"
        )


def _older_image(path: Path | None, number: int) -> bytes | None:
    """The firmware that a delta is made from: an image, or the one of a release folder. Raises ReleaseError."""
    if path is None:
        return None
    data = firmware_of(path)
    build = image_info(data).version[3]
    if build >= number:
        raise ReleaseError(f"--delta-from {path} is release {build}, which is not older than {number}")
    return data


def _log_entry(release: Release, class_id: bytes, info: ImageInfo, signers: Sequence[Signer]) -> LogEntry:
    return LogEntry(
        class_id=class_id.hex(),
        sequence_number=release.sequence_number,
        version=info.version_text,
        payload_sha256=release.payload_digest.hex(),
        envelope_sha256=hashlib.sha256(release.envelope).hexdigest(),
        signed_at=_now(),
        security_counter=info.security_counter,
        hss=_indices(signers),
    )


def _image_entry(info: ImageInfo, out: Path, signers: Sequence[Signer]) -> LogEntry:
    """A boot image that was signed with a tree: no class, no sequence number, no envelope."""
    return LogEntry(
        class_id="",
        sequence_number=0,
        version=info.version_text,
        payload_sha256=hashlib.sha256(out.read_bytes()).hexdigest(),
        envelope_sha256="",
        signed_at=_now(),
        security_counter=info.security_counter,
        hss=_indices(signers),
    )


def _indices(signers: Sequence[Signer]) -> dict[str, int]:
    return {
        one.key_id.hex(): one.last_index
        for one in signers
        if isinstance(one, HssSigner) and one.last_index is not None
    }


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
