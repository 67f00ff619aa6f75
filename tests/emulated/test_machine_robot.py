"""The Robot suites: complete, and green on QEMU; `make renode` runs the same suites under Renode."""

import importlib.util
import subprocess

import pytest

from renode import install
from renode.keywords import BoardLibrary, _check_story
from renode.run import main, robot_command
from simulator.story.unit_keywords import UnitLibrary
from tests.emulated.boot_support import CHECKOUT, missing_tools

STORY_PASSED = {"steps": [{"name": "setup", "status": "passed"}]}


def run_robot(tmp_path, *arguments: str, emulator: str = "qemu") -> subprocess.CompletedProcess[str]:
    command = robot_command(emulator, tmp_path / "report", arguments)
    return subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT, check=False)


@pytest.mark.parametrize("emulator", ["qemu", "renode"])
def test_every_keyword_of_the_suite_exists(tmp_path, emulator):
    done = run_robot(tmp_path, "--dryrun", emulator=emulator)
    assert done.returncode == 0, done.stdout


@pytest.mark.emulated
def test_a_sample_of_the_scenarios_passes_on_qemu(tmp_path):
    """The boot ROM, and one unit from its first start to its owner; `--nightly` runs all."""
    if missing_tools():
        pytest.skip("not installed: " + ", ".join(missing_tools()))
    done = run_robot(tmp_path, "--suite", "boot", "--suite", "first_boot", "--exclude", "slow")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "report" / "junit.xml").read_text().count("<testcase ") >= 6


@pytest.mark.nightly
@pytest.mark.emulated
def test_every_scenario_passes_on_qemu(tmp_path):
    if missing_tools():
        pytest.skip("not installed: " + ", ".join(missing_tools()))
    done = run_robot(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_suite_for_every_machine_runs_in_the_simulator_as_well(tmp_path):
    done = run_robot(tmp_path, "--dryrun", emulator="sim")
    assert done.returncode == 0, done.stdout
    assert "Suites.Updates" in done.stdout and "Suites.Boot" not in done.stdout


def test_without_renode_the_run_is_no_success_and_names_the_next_step(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("FIRSTBOOT_CACHE", str(tmp_path))
    assert main([]) == 75
    printed = capsys.readouterr().err
    assert printed.startswith("Renode is not installed") and "conda-forge" in printed


def test_without_robot_framework_the_run_is_no_success_and_names_the_next_step(monkeypatch, capsys):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "robot" else found(name))
    assert main(["--on", "qemu"]) == 75
    assert "pip install robotframework" in capsys.readouterr().err


def test_an_unknown_machine_of_a_unit_is_refused():
    with pytest.raises(ValueError, match="sim, qemu, renode"):
        UnitLibrary("gem5")


def test_an_unknown_emulator_is_refused():
    with pytest.raises(ValueError, match="qemu, renode"):
        BoardLibrary("gem5")


def test_a_demo_whose_named_step_did_not_pass_fails_the_keyword():
    _check_story(STORY_PASSED, 0, ["setup"])
    with pytest.raises(AssertionError, match="update_mqtt"):
        _check_story(STORY_PASSED, 0, ["setup", "update_mqtt"])
    with pytest.raises(AssertionError, match="ended with 1"):
        _check_story(STORY_PASSED, 1, ["setup"])


@pytest.mark.skipif(install.find() is None, reason="Renode is not installed: see python -m renode.run")
@pytest.mark.emulated
def test_the_boot_scenarios_pass_on_renode(tmp_path):
    done = run_robot(tmp_path, "--suite", "boot", emulator="renode")
    assert done.returncode == 0, done.stdout + done.stderr
