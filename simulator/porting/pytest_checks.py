"""The porting checklist as tests, for the pytest plugin (firstboot/pytest_plugin.py)."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from provisioning.firmware.errors import FirmwareError
from renode.errors import MachineError
from simulator.porting.checklist import Check
from simulator.porting.errors import PortingError
from simulator.porting.session import ABSENT, PASSED, SKIPPED, Session, opened
from simulator.porting.targets import Permissions, QemuTarget, SerialTarget, Target, UnixTarget


class Sessions:
    """One board for a run of pytest; `named`: qemu, unix, a serial line, or "" for no board."""

    def __init__(self, named: str) -> None:
        self._named = named
        self._stack = contextlib.ExitStack()
        self._session: tuple[Path, Session] | None = None
        self._unusable = ""

    def __enter__(self) -> Sessions:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def check(self, folder: Path, check: Check) -> PortingCheck:
        """Return a check of the board in `folder`. Skips the test if no board is named.

        A board that cannot be used fails one test with the reason, and skips the others.
        """
        if not self._named:
            pytest.skip("no board is attached: name one with --firstboot-board (qemu, unix or a serial port)")
        if self._unusable:
            pytest.skip(f"the board cannot be used: {self._unusable}")
        if self._session is None or self._session[0] != folder:
            self._stack.close()
            try:
                self._session = folder, self._stack.enter_context(opened(target_of(self._named), folder))
            except (PortingError, FirmwareError, MachineError) as error:
                self._unusable = str(error)
                pytest.fail(self._unusable, pytrace=False)
        return PortingCheck(self._session[1], check)


@dataclass(frozen=True)
class PortingCheck:
    """One check on the board."""

    session: Session
    check: Check

    def run(self) -> None:
        """Run it: the test fails with what is missing and where to read, or is skipped with the reason."""
        result = self.session.run(self.check)
        if result.state in (ABSENT, SKIPPED):
            pytest.skip(result.detail)
        if result.state != PASSED:
            pytest.fail(f"{result.state}: {result.detail}\nhow: {self.check.step.page}", pytrace=False)


def target_of(named: str, permissions: Permissions | None = None) -> Target:
    """Return the board `qemu`, `unix`, or the one on the serial line `named`. Raises PortingError."""
    permissions = permissions or Permissions()
    if named == "qemu":
        return QemuTarget(lambda text: None)
    if named == "unix":
        return UnixTarget(None, permissions)
    return SerialTarget(named, permissions)
