"""The error boundary of all commands: an expected error becomes a message on standard error and an exit code.

Rules:
1. `TABLE` decides. The rule of the most specific class wins. An error without a rule is a fault in this program and
   ends with a traceback.
2. A message never shows a password or PIN that stood in an address or URI, and never sends a control character to the
   terminal: parts of it may come from a device or from another person's file.
3. Classes are named by their import path, so that reporting an error costs no import (tests/architecture compares).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import typer
from rich.console import Console
from rich.markup import escape

from provisioning.cli.exit_codes import ExitCode
from provisioning.file_system import FULL


class Rule(NamedTuple):
    """The exit code for errors of one class, and the line that is printed before their list of problems."""

    code: ExitCode
    heading: str = ""


class InputError(Exception):
    """A command cannot use what it was given. The text names the option and repeats no secret."""


class RefusedError(Exception):
    """A command did what it was asked, and the answer is no. Each problem is one sentence."""

    def __init__(self, problems: list[str], heading: str = "") -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
        self.heading = heading


_FAILED: Final = Rule(ExitCode.FAILED)
_WRONG: Final = Rule(ExitCode.WRONG_INPUT)
_LATER: Final = Rule(ExitCode.TRY_LATER)
_REFUSED: Final = Rule(ExitCode.FAILED, "Refused:")

TABLE: Final = {
    "provisioning.cli.errors.InputError": _WRONG,
    "provisioning.cli.errors.RefusedError": _FAILED,
    "device.errors.FirstbootError": _FAILED,
    "provisioning.keys.keyset.KeySetError": _FAILED,
    "provisioning.brand.errors.BrandError": Rule(ExitCode.WRONG_INPUT, "The brand folder cannot be used:"),
    "provisioning.compliance.advisory_copy.AdvisoryError": _WRONG,
    "provisioning.compliance.archive.ArchiveError": _FAILED,
    "provisioning.compliance.extension.ExtensionError": _FAILED,
    "provisioning.compliance.gate.ShipError": _FAILED,
    "provisioning.compliance.ledger.LedgerError": _FAILED,
    "provisioning.compliance.coverage.BillError": _REFUSED,
    "provisioning.compliance.site.SiteError": _REFUSED,
    "provisioning.compliance.statement.StatementError": _REFUSED,
    "provisioning.compliance.support_register.RegisterError": _FAILED,
    "provisioning.disclosure.errors.CaseError": _FAILED,
    "provisioning.disclosure.errors.CaseInputError": _WRONG,
    "provisioning.disclosure.errors.UnknownCaseError": _WRONG,
    "provisioning.disclosure.errors.CaseClockError": _LATER,
    "provisioning.disclosure.errors.MailUnreachableError": _LATER,
    "provisioning.disclosure.errors.OutboxBusyError": _LATER,
    "provisioning.disclosure.errors.SpoolFullError": _LATER,
    "provisioning.evidence.errors.EvidenceRefusedError": _REFUSED,
    "provisioning.firmware.errors.FirmwareError": _FAILED,
    "provisioning.firmware.errors.CheckoutError": _WRONG,
    "provisioning.firmware.errors.MissingToolError": _LATER,
    "provisioning.firmware.errors.SourcesError": _LATER,
    "provisioning.keys.lms_state.LmsStateError": _FAILED,
    "provisioning.keys.lms_state.StateBusyError": _LATER,
    "provisioning.keys.openpgp.OpenPgpKeyError": _WRONG,
    "provisioning.keys.openpgp.OpenPgpMissingError": _LATER,
    "provisioning.kit.errors.DeliveryError": _WRONG,
    "provisioning.kit.errors.KitError": _FAILED,
    "provisioning.onboarding.client.FingerprintError": Rule(ExitCode.OTHER_DEVICE),
    "provisioning.onboarding.flow.OnboardError": _FAILED,
    "provisioning.onboarding.flow.AlreadySetUpError": Rule(ExitCode.HAS_OWNER),
    "provisioning.product.product.ProductError": Rule(
        ExitCode.WRONG_INPUT, "The product definition cannot be used:"
    ),
    "provisioning.registry.errors.RegistryError": _WRONG,
    "provisioning.registry.errors.UnavailableError": _LATER,
    "provisioning.registry.errors.ChainError": _FAILED,
    "provisioning.release.log.ReleaseLogError": _FAILED,
    "provisioning.release.image.ImageSigningError": _WRONG,
    "provisioning.release.store.PublishError": _FAILED,
    "provisioning.servers.errors.ServerError": _FAILED,
    "provisioning.servers.errors.ServerMissingError": _LATER,
    "provisioning.servers.errors.PortBusyError": _LATER,
    "provisioning.servers.folder_lock.FolderInUseError": _LATER,
    "provisioning.servers.broker_link.AccessFilesError": _WRONG,
    "provisioning.shared_store.database.SharedStoreError": _WRONG,
    "provisioning.shared_store.database.SharedStoreUnavailableError": _LATER,
    "provisioning.station.labels.LabelError": _WRONG,
    "provisioning.station.phases.CheckFailedError": _FAILED,
    "provisioning.station.reprint.ReprintError": _FAILED,
    "provisioning.station.sample.SampleError": _FAILED,
    "provisioning.station.station.StationError": _WRONG,
    "provisioning.station.station.UnitFailedError": _FAILED,
    "provisioning.station.station.UnitRefusedError": Rule(ExitCode.OTHER_DEVICE),
    "renode.errors.MachineError": _FAILED,
    "renode.errors.ToolMissingError": _LATER,
    "renode.install.DownloadError": _LATER,
    "renode.recording.RecordingError": _WRONG,
    "simulator.fleet.errors.FleetError": _FAILED,
    "simulator.fleet.errors.MachineLimitError": _LATER,
    "simulator.porting.errors.PortingError": _FAILED,
    "simulator.porting.errors.FolderError": _WRONG,
    "simulator.porting.errors.LineAddressError": _WRONG,
    "simulator.story.errors.WorldError": _FAILED,
    "simulator.story.runner.StepFailed": _FAILED,
    "builtins.ConnectionError": _FAILED,
    "builtins.TimeoutError": _FAILED,
    "builtins.OSError": _WRONG,
    "builtins.ValueError": _WRONG,
}

_SECRETS: Final = (
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), r"\1***@"),  # the password of an address
    (re.compile(r"(?i)(pin-value=)[^;&?\s'\"]+"), r"\1***"),  # RFC 7512, section 2.3
)

err = Console(stderr=True, highlight=False, soft_wrap=True)


def redacted(text: str) -> str:
    """`text` without the passwords of addresses and the PINs of PKCS#11 URIs."""
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


