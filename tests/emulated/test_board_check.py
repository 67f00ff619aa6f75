"""The porting checklist on the emulated board: a new folder that is filled in step by step, and planted faults."""

import shutil
from pathlib import Path

import pytest

from provisioning.firmware.errors import MissingToolError, SourcesError
from simulator.porting.checklist import checks
from simulator.porting.folder import new
from simulator.porting.session import ABSENT, FAILED, MISSING, PASSED, Session
from simulator.porting.targets import QemuTarget

# What fills a step: the emulated board's own ports, in the order of the steps.
FILLS = {
    "clock": "from device.ports import mps2\nClock = mps2.Mps2Clock\n",
    "entropy": "Entropy = mps2.Mps2Entropy\n",
    "flash": "class Flash(mps2.Mps2Flash):\n    layout = mps2.layout\n",
    "records": "def regions(flash):\n    return mps2.regions(mps2.is_unit_locked())\n",
    "boot": "Boot = mps2.Mps2Boot\n",
    "watchdog": "",
    "facts": "",
    "key_store": "def key_store():\n    return None\n",
    "button": "",
    "indicator": "Indicator = mps2.Mps2Indicator\n",
    "network": "network = mps2.Mps2Network\n",
    "wifi": "def wifi():\n    return None\n",
    "start": "factory_stream = mps2.factory_stream\nmemory = mps2.memory\nis_development = mps2.is_development\n",
}
FAULTS = {
    "clock": "class Clock(Clock):\n    def ticks_diff(self, later, earlier):\n        return later - earlier\n",
    "network": "class Loose(mps2.Mps2Network):\n"
    "    async def open_tls(self, host, port, name, ca, cert, key):\n"
    "        return await super().open_tls(host, port, 'server.test', ca, cert, key)\n"
    "network = Loose\n",
}


@pytest.fixture(scope="module")
def target():
    """One emulated board for the module; it is ended at the end."""
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not installed")
    try:
        made = QemuTarget(lambda text: None)
    except (MissingToolError, SourcesError) as error:
        pytest.skip(f"firmware: {error}")
    yield made
    made.close()


def folder_with(path: Path, *parts: str) -> Path:
    new(path / "lamp", "mcuboot")
    with (path / "lamp" / "port.py").open("a") as file:
        file.write("\n\n" + "".join(parts))
    return path / "lamp"


def results(target: QemuTarget, folder: Path, chosen) -> dict[str, set[str]]:
    """Return step -> the states of its checks; a check that is not green is printed."""
    session, found = Session(target, folder), {}
    for check in chosen:
        result = session.run(check)
        if result.state != PASSED:
            print(check.name, result.state, result.detail)
        found.setdefault(check.step.module, set()).add(result.state)
    return found


def quick():
    """Return the checks that need no restart: one of them costs seconds."""
    return [check for check in checks() if not check.after and check.step.module != "watchdog"]


def test_a_filled_folder_is_green_on_the_emulated_board_and_each_step_was_missing_before(target, tmp_path):
    filled: list[str] = []
    for at, (step, part) in enumerate(FILLS.items()):
        if part:
            folder = folder_with(tmp_path / f"{at}-before", *filled)
            first = next(check for check in checks() if check.step.module == step)
            assert results(target, folder, [first]) == {step: {MISSING}}
        filled.append(part)
        folder = folder_with(tmp_path / f"{at}", *filled)
        found = results(target, folder, [check for check in checks() if check.step.module == step])
        assert found[step] <= ({ABSENT} if step in ("key_store", "wifi") else {PASSED}), step


@pytest.mark.parametrize(
    "faulty",
    [
        "clock",
        pytest.param("network", marks=pytest.mark.nightly),
    ],  # each handshake with the peer takes seconds
)
def test_a_planted_fault_turns_exactly_its_step_red(target, tmp_path, faulty):
    folder = folder_with(tmp_path, *FILLS.values(), FAULTS[faulty])
    found = results(target, folder, quick())
    assert {step for step, states in found.items() if FAILED in states} == {faulty}
