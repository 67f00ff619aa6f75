"""The machine around the board: power, NVM, identity, seed, serial lines, several boards at once."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from device.layout import MPS2
from provisioning import fair_time
from renode.errors import (
    ConsoleTimeoutError,
    EmulatorError,
    LineClosedError,
    MachineError,
    PowerStateError,
    ToolMissingError,
)
from renode.qemu import QemuBoard
from tests.emulated.boot_support import CHECKOUT, START_TIMEOUT_S, stub_line

pytestmark = pytest.mark.emulated

SEED_PRESENT, SEED_FIXED, BUTTON_HELD = 1, 2, 4


@pytest.fixture
def programmed(bench, board):
    board.nvm.install(0, bench.recipe.signed(), is_tried=True, confirm_sequence=1)
    return board


def read_exactly(line, length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = line.read(START_TIMEOUT_S)
        assert part, f"{len(data)} of {length} bytes came"
        data += part
    return data


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    try:  # an orphan that is not reaped stays as a zombie; the process has ended
        with open(f"/proc/{process_id}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition) -> bool:
    deadline = fair_time.now() + START_TIMEOUT_S
    while not condition() and fair_time.now() < deadline:
        time.sleep(0.01)
    return condition()


def test_nvm_survives_a_power_cut(programmed):
    programmed.power_on()
    stub_line(programmed)
    programmed.console.send(b"n")
    programmed.console.wait_for("^stub: written\n", START_TIMEOUT_S)
    programmed.cut_power()
    assert programmed.nvm.read(MPS2.user_offset, 19) == b"written by the stub"
    programmed.power_on()
    stub_line(programmed)
    programmed.cut_power()
    assert programmed.nvm.read(MPS2.user_offset, 19) == b"written by the stub"


def test_each_power_on_brings_a_fresh_seed_and_the_same_hardware_id(programmed):
    starts = []
    for _ in range(2):
        programmed.power_on()
        starts.append(stub_line(programmed))
        programmed.cut_power()
    assert starts[0]["seed"] != starts[1]["seed"]
    assert {start["id"] for start in starts} == {programmed.hardware_id.hex()}
    assert {int(start["flags"]) for start in starts} == {SEED_PRESENT}


def test_a_reset_restores_the_power_on_page(programmed):
    programmed.power_on()
    before = stub_line(programmed)
    programmed.reset()
    assert stub_line(programmed)["seed"] == before["seed"]


def test_flags_report_a_fixed_seed_and_a_held_button(programmed):
    programmed.power_on(fixed_seed=bytes(range(32)), button_held=True)
    said = stub_line(programmed)
    assert said["seed"] == bytes(range(32)).hex()
    assert int(said["flags"]) == SEED_PRESENT | SEED_FIXED | BUTTON_HELD


def test_a_machine_without_entropy_hands_over_no_seed(bench, tmp_path):
    with bench.board(tmp_path / "board", has_seed=False) as board:
        board.nvm.install(0, bench.recipe.signed(), is_tried=True, confirm_sequence=1)
        board.power_on()
        said = stub_line(board)
    assert (int(said["flags"]), int(said["seed"], 16)) == (0, 0)


def test_the_seed_is_in_no_file_of_the_board(programmed):
    seed = bytes(range(100, 132))
    programmed.power_on(fixed_seed=seed)
    programmed.console.wait_for(r"^rom: slot 0", START_TIMEOUT_S)
    for path in programmed.directory.iterdir():
        assert seed not in path.read_bytes(), path.name


def test_a_board_keeps_its_hardware_id_and_nvm_when_its_folder_is_taken_up_again(bench, programmed, tmp_path):
    programmed.close()
    with QemuBoard(programmed.directory, has_network=False) as again:
        assert again.hardware_id == programmed.hardware_id
        again.power_on()
        assert stub_line(again)["slot"] == "0"


def test_every_byte_value_passes_the_factory_port_both_ways(programmed):
    programmed.power_on()
    stub_line(programmed)
    programmed.console.send(b"e")
    programmed.console.wait_for("^stub: echo\n", START_TIMEOUT_S)
    sent = bytes(range(256)) + b"\x01x\x01\x01c"  # 0x01 x would end QEMU if the escape were not doubled
    programmed.factory_port().write(sent)
    assert read_exactly(programmed.factory_port(), len(sent)) == sent


def test_the_escape_byte_passes_the_console(programmed):
    programmed.power_on()
    stub_line(programmed)
    programmed.console.send(b"e")
    programmed.console.wait_for("^stub: echo\n", START_TIMEOUT_S)
    programmed.console.send(b"\x01x\x01.")
    programmed.console.wait_for("\x01x\x01\\.", START_TIMEOUT_S)
    assert programmed.is_powered


def test_the_factory_port_says_that_the_board_is_off(programmed):
    with pytest.raises(LineClosedError):
        programmed.factory_port().read(0)
    programmed.power_on()
    assert programmed.factory_port().read(0) == b""
    programmed.cut_power()
    with pytest.raises(LineClosedError):
        programmed.factory_port().write(b"x")


def test_three_boards_run_side_by_side_and_share_nothing(bench, tmp_path):
    boards = [bench.board(tmp_path / name) for name in ("a", "b", "c")]
    try:
        for number, board in enumerate(boards):
            image = bench.recipe.but(version=(number + 1, 0, 0, 0)).signed()
            board.nvm.install(0, image, is_tried=True, confirm_sequence=1)
            board.power_on()
        said = [stub_line(board) for board in boards]
        boards[1].cut_power()
        boards[0].reset()
        assert stub_line(boards[0])["version"] == "1.0.0+0"
        assert [board.is_powered for board in boards] == [True, False, True]
    finally:
        for board in boards:
            board.close()
    assert [one["version"] for one in said] == ["1.0.0+0", "2.0.0+0", "3.0.0+0"]
    assert len({one["id"] for one in said}) == len({one["seed"] for one in said}) == 3


def test_a_board_in_a_folder_with_a_long_and_awkward_name_starts(bench, tmp_path):
    with bench.board(tmp_path / ("long, name " * 12)) as board:
        board.nvm.install(0, bench.recipe.signed(), is_tried=True, confirm_sequence=1)
        board.power_on()
        assert stub_line(board)["slot"] == "0"


def test_closing_a_board_leaves_no_process(programmed):
    programmed.power_on()
    process_id = programmed.process_id
    assert process_id is not None and is_alive(process_id)
    programmed.close()
    assert not is_alive(process_id)


def test_the_emulator_ends_with_the_process_that_started_it_however_that_ended(programmed):
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is not installed: an orphaned emulator cannot be ruled out")
    starter = (
        "import sys, time; from pathlib import Path; from renode.qemu import QemuBoard\n"
        "board = QemuBoard(Path(sys.argv[1]), has_network=False)\n"
        "board.power_on(); print(board.process_id, flush=True); time.sleep(600)\n"
    )
    command = [sys.executable, "-c", starter, str(programmed.directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) as process:
        emulator = int(process.stdout.readline())
        was_alive = is_alive(emulator)
        process.kill()
    ended = wait_until(lambda: not is_alive(emulator))
    if not ended:
        os.kill(emulator, signal.SIGKILL)
    assert was_alive and ended


def test_an_emulator_that_died_is_noticed_and_can_be_powered_on_again(programmed):
    programmed.power_on()
    stub_line(programmed)
    os.kill(programmed.process_id, signal.SIGKILL)
    with pytest.raises(ConsoleTimeoutError, match="board is off"):
        programmed.console.wait_for("never printed", START_TIMEOUT_S)
    deadline = fair_time.now() + START_TIMEOUT_S
    while programmed.is_powered and fair_time.now() < deadline:  # its lines close before the process is gone
        time.sleep(0.01)
    programmed.power_on()
    assert stub_line(programmed)["reset"] == "0"


def test_the_console_names_what_did_not_come_and_shows_its_last_lines(programmed):
    programmed.power_on()
    stub_line(programmed)
    with pytest.raises(ConsoleTimeoutError, match=r"(?s)never printed.*stub: magic"):
        programmed.console.wait_for("never printed", 0.01)


def test_the_console_log_holds_what_was_printed(programmed):
    programmed.power_on()
    stub_line(programmed)
    programmed.cut_power()
    assert b"rom: slot 0 confirmed" in programmed.console.log_path.read_bytes()


def test_nvm_is_out_of_reach_while_power_is_on(programmed):
    programmed.power_on()
    with pytest.raises(PowerStateError):
        programmed.nvm.read(0, 1)
    with pytest.raises(PowerStateError):
        programmed.power_on()


def test_an_empty_board_and_a_board_without_power_refuse_by_name(tmp_path):
    with QemuBoard(tmp_path / "board", has_network=False) as board:
        with pytest.raises(PowerStateError, match="program"):
            board.power_on()
        with pytest.raises(PowerStateError, match="reset"):
            board.reset()


def test_a_rom_that_is_no_elf_is_refused(programmed, tmp_path):
    (tmp_path / "rom.bin").write_bytes(bytes(64))
    with pytest.raises(MachineError, match="ELF"):
        programmed.program(tmp_path / "rom.bin", programmed.nvm.path)


def test_an_nvm_file_of_the_wrong_size_is_refused(programmed):
    programmed.nvm.path.write_bytes(b"\xff")
    with pytest.raises(MachineError, match="NVM"):
        programmed.power_on()


def test_an_emulator_that_does_not_start_is_quoted(bench, tmp_path):
    with bench.board(tmp_path / "board", icount_shift=99) as board:
        with pytest.raises(EmulatorError, match="icount"):
            board.power_on()
        assert not board.is_powered


def test_a_missing_emulator_names_the_debian_package(programmed, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolMissingError, match="qemu-system-arm"):
        programmed.power_on()