def printable(text: str) -> str:
    """`text` with a replacement character for everything that a terminal could obey; line ends stay."""
    return "".join(one if one.isprintable() or one == "\n" else "\N{REPLACEMENT CHARACTER}" for one in text)


def rule_of(error: BaseException) -> Rule | None:
    """Return the rule of the most specific class of `error` that has one; None: the error is not expected."""
    for kind in type(error).__mro__:
        rule = TABLE.get(f"{kind.__module__}.{kind.__qualname__}")
        if rule is not None:
            return _LATER if isinstance(error, OSError) and error.errno in FULL else rule
    return None


def message_of(error: BaseException) -> str:
    """Return the text of one error as a person reads it, without secrets and control characters."""
    if isinstance(error, OSError) and error.strerror is not None:
        text = f"{error.filename or 'file'}: {error.strerror}"
    else:
        text = str(error) or type(error).__name__
    if any(kind.__module__ == "device.errors" for kind in type(error).__mro__):
        text = f"refused ({getattr(error, 'code', 0)}): {text}"  # the number that the device reports
    return printable(redacted(text))


def warn(text: str) -> None:
    """Report something that does not stop the command."""
    err.print(printable(redacted(text)), style="yellow", markup=False)


def report(error: BaseException, rule: Rule) -> None:
    """Print an expected error: its message, or its heading and then each of its problems."""
    problems = getattr(error, "problems", None)
    if not problems:
        err.print(message_of(error), style="red", markup=False)
        return
    heading = getattr(error, "heading", "") or rule.heading
    if heading:
        err.print(f"[bold red]{escape(heading)}[/]")
    for problem in problems:
        shown = printable(redacted(str(problem)))
        err.print(f"  {shown}" if heading else shown, style="red", markup=False)


@contextmanager
def boundary() -> Iterator[None]:
    """Report an expected error and end with its exit code. Raises typer.Exit; other errors pass."""
    try:
        yield
    except (typer.Exit, BrokenPipeError):
        raise
    except typer.Abort as error:  # a prompt that was left: Ctrl-C, or standard input ended
        is_ended = isinstance(error.__context__, EOFError)
        err.print("Standard input ended before the answer." if is_ended else "Interrupted.", style="red")
        raise typer.Exit(int(ExitCode.WRONG_INPUT if is_ended else ExitCode.INTERRUPTED)) from None
    except KeyboardInterrupt:
        err.print("Interrupted.", style="red")
        raise typer.Exit(int(ExitCode.INTERRUPTED)) from None
    except Exception as error:
        rule = rule_of(error)
        if rule is None:
            raise
        report(error, rule)
        raise typer.Exit(int(rule.code)) from None
