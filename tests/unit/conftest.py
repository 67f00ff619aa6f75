"""Fixtures of several unit tests: a token in software, whole units in virtual time."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from simulator.powercut.bench import Bench
from simulator.powercut.campaign import Campaign
from simulator.powercut.machine import Machine

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
PIN = "85713906"


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of SoftHSM2's module, with its own token `maker`."""
    module = next((one for one in MODULES if Path(one).exists()), None)
    if module is None or shutil.which("softhsm2-util") is None:
        pytest.skip("softhsm2 is not installed")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(
        f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")  # read once, when the module is loaded
    command = [
        "softhsm2-util",
        "--init-token",
        "--free",
        "--label",
        "maker",
        "--so-pin",
        "0000",
        "--pin",
        PIN,
    ]
    subprocess.run(command, check=True, capture_output=True)
    return module


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return Campaign(Bench(tmp_path_factory.mktemp("bench")))


@pytest.fixture
def machine(campaign: Campaign) -> Machine:
    """Return an owned unit that is off since its set-up; its broker has no release yet."""
    return campaign.machine_after("set-up")
