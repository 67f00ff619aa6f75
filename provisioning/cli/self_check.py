"""`firstboot self-check`: check that a device is set up securely, with the fingerprint on its label."""

from __future__ import annotations

import dataclasses
import sys
from typing import Annotated

import typer

from provisioning.cli.errors import InputError
from provisioning.cli.exit_codes import ExitCode
from provisioning.cli.onboard import Asker, from_label, only_the_device_on_the_label
from provisioning.cli.options import DeviceHostOption, FingerprintOption, JsonOption, LabelPictureOption
from provisioning.cli.output import print_report
from provisioning.onboarding.client import DeviceClient
from provisioning.onboarding.self_check import Answer, self_check


def self_check_command(
    label: LabelPictureOption = None,
    host: DeviceHostOption = None,
    fingerprint: FingerprintOption = None,
    is_public: Annotated[
        bool, typer.Option("--no-sign-in", help="Check only what anyone on your network can see.")
    ] = False,
    is_json: JsonOption = False,
) -> None:
    """Check that your device is set up securely: it has an owner, is closed to others, and gets its updates.

    The command changes nothing. It asks for your password and sends it only to the device whose certificate has the
    label's fingerprint. If standard input is not a terminal, the password is read from it (after the fingerprint, if
    neither --label nor --fingerprint has it).

    Exit code 1: something needs your attention. Exit code 3: another device answered, and nothing was sent to it.

    Example: `firstboot self-check --label label.png`
    """
    ask = Asker(sys.stdin)
    address, pin, _ = from_label(label, host, fingerprint, ask)
    password = "" if is_public else ask.line("Password of the device", is_secret=True)
    if not (password or is_public):
        raise InputError("The password is empty. Use --no-sign-in to check only what anyone can see.")
    client = DeviceClient(lambda: address, pin)
    with only_the_device_on_the_label():
        answers = self_check(client, password)
    is_well = all(one.is_well for one in answers)
    document = {"is_well": is_well, "answers": [dataclasses.asdict(one) for one in answers]}
    print_report([line for one in answers for line in _lines(one)], document, is_json)
    if not is_well:
        raise typer.Exit(int(ExitCode.FAILED))


def _lines(answer: Answer) -> list[str]:
    mark = "ok  " if answer.is_well else "LOOK"
    return [f"{mark}  {answer.text}", *([f"      {answer.advice}"] if answer.advice else [])]
