"""The porting checklist in MicroPython's unix port, as `firstboot board check --on unix` runs it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from provisioning.firmware.errors import FirmwareError
from simulator.porting.checklist import checks
from simulator.porting.folder import new
from simulator.porting.session import ABSENT, FAILED, MISSING, PASSED, Session
from simulator.porting.targets import Permissions, UnixTarget
from simulator.porting.unix_port import unix_program

# A maker's first ports: what MicroPython itself offers.
FILLED = """

import os, time

class Clock(Clock):
    def ticks_ms(self):
        return time.ticks_ms()
    def ticks_diff(self, later, earlier):
        return time.ticks_diff(later, earlier)
    def set_trusted_time(self, unix_s):
        pass

class Entropy(Entropy):
    def is_ready(self):
        return True
    def random_bytes(self, length):
        return os.urandom(length)

def key_store():
    return None

def wifi():
    return None
"""
CONSTANT = "\nclass Entropy(Entropy):\n    def random_bytes(self, length):\n        return bytes(length)\n"


@pytest.fixture(scope="module")
def program() -> Path:
    """Return the built program; skip the test without a compiler or the sources."""
    try:
        return unix_program(lambda text: None)
    except FirmwareError as error:
        if "is not installed" in str(error) or "sources" in str(error):
            pytest.skip(f"unix port: {error}")
        raise


def states(program: Path, folder: Path, *modules: str) -> dict[str, set[str]]:
    """Return step -> the states of its checks."""
    found: dict[str, set[str]] = {}
    with Session(UnixTarget(program, Permissions()), folder) as session:
        for check in checks():
            if check.step.module in modules:
                found.setdefault(check.step.module, set()).add(session.run(check).state)
    return found


def lamp(path: Path, text: str = "") -> Path:
    new(path / "lamp", "mcuboot")
    with (path / "lamp" / "port.py").open("a") as file:
        file.write(text)
    return path / "lamp"


def test_a_new_folder_is_missing_every_step_that_needs_no_person(program: Path, tmp_path: Path) -> None:
    found = states(program, lamp(tmp_path), "clock", "entropy", "flash", "records", "network", "start")
    assert found == {key: {MISSING} for key in found} and len(found) == 6


def test_ports_that_micropython_itself_offers_are_green_also_across_a_restart(
    program: Path, tmp_path: Path
) -> None:
    found = states(program, lamp(tmp_path, FILLED), "clock", "entropy", "key_store", "wifi")
    assert found == {"clock": {PASSED}, "entropy": {PASSED}, "key_store": {ABSENT}, "wifi": {ABSENT}}


def test_a_generator_that_always_returns_the_same_fails(program: Path, tmp_path: Path) -> None:
    assert FAILED in states(program, lamp(tmp_path, FILLED + CONSTANT), "entropy")["entropy"]


def test_the_program_has_the_c_module_and_what_the_checks_need(program: Path, tmp_path: Path) -> None:
    session = Session(UnixTarget(program, Permissions()), lamp(tmp_path))
    with session:
        session.run(checks()[0])
        assert session._run("import vfs, asyncio, tls, _fbcrypto; print('here')").strip() == "here"


def test_a_machine_without_a_compiler_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(FirmwareError, match="gcc"):
        UnixTarget(None, Permissions())
