"""`firstboot conformance`: check SUIT envelopes of this project or of anyone else."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from device.errors import FirstbootError
from device.limits import ANCHOR_KEYS
from provisioning.cli.commands import CommandGroup
from provisioning.cli.errors import InputError
from provisioning.cli.exit_codes import ExitCode
from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_report
from provisioning.cli.settings import with_settings
from provisioning.keys.public_keys import PublicKey, PublicKeyError, parse
from provisioning.release.conformance import Recipient, check, explain

ALGORITHMS: Final = {"esp256": -9, "ed25519": -19, "hss-lms": -46}

HELP = """Check SUIT envelopes against draft-ietf-suit-manifest and the signature rules of this project.

Example: `firstboot conformance check release.suit --anchor author.pem`
"""

app = CommandGroup(HELP)


@app.callback()
def group() -> None:
    """Keep `check` a subcommand."""


@dataclass(frozen=True, kw_only=True)
class CheckSettings:
    """The options of `conformance check`: the envelope, the keys to trust, and the receiving device."""

    envelope: Annotated[
        Path, typer.Argument(metavar="ENVELOPE", help="The SUIT envelope.", exists=True, dir_okay=False)
    ]
    anchor: Annotated[
        list[Path],
        typer.Option(
            "--anchor",
            metavar="FILE",
            help="Author's key: COSE_Key(Set), PEM, certificate, raw HSS or LMS. Repeat it for several.",
        ),
    ]
    vendor: Annotated[
        str | None, typer.Option("--vendor", metavar="UUID", help="Vendor of the receiving device.")
    ] = None
    klass: Annotated[
        str | None, typer.Option("--class", metavar="UUID", help="Class of the receiving device.")
    ] = None
    device: Annotated[
        str | None, typer.Option("--device", metavar="UUID", help="Id of the receiving device.")
    ] = None
    installed: Annotated[
        int | None, typer.Option("--installed", min=0, help="Sequence number that is already installed.")
    ] = None
    now: Annotated[int | None, typer.Option("--now", min=0, help="Trusted time in unix seconds.")] = None
    slot: Annotated[int | None, typer.Option("--slot", min=0, help="Slot that would be written.")] = None
    threshold: Annotated[
        int, typer.Option("--threshold", min=1, max=4, help="How many of the anchors must have signed.")
    ] = 1
    require: Annotated[
        list[str] | None,
        typer.Option(
            "--require",
            metavar="ALGORITHM",
            help=f"An algorithm that must be among the signatures: {', '.join(ALGORITHMS)}.",
        ),
    ] = None
    is_json: JsonOption = False


@app.command("check")
@with_settings(CheckSettings, "conformance.check")
def check_command(settings: CheckSettings) -> None:
    """Print `accept`, or `refuse: REASON` and end with exit code 1.

    The first word of REASON is the kind of refusal (cbor, suit, cose, signature, digest-mismatch, ...). Facts about the
    receiving device that you leave out are not compared.

    Example: `firstboot conformance check release.suit --anchor author.pem --vendor
    fa6b4a53-d5ad-5fdf-be9d-e663e4d41ffe`
    """
    recipient = Recipient(
        _identifier(settings.vendor, "--vendor"),
        _identifier(settings.klass, "--class"),
        _identifier(settings.device, "--device"),
        settings.installed,
        settings.now,
        settings.slot,
    )
    keys = _keys(settings.anchor)
    required = _required(settings.require or [])
    reason = None
    try:
        data = settings.envelope.read_bytes()
        check(data, keys, recipient, threshold=settings.threshold, required=required)
    except FirstbootError as error:
        reason = explain(error)
    line = "accept" if reason is None else f"refuse: {reason}"
    print_report([line], {"is_accepted": reason is None, "reason": reason}, settings.is_json)
    if reason is not None:
        raise typer.Exit(int(ExitCode.FAILED))


def _identifier(text: str | None, option: str) -> bytes | None:
    if text is None:
        return None
    try:
        return uuid.UUID(text).bytes
    except ValueError:
        raise InputError(f"{option}: {text!r} is not a UUID.") from None


def _keys(paths: list[Path]) -> list[PublicKey]:
    keys: list[PublicKey] = []
    for path in paths:
        try:
            keys += parse(path.read_bytes())
        except PublicKeyError as error:
            raise InputError(f"{path}: {error}") from error
    if not 0 < len(keys) <= ANCHOR_KEYS:
        raise InputError(f"Give 1 to {ANCHOR_KEYS} keys with --anchor.")
    return keys


def _required(names: list[str]) -> list[int]:
    for name in names:
        if name not in ALGORITHMS:
            raise InputError(f"There is no algorithm {name!r}. Use one of: {', '.join(ALGORITHMS)}.")
    return [ALGORITHMS[name] for name in names]
