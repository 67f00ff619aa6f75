"""The checklist on a board that is this Python, over a serial line (a pseudo terminal)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from provisioning.cli.main import app
from simulator.porting import targets
from simulator.porting.checklist import checks
from simulator.porting.errors import NoAnswerError
from simulator.porting.folder import new
from simulator.porting.prompt import Prompt
from simulator.porting.pytest_checks import Sessions
from simulator.porting.session import FAILED, MISSING, PASSED, SKIPPED, Result, Session
from simulator.porting.targets import Permissions, SerialTarget
from tests.unit.simulator.porting import host_parts
from tests.unit.simulator.porting.prompt_on_host import HostBoard

RUNNER = CliRunner()
PARTS = "\n\nfrom tests.unit.simulator.porting import host_parts\n"
# What fills a step, in the order of the steps.
FILLS = {
    "clock": "from device.ports.host import HostClock as Clock\n",
    "entropy": "from device.ports.host import HostEntropy as Entropy\n",
    "flash": "flash = host_parts.board_flash\n",
    "records": "def regions(flash):\n    return host_parts.HostRegions()\n",
    "facts": "def boot(flash):\n    return host_parts.HostBoot()\n",
    "key_store": "def key_store():\n    return host_parts.key_store\n",
    "wifi": "def wifi():\n    return None\n",
}
FAULTS = {
    "clock": "class Clock(Clock):\n    def ticks_diff(self, later, earlier):\n        return later - earlier\n",
    "entropy": "class Entropy(Entropy):\n    def random_bytes(self, length):\n        return bytes(length)\n",
    "flash": "host_parts.is_nor = False\n",
    "records": "def regions(flash):\n    return host_parts.HostRegions(is_forgetful=True)\n",
    "facts": "host_parts.is_write_once = False\n",
    "key_store": "def key_store():\n    return host_parts.PlainStore()\n",
}


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Iterator[HostBoard]:
    monkeypatch.setattr(targets, "_SERIAL_PAUSE_S", 0.0)
    host_parts.renew()
    made = HostBoard()
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    new(tmp_path / "lamp", "mcuboot")
    return tmp_path / "lamp"


def run(board: HostBoard, folder: Path, *modules: str) -> list[Result]:
    target = SerialTarget(board.path, Permissions(may_burn=True), settle_s=0.05)
    with Session(target, folder) as session:
        return [session.run(check) for check in checks() if check.step.module in modules]


def fill(folder: Path, *parts: str) -> None:
    with (folder / "port.py").open("a") as file:
        file.write(PARTS + "".join(parts))


def test_a_folder_for_another_board_is_refused_once(board: HostBoard, folder: Path) -> None:
    with (folder / "port.py").open("a") as file:
        file.write("\nimport _fbrp2\n")
    result = RUNNER.invoke(app, ["board", "check", str(folder), "--port", board.path])
    assert result.exit_code == 2
    assert "port.py cannot be imported on this board (No module named '_fbrp2')" in result.stderr
    assert result.stderr.count("_fbrp2") == 1 and "_fbrp2" not in result.stdout


def test_a_new_folder_says_of_every_step_what_is_missing(board: HostBoard, folder: Path) -> None:
    # of the steps after which a board is restarted each time, only one
    results = run(
        board, folder, *({check.step.module for check in checks()} - {"watchdog", "button", "start"})
    )
    done = [result for result in results if result.state not in (MISSING, SKIPPED)]
    assert not done
    assert all(result.detail for result in results)
    first = {
        result.check.step.module: result.detail for result in reversed(results) if result.state == MISSING
    }
    assert first["clock"] == "Clock.ticks_ms" and first["entropy"] == "Entropy.is_ready"
    assert first["flash"].startswith("Flash.layout") and first["wifi"].startswith("wifi")


def test_each_step_turns_green_when_it_is_filled_in_and_no_other_does(board: HostBoard, folder: Path) -> None:
    names = list(FILLS)
    for at, name in enumerate(names):
        fill(folder, FILLS[name])
        states = {result.state for result in run(board, folder, name)}
        assert states <= {PASSED, "absent"}, name
        # parts of the facts can be read as soon as there is flash
        later = [other for other in names[at + 1 : at + 2] if other != "facts"]
        assert {result.state for result in run(board, folder, *later)} <= {MISSING}, later


@pytest.mark.parametrize("faulty", FAULTS)
def test_a_planted_fault_turns_exactly_its_step_red(board: HostBoard, folder: Path, faulty: str) -> None:
    fill(folder, *FILLS.values(), FAULTS[faulty])
    chosen = [
        check
        for check in checks()
        if check.step.module in FILLS and (check.step.module == faulty or not check.after)
    ]
    target = SerialTarget(board.path, Permissions(may_burn=True), settle_s=0.05)
    with Session(target, folder) as session:
        failed = {check.step.module for check in chosen if session.run(check).state == FAILED}
    assert failed == {faulty}


def test_checks_that_write_what_cannot_be_erased_are_skipped_without_a_word(
    board: HostBoard, folder: Path
) -> None:
    fill(folder, *FILLS.values())
    with Session(SerialTarget(board.path, Permissions()), folder) as session:
        results = [session.run(check) for check in checks() if check.step.module == "facts"]
    assert {result.state for result in results if result.check.need == "burn"} == {SKIPPED}
    assert all("--burn" in result.detail for result in results if result.check.need)


def test_the_counter_is_never_raised_above_the_running_image(board: HostBoard, folder: Path) -> None:
    fill(folder, *FILLS.values(), "host_parts.image_counter = 0\n")
    before = host_parts.flash.operations
    results = [one for one in run(board, folder, "facts") if "counter goes up" in one.check.sentence]
    assert [one.state for one in results] == ["absent"] and "Sign it with 1" in results[0].detail
    layout = host_parts.flash.layout
    assert host_parts.flash.read(layout.counter_offset, layout.unit_bytes) == b"\xff" * layout.unit_bytes
    assert host_parts.flash.operations == before + 2  # the two copies of the lock


def test_an_error_that_no_interface_allows_is_a_failure_with_its_name(board: HostBoard, folder: Path) -> None:
    fill(folder, "def clock():\n    raise OSError(5)\n")
    results = run(board, folder, "clock")
    assert {result.state for result in results} == {FAILED}
    assert all(result.detail.startswith("OSError") for result in results)


def test_a_module_that_cannot_be_imported_is_a_failure_and_the_next_run_reads_it_again(
    board: HostBoard, folder: Path
) -> None:
    good = (folder / "port.py").read_text()
    (folder / "port.py").write_text(good + "\nundefined_name\n")
    assert {result.state for result in run(board, folder, "clock")} == {FAILED}
    (folder / "port.py").write_text(good)
    assert {result.state for result in run(board, folder, "clock")} == {MISSING}


def test_a_line_without_a_prompt_is_named(tmp_path: Path) -> None:
    class Silent:
        said = b"boot loader v3\n"

        def write(self, data: bytes) -> None: ...

        def read(self, timeout_s: float) -> bytes:
            said, self.said = self.said, b""
            return said

        def close(self) -> None: ...

    with pytest.raises(NoAnswerError, match=r"open console.*boot loader v3"):
        Prompt(Silent()).enter(0.2)


# The command --------------------------------------------------------------------------------------------------------
def test_the_command_counts_and_fails_while_a_step_is_missing(board: HostBoard, folder: Path) -> None:
    fill(folder, FILLS["clock"])
    command = ["board", "check", str(folder), "--port", board.path, "--json", "--step"]
    done = RUNNER.invoke(app, [*command, "clock"])
    document = json.loads(done.stdout)
    assert done.exit_code == 0 and document["counts"]["passed"] == len(document["checks"]) > 0
    done = RUNNER.invoke(app, [*command, "entropy"])
    document = json.loads(done.stdout)
    assert done.exit_code == 1 and document["counts"]["missing"] == len(document["checks"])
    assert {one["page"] for one in document["checks"]} == {"docs/porting.md#step-2-entropy"}


@pytest.mark.parametrize("options", [[], ["--port", "/dev/null", "--on", "qemu"]])
def test_the_command_wants_one_board(folder: Path, options: list[str]) -> None:
    done = RUNNER.invoke(app, ["board", "check", str(folder), *options])
    assert done.exit_code == 2 and "Name one board" in done.output


def test_a_line_that_does_not_exist_is_wrong_input_and_named_once(folder: Path) -> None:
    done = RUNNER.invoke(app, ["board", "check", str(folder), "--port", "/dev/nothing"])
    assert done.exit_code == 2
    assert (
        done.stderr
        == "cannot open /dev/nothing: No such file or directory. Name the serial line of your board.\n"
    )


def test_a_board_that_cannot_be_used_fails_one_test_and_skips_the_others(folder: Path) -> None:
    with Sessions("/dev/nothing") as sessions:
        with pytest.raises(pytest.fail.Exception, match="cannot open /dev/nothing"):
            sessions.check(folder, checks()[0])
        with pytest.raises(pytest.skip.Exception, match="cannot be used"):
            sessions.check(folder, checks()[1])


def test_a_folder_that_does_not_exist_is_refused_before_a_board_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def unexpected(*_: object) -> None:
        raise AssertionError("a board was made")

    monkeypatch.setattr("simulator.cli.board.QemuTarget", unexpected)
    done = RUNNER.invoke(app, ["board", "check", str(tmp_path / "nothing"), "--on", "qemu"])
    assert done.exit_code == 2 and "nothing" in done.output, done.exception


@pytest.mark.parametrize(("like", "is_emulated"), [("mcuboot", True), ("rp2350", False), ("esp32", False)])
def test_the_next_step_of_a_new_folder_is_one_that_its_board_can_take(
    tmp_path: Path, like: str, is_emulated: bool
) -> None:
    done = RUNNER.invoke(app, ["board", "new", str(tmp_path / "lamp"), "--like", like])
    assert done.exit_code == 0 and ("--on qemu" in done.stdout) == is_emulated
    assert ("--on qemu" in (tmp_path / "lamp" / "README.md").read_text()) == is_emulated
