"""`firstboot onboard`: set up a device from a terminal, with the fingerprint and the code on its label."""

from __future__ import annotations

import contextlib
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TextIO

import typer

from device.errors import PasswordError, SetupCodeError
from device.owner import setup_code
from provisioning.cli.errors import InputError
from provisioning.cli.options import DeviceHostOption, FingerprintOption, JsonOption, LabelPictureOption
from provisioning.cli.output import print_report
from provisioning.onboarding.client import DeviceClient, FingerprintError, fingerprint_of
from provisioning.onboarding.flow import (
    Found,
    OnboardError,
    RefusedError,
    look,
    prove,
    set_up,
)
from provisioning.station.labels import read_label

HTTPS_PORT: Final = 443
LINE_CHARS: Final = 1024  # longest line of standard input that is looked at
PATIENCE_S: Final = 130  # longest wait that a device may ask for before this gives up
TRIES: Final = 5

# Refusals that other input may avoid.
_TYPED_AGAIN: Final = {SetupCodeError.__name__, PasswordError.__name__}


def onboard(
    label: LabelPictureOption = None,
    host: DeviceHostOption = None,
    fingerprint: FingerprintOption = None,
    is_json: JsonOption = False,
) -> None:
    """Set up a device: enter the code on its label, and give it a password of your own.

    The command sends code and password only to the device whose certificate has the label's fingerprint. Nobody else
    on your network can get them. (A browser whose certificate warning you skipped does not protect you like this.)

    Code and password are never taken from the command line. They are asked for. If standard input is not a terminal,
    they are read from it, one line each: fingerprint (unless given), code (unless the label has it), password.

    Exit code 3: another device answered, and nothing was sent to it. Exit code 4: the device has an owner already.

    Example: `firstboot onboard --label label.png`
    """
    ask = Asker(sys.stdin)
    address, pin, code = from_label(label, host, fingerprint, ask)
    client = DeviceClient(lambda: address, pin)
    with only_the_device_on_the_label():
        found = look(client)
        _print_found(found, ask)
        password = _set_up(client, code, ask)
        status = prove(client, password)
    _report(address, pin, found, status, is_json)


@contextlib.contextmanager
def only_the_device_on_the_label() -> Iterator[None]:
    """Tell a person to stop if another device answers inside the block. Raises FingerprintError."""
    try:
        yield
    except FingerprintError:
        raise FingerprintError(
            "STOP: the device that answered is not the one on the label. Another computer may be intercepting the "
            "connection. Nothing was sent to it."
        ) from None


class Asker:
    """Asks a person on a terminal, or reads the next line of standard input."""

    def __init__(self, stdin: TextIO) -> None:
        self._stdin = stdin
        self.is_person = stdin.isatty()

    def line(self, question: str, *, is_secret: bool) -> str:
        if self.is_person:
            return str(typer.prompt(question, hide_input=is_secret, err=True))
        text = self._stdin.readline(LINE_CHARS + 1)
        if not text:
            raise InputError(f"standard input ended before: {question}")
        if len(text) > LINE_CHARS:
            raise InputError(f"a line of standard input is too long: {question}")
        return text.rstrip("\r\n")

    def new_password(self) -> str:
        while True:
            first = self.line("New password (15 characters or more)", is_secret=True)
            if not self.is_person or first == self.line("New password again", is_secret=True):
                return first
            typer.echo("The two passwords are different. Try again.", err=True)


def from_label(
    label: Path | None, host: str | None, fingerprint: str | None, ask: Asker
) -> tuple[tuple[str, int], str, str]:
    """Address, fingerprint and the code in its normal form ("" if it must be asked for)."""
    if label is None and host is None:
        raise InputError("Give --label FILE or --host HOST.")
    address, pin, code = host or "", fingerprint, ""
    if label is not None:
        try:
            read = read_label(label)
        except OSError:
            raise InputError(f"{label} is not a readable picture.") from None
        address, code = host or read.address, normal_code(read.code)
        if pin is not None and _pin(pin) != read.fingerprint:
            raise InputError("--fingerprint is different from the one on the label.")
        pin = read.fingerprint
    place = _address(address)
    return place, _pin(pin or ask.line("Certificate SHA-256 on the label", is_secret=False)), code


def _pin(text: str) -> str:
    try:
        return fingerprint_of(text)
    except ValueError as error:
        raise InputError(str(error)) from None


def normal_code(text: str) -> str:
    """Return the normal form of a typed code. Raises InputError with the mistake."""
    try:
        return setup_code.normalise(text)
    except SetupCodeError as error:
        reason = {"length": "it has 21 letters and digits", "symbol": "it has no 0, 1, I and O"}
        raise InputError(
            "The set-up code has a mistake: "
            + reason.get(str(error.fields.get("reason")), "compare it again")
        ) from None


def _address(text: str) -> tuple[str, int]:
    """Return (host, port) of HOST, HOST:PORT or an https address."""
    try:
        parts = urllib.parse.urlsplit(text if "://" in text else f"https://{text}")
        port = parts.port
    except ValueError:
        raise InputError("The address is not valid.") from None
    if parts.scheme != "https" or not parts.hostname or parts.username is not None:
        raise InputError("The address must begin with https://.")
    return parts.hostname, HTTPS_PORT if port is None else port


def _print_found(found: Found, ask: Asker) -> None:
    typer.echo(f"{found.brand} {found.model}: its certificate is the one on the label.", err=True)
    typer.echo(found.sentence, err=True)
    if found.is_press_needed:
        typer.echo("It was reset before. Press its button, then continue within two minutes.", err=True)
        if ask.is_person:
            typer.prompt("Press Enter after you pressed the button", default="", show_default=False, err=True)


def _set_up(client: DeviceClient, code: str, ask: Asker) -> str:
    """Send the form until the device takes it; the password."""
    asks_code = not code
    if asks_code:
        code = normal_code(ask.line("Set-up code on the label", is_secret=True))
    password = ask.new_password()
    for _ in range(TRIES):
        try:
            set_up(client, code, password)
            return password
        except RefusedError as error:
            _mend_or_raise(error, ask, asks_code)
            if error.name == PasswordError.__name__:
                password = ask.new_password()
            elif error.name == SetupCodeError.__name__:
                code = normal_code(ask.line("Set-up code on the label", is_secret=True))
    raise OnboardError(f"the device refused {TRIES} times")


def _mend_or_raise(
    error: RefusedError, ask: Asker, asks_code: bool, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Return if another try makes sense: after a wait, or with other input. Raises `error` otherwise."""
    if 0 < error.wait_s <= PATIENCE_S:
        typer.echo(f"The device asks you to wait {error.wait_s} s.", err=True)
        sleep(error.wait_s)
        return
    if not ask.is_person or error.name not in _TYPED_AGAIN:
        raise error
    if error.name == SetupCodeError.__name__ and not asks_code:
        raise error  # the label's own code: typing it again would not change it
    typer.echo(str(error), err=True)


def _report(address: tuple[str, int], pin: str, found: Found, status: dict[str, Any], is_json: bool) -> None:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    url = f"https://{host}/" if address[1] == HTTPS_PORT else f"https://{host}:{address[1]}/"
    document = {
        "address": url,
        "fingerprint": pin,
        "brand": found.brand,
        "model": found.model,
        "state": status.get("state"),
        "version": status.get("version"),
        "support": status.get("support"),
    }
    lines = [
        f"The device is set up, and a test sign-in worked. Its pages: {url}",
        "The set-up code on the label works again only after a factory reset. Keep the label.",
    ]
    print_report(lines, document, is_json)
