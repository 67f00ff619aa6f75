"""`firstboot doctor` and `firstboot emulator`: what this machine has, and the way to what it lacks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from provisioning.cli.main import app
from simulator.cli import needs
from simulator.cli.needs import USES, Need, Use, missing

runner = CliRunner()


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with Python and nothing else."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("FIRSTBOOT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "bin").mkdir()
    return tmp_path


def _program(folder: Path, name: str, text: str) -> None:
    path = folder / "bin" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_bare_machine_can_run_the_simulator_and_is_shown_how_to_get_the_rest(bare: Path) -> None:
    done = runner.invoke(app, ["doctor"])
    assert done.exit_code == 0, done.output
    assert "(simulator): ready" in done.output and "try: firstboot demo --on sim" in done.output
    assert "MISSING  qemu-system-arm" in done.output
    assert "to install Renode: firstboot emulator install" in done.output
    assert "gcc-arm-none-eabi libnewlib-arm-none-eabi" in done.output


def test_a_use_that_lacks_something_ends_with_75(bare: Path) -> None:
    assert runner.invoke(app, ["doctor", "--for", "qemu"]).exit_code == 75
    assert runner.invoke(app, ["doctor", "--for", "servers"]).exit_code == 0  # the broker is optional


def test_the_version_of_a_program_is_shown(bare: Path) -> None:
    _program(bare, "qemu-system-arm", "echo 'QEMU emulator version 7.2.22'")
    found = json.loads(runner.invoke(app, ["doctor", "--for", "qemu", "--json"]).stdout)["qemu"]["needs"]
    (qemu,) = [one for one in found if one["name"] == "qemu-system-arm"]
    assert qemu["present"] and qemu["detail"] == "QEMU emulator version 7.2.22" and qemu["install"] == ""


def test_a_program_that_hangs_or_fails_is_still_found(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "_VERSION_TIMEOUT_S", 0.2)
    _program(bare, "make", "exec /bin/sleep 60")
    look = next(need for need in USES["qemu"].needs if need.name == "make").look
    assert look() == str(bare / "bin" / "make")


def test_a_cache_that_cannot_be_written_is_missing(bare: Path) -> None:
    (bare / "cache").write_text("a file, not a folder")
    done = runner.invoke(app, ["doctor"])
    assert done.exit_code == 75
    assert "MISSING  cache folder" in done.output and "export FIRSTBOOT_CACHE=DIR" in done.output


def test_only_what_is_not_optional_counts_as_missing() -> None:
    use = Use(
        "t", "c", [Need("a", "w", lambda: None, "p", is_optional=True), Need("b", "w", lambda: None, "p")]
    )
    assert [one.name for one in missing([need.check() for need in use.needs])] == ["b"]


def test_every_need_names_a_way_to_get_it_and_every_use_a_command() -> None:
    for use in USES.values():
        assert use.command.startswith(("firstboot ", "make "))
        assert all((need.package == "") != (need.command == "") for need in use.needs)


def test_the_installer_says_that_a_machine_without_internet_cannot_download(bare: Path) -> None:
    archive = bare / "renode.tar.gz"
    archive.write_bytes(b"something else")
    done = runner.invoke(app, ["emulator", "install", "--file", str(archive)])
    assert done.exit_code == 1 and "not the pinned archive" in done.output
