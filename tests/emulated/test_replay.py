"""Recordings of the emulated board: replayed exactly, and refused if they are of something else."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from provisioning.cli.main import app
from provisioning.station.link import FactoryLink
from renode import qemu_replay
from renode.machine import CutOrder
from renode.qemu_recording import RecordedQemuBoard
from renode.qemu_replay import ReplayError, replay
from renode.recording import Recording, RecordingError, load, save
from simulator.story.update_run import record_update
from tests.emulated.firmware_support import TIMEOUT_S, Kit, kit, need_tools
from tests.patience import ended

__all__ = ["kit"]

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module")
def update_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded update, in a file as a user has it."""
    need_tools()
    if shutil.which("mosquitto") is None:
        pytest.skip("mosquitto is not installed")
    folder = tmp_path_factory.mktemp("update")
    made = record_update(folder / "world", "mqtt", lambda text: None)
    save(made, folder / "update.recording")
    return folder / "update.recording"


@pytest.fixture(scope="module")
def short(kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Two runs without servers: a request at the factory port, a pulled reset line, a press of the button."""
    with RecordedQemuBoard(tmp_path_factory.mktemp("short")) as board:
        board.program(kit.rom, kit.image("release"))
        link = FactoryLink(board.factory_port(), timeout_s=30.0)
        for _ in range(2):
            board.power_on()
            started(board)
            link.hello(bytes(16))
            board.reset()
            started(board)
            board.press_button(0.05)
            link.hello(bytes(16))
            board.cut_power()
        return board.recording("two runs")


def started(board: RecordedQemuBoard) -> None:
    board.console.wait_for(r"^firstboot \S+ on mps2_an385: .*\n", TIMEOUT_S)


@pytest.mark.parametrize("count", [2, pytest.param(20, marks=pytest.mark.nightly)])
def test_a_whole_update_is_replayed_with_the_same_bytes_and_the_same_flash(
    update_file: Path, tmp_path: Path, count: int
) -> None:
    arguments = ["replay", str(update_file), "--repeat", str(count), "--keep", str(tmp_path), "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [one["fingerprint"] for one in found["replays"]] == [found["fingerprint"]] * count
    console = (tmp_path / "1" / "console.out").read_text()
    assert "version 2.0.0+2, slot 1, trial" in console


@pytest.mark.nightly
def test_an_update_over_coap_that_the_command_recorded_is_replayed_by_the_command(tmp_path: Path) -> None:
    need_tools()
    file = tmp_path / "update.recording"
    made = CliRunner().invoke(app, ["record", str(file), "--transport", "coap", "--json"])
    assert made.exit_code == 0, made.output
    found = CliRunner().invoke(app, ["replay", str(file), "--json"])
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["fingerprint"] == json.loads(made.stdout)["fingerprint"]
    assert "over coap" in json.loads(made.stdout)["title"]


def test_the_file_says_what_the_unit_received_on_which_line_and_when(update_file: Path) -> None:
    done = CliRunner().invoke(app, ["replay", str(update_file), "--inputs", "--json"])
    rows = json.loads(done.stdout)
    received = sum(row["bytes"] for row in rows if row["line"] == "network")
    assert received > 500_000  # the release itself
    assert [row["instruction"] for row in rows] == sorted(row["instruction"] for row in rows)


def test_requests_resets_and_the_button_are_replayed_in_every_run(short: Recording, tmp_path: Path) -> None:
    kinds = [{action.kind for action in run.actions} for run in short.runs]
    assert kinds == [{"input", "reset", "write"}] * 2
    assert short.runs[1].nvm is None  # as the first run left it
    replayed = replay(short, tmp_path)
    assert replayed.differences(short) == []
    assert replayed.fingerprint == short.fingerprint


def test_a_power_cut_inside_a_flash_operation_is_replayed_with_the_bits_that_it_left(
    kit: Kit, tmp_path: Path
) -> None:
    with RecordedQemuBoard(tmp_path / "board") as board:
        board.program(kit.rom, kit.image("cut"))
        before = board.nvm.path.read_bytes()
        board.power_on(cut=CutOrder(2, "torn", 7))  # the first erases an erased sector
        board.console.wait_for(r"^nvm: power cut", TIMEOUT_S)
        board.cut_power()
        torn = board.nvm.path.read_bytes()
        board.power_on()
        started(board)
        board.cut_power()
        made = board.recording("a cut, and the start after it")
    assert torn != before, "the cut operation left nothing in the flash"
    assert replay(made, tmp_path / "replay").differences(made) == []


def test_one_changed_byte_of_input_is_not_the_recorded_run(
    short: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qemu_replay, "STUCK_S", 2.0)
    run = short.runs[0]
    at = next(index for index, action in enumerate(run.actions) if action.kind == "input")
    data = bytearray(run.actions[at].data)
    data[len(data) // 2] ^= 1
    changed = dataclasses.replace(run.actions[at], data=bytes(data))
    actions = (*run.actions[:at], changed, *run.actions[at + 1 :])
    spoiled = dataclasses.replace(short, runs=(dataclasses.replace(run, actions=actions),))
    try:
        differences = replay(spoiled, tmp_path).differences(spoiled)
    except ReplayError:
        return  # QEMU noticed that the instructions are not those of its log
    assert "run 1: factory differs" in differences


def test_another_version_of_the_emulator_is_refused_before_anything_starts(
    short: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qemu_replay, "emulator_version", lambda: "QEMU emulator version 9.9.9")
    with pytest.raises(ReplayError, match="Use the same version"):
        replay(short, tmp_path / "not-made")
    assert not (tmp_path / "not-made").exists()


def test_a_recording_of_another_emulator_is_refused_by_its_name(short: Recording, tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="a recording of renode"):
        replay(dataclasses.replace(short, emulator="renode"), tmp_path)


def test_a_board_whose_emulator_was_killed_has_no_recording(kit: Kit, tmp_path: Path) -> None:
    with RecordedQemuBoard(tmp_path) as board:
        board.program(kit.rom, kit.image("release"))
        board.power_on()
        assert board._process is not None
        board._process.kill()
        ended(board._process)
        board.cut_power()
        with pytest.raises(RecordingError, match="ended by itself"):
            board.recording("nothing")


def test_a_board_without_power_has_no_recording(tmp_path: Path) -> None:
    with RecordedQemuBoard(tmp_path) as board, pytest.raises(RecordingError, match="no power yet"):
        board.recording("nothing")


def test_a_saved_recording_is_the_one_that_was_made(short: Recording, tmp_path: Path) -> None:
    save(short, tmp_path / "file")
    assert load(tmp_path / "file").runs == short.runs
