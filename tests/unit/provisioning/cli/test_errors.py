"""The error boundary: the exit code of each error, and the text on the terminal."""

from __future__ import annotations

import errno

import pytest
import typer
from typer.testing import CliRunner

from device.errors import SignatureError
from provisioning.cli import exit_codes
from provisioning.cli.commands import CommandGroup
from provisioning.cli.errors import InputError, RefusedError
from provisioning.cli.exit_codes import MEANINGS, ExitCode
from provisioning.firmware.errors import CheckoutError, MissingToolError, SourcesError
from provisioning.keys.lms_state import LmsStateError, StateBusyError
from provisioning.onboarding.client import FingerprintError
from provisioning.product.product import ProductError
from provisioning.registry.errors import RegistryError

EXPECTED = [
    (InputError("--to names no file"), ExitCode.WRONG_INPUT, "--to names no file"),
    (RefusedError(["one reason", "another"]), ExitCode.FAILED, "one reason\nanother"),
    (ProductError(["brand is missing"]), ExitCode.WRONG_INPUT, "brand is missing"),
    (RegistryError("there is no registry x"), ExitCode.WRONG_INPUT, "there is no registry x"),
    (LmsStateError("the tree was used elsewhere"), ExitCode.FAILED, "the tree was used elsewhere"),
    (StateBusyError("the tree is in use"), ExitCode.TRY_LATER, "the tree is in use"),
    (MissingToolError("arm-none-eabi-gcc", "install it"), ExitCode.TRY_LATER, "arm-none-eabi-gcc"),
    (SourcesError("no mirror has lwip"), ExitCode.TRY_LATER, "no mirror has lwip"),
    (CheckoutError("the checkout lacks lib"), ExitCode.WRONG_INPUT, "the checkout lacks lib"),
    (FingerprintError("another device"), ExitCode.OTHER_DEVICE, "another device"),
    (FileNotFoundError(2, "No such file or directory", "a.pem"), ExitCode.WRONG_INPUT, "a.pem: No such file"),
    (ConnectionRefusedError(111, "Connection refused"), ExitCode.FAILED, "Connection refused"),
    (OSError(errno.ENOSPC, "No space left on device", "b"), ExitCode.TRY_LATER, "b: No space left"),
    (ValueError("not a number"), ExitCode.WRONG_INPUT, "not a number"),
    (KeyboardInterrupt(), ExitCode.INTERRUPTED, "Interrupted."),
]


def outcome_of(error: BaseException) -> tuple[int, str, BaseException | None]:
    app = CommandGroup("Fails.")

    @app.command("fail")
    def fail() -> None:
        raise error

    @app.command("other")
    def other() -> None: ...

    result = CliRunner().invoke(app, ["fail"])
    return result.exit_code, result.stderr, result.exception


@pytest.mark.parametrize(("error", "code", "text"), EXPECTED, ids=lambda one: type(one).__name__)
def test_an_expected_error_ends_with_its_code_and_its_message(
    error: BaseException, code: ExitCode, text: str
) -> None:
    exit_code, stderr, _ = outcome_of(error)
    assert exit_code == code
    assert text in stderr
    assert "Traceback" not in stderr


def test_a_refusal_of_the_device_code_names_its_kind() -> None:
    error = SignatureError()
    _, stderr, _ = outcome_of(error)
    assert stderr.startswith(f"refused ({error.code}): ")


def test_an_unexpected_error_is_not_hidden() -> None:
    _, _, exception = outcome_of(KeyError("a fault of this program"))
    assert isinstance(exception, KeyError)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("no answer from postgresql://line:hunter2@db/units", "hunter2"),
        ("pkcs11:token=t;object=o?pin-value=123456 cannot be opened", "123456"),
        ("PKCS11:token=t?PIN-VALUE=123456", "123456"),
    ],
)
def test_a_password_in_an_address_is_not_printed(text: str, secret: str) -> None:
    _, stderr, _ = outcome_of(RegistryError(text))
    assert secret not in stderr and "***" in stderr


def test_control_characters_of_foreign_text_do_not_reach_the_terminal() -> None:
    _, stderr, _ = outcome_of(RefusedError(["unit \x1b]0;owned\x07\x9b2J"], heading="Refused:"))
    assert "owned" in stderr
    assert not [one for one in stderr if not one.isprintable() and one != "\n"]


def test_foreign_text_is_not_read_as_markup() -> None:
    _, stderr, _ = outcome_of(RegistryError("the file [red]x[/] is unknown"))
    assert "[red]x[/]" in stderr


def test_a_prompt_that_standard_input_cannot_answer_is_wrong_input() -> None:
    app = CommandGroup("Asks.")

    @app.command("ask")
    def ask() -> None:
        typer.prompt("Passphrase", hide_input=True)

    @app.command("other")
    def other() -> None: ...

    result = CliRunner().invoke(app, ["ask"], input="")
    assert result.exit_code == ExitCode.WRONG_INPUT
    assert "Standard input ended" in result.stderr


def test_an_old_spelling_names_the_new_one_and_runs_nothing() -> None:
    app = CommandGroup("Moves.")
    app.moved("keygen", "firstboot keys generate signing")
    app.command("other")(lambda: None)
    result = CliRunner().invoke(app, ["keygen", "--kind", "p256", "--help", "more"])
    assert result.exit_code == ExitCode.WRONG_INPUT
    assert result.stderr == "moved: use `firstboot keys generate signing`\n"
    assert "keygen" not in CliRunner().invoke(app, ["--help"]).stdout


def test_every_exit_code_has_a_meaning_and_is_in_the_help() -> None:
    assert set(MEANINGS) == set(ExitCode)
    shown = exit_codes.help_text()
    for code, meaning in MEANINGS.items():
        assert f"{int(code)}: {meaning}" in shown
