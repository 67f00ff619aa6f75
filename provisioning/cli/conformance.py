"""`firstboot conformance`: does an envelope pass, and if not, why; for our envelopes and for anyone's."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Annotated

import typer

from device.errors import FirstbootError
from device.limits import ANCHOR_KEYS
from provisioning.cli.commands import CommandGroup
from provisioning.keys.public_keys import PublicKey, PublicKeyError, parse
from provisioning.release.conformance import Recipient, check, explain

WRONG_INPUT = 2
ALGORITHMS = {"esp256": -9, "ed25519": -19, "hss-lms": -46}

HELP = """Check SUIT envelopes against draft-ietf-suit-manifest and the signature rules of this project."""

app = CommandGroup(HELP)


@app.callback()
def group() -> None:
    """Keep `check` a subcommand."""


def _identifier(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        return uuid.UUID(text).bytes
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no UUID") from None


def _keys(paths: list[Path]) -> list[PublicKey]:
    keys: list[PublicKey] = []
    for path in paths:
        try:
            keys += parse(path.read_bytes())
        except (OSError, PublicKeyError) as error:
            raise typer.BadParameter(f"{path}: {error}") from error
    return keys


def _required(names: list[str]) -> list[int]:
    for name in names:
        if name not in ALGORITHMS:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(ALGORITHMS)}")
    return [ALGORITHMS[name] for name in names]


@app.command("check")
def check_command(  # noqa: PLR0913, PLR0917 - one parameter for each option
    envelope: Annotated[Path, typer.Argument(help="SUIT envelope.", exists=True, dir_okay=False)],
    anchor: Annotated[
        list[Path],
        typer.Option(
            "--anchor", help="Author's key: COSE_Key(Set), PEM, certificate, raw HSS or LMS; repeatable."
        ),
    ],
    vendor: Annotated[str | None, typer.Option("--vendor", help="Vendor UUID of the recipient.")] = None,
    klass: Annotated[str | None, typer.Option("--class", help="Class UUID of the recipient.")] = None,
    device: Annotated[str | None, typer.Option("--device", help="Device UUID of the recipient.")] = None,
    installed: Annotated[
        int | None, typer.Option("--installed", min=0, help="Sequence number that is installed already.")
    ] = None,
    now: Annotated[int | None, typer.Option("--now", min=0, help="Trusted time (unix seconds).")] = None,
    slot: Annotated[int | None, typer.Option("--slot", min=0, help="Slot that would be written.")] = None,
    threshold: Annotated[
        int, typer.Option("--threshold", min=1, max=4, help="How many of the anchors must have signed.")
    ] = 1,
    require: Annotated[
        list[str] | None, typer.Option("--require", help="esp256, ed25519 or hss-lms among them; repeatable.")
    ] = None,
) -> None:
    """Print `accept`, or `refuse: REASON`.

    The first word of REASON is the kind of refusal (cbor, suit, cose, signature, digest-mismatch, ...). What is not
    given of the recipient is not compared. Exit codes: 0 accepted, 1 refused, 2 the command line was wrong.
    """
    recipient = Recipient(_identifier(vendor), _identifier(klass), _identifier(device), installed, now, slot)
    keys = _keys(anchor)
    if not 0 < len(keys) <= ANCHOR_KEYS:
        raise typer.BadParameter(f"1 to {ANCHOR_KEYS} anchor keys")
    required = _required(require or [])
    try:
        check(envelope.read_bytes(), keys, recipient, threshold=threshold, required=required)
    except FirstbootError as error:
        typer.echo(f"refuse: {explain(error)}")
        raise typer.Exit(1) from None
    typer.echo("accept")
