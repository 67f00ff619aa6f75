"""The Renode machine's own code against a fake Renode; `make renode` runs the scenarios on the real one."""

import os
import re
import socket
import sys
from pathlib import Path

import pytest

from device.boards.mps2_an385.memory_map import CUT_ORDER_ADDRESS, POWER_ON_ADDRESS, POWER_ON_BUTTON_HELD
from device.layout import MPS2
from renode import install
from renode.errors import EmulatorError, LineClosedError, MachineError, ToolMissingError
from renode.host_line import AwaitedLine
from renode.machine import CutOrder
from renode.renode import HERE as RENODE_FOLDER
from renode.renode import RenodeBoard
from tests.emulated.boot_support import START_TIMEOUT_S
from tests.emulated.processes import group_members, listening_ports, require_ended

HERE = Path(__file__).parent


@pytest.fixture
def stand_in(tmp_path, monkeypatch) -> Path:
    """Put a program called renode on PATH: a shell script that starts another process, as Renode's packages have it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "renode"
    program.write_text(f'#!/bin/sh\n"{sys.executable}" "{HERE / "stub" / "fake_renode.py"}" "$@"\nexit $?\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return program


@pytest.fixture
def board(stand_in, tmp_path):
    with RenodeBoard(tmp_path / "board, with blanks", has_network=False) as board:
        board.rom_path.write_bytes(b"\x7fELF")
        board.nvm.erase_all()
        yield board


def test_power_on_connects_the_console_before_the_processor_starts(board):
    board.power_on()
    board.console.wait_for("^fake: started with FBPO\n", START_TIMEOUT_S)


def test_a_power_cut_saves_nvm_to_the_boards_file_and_leaves_no_process_and_no_seed(board):
    board.power_on()
    process, work = board._process, Path(board._work.name)
    board.cut_power()
    assert board.nvm.read(0, 6) == b"saved\xff"
    assert board.nvm.path.stat().st_size == MPS2.size_bytes
    assert process.returncode is not None
    assert not work.exists()
    with pytest.raises(LineClosedError):
        board.factory_port().read(0)


def test_reset_goes_through_the_monitor(board):
    board.power_on()
    board.reset()
    board.console.wait_for("^fake: reset\n", START_TIMEOUT_S)


def test_the_board_can_be_powered_on_again_after_a_cut(board):
    for _ in range(2):
        board.power_on()
        board.console.wait_for("^fake: started", START_TIMEOUT_S)
        board.cut_power()


def test_a_monitor_that_refuses_is_quoted_and_nothing_is_left(board):
    board.power_on()
    with pytest.raises(EmulatorError, match="No such command: nonsense"):
        board._monitor.execute("nonsense", START_TIMEOUT_S)


def test_a_warning_in_renodes_log_is_no_refusal(board):
    board.power_on()
    assert b"[WARNING] Could not find" in (board.directory / "renode.log").read_bytes()


def test_a_renode_that_ends_at_once_is_quoted(board, stand_in):
    stand_in.write_text("#!/bin/sh\necho no such luck\n")
    with pytest.raises(EmulatorError, match="no such luck"):
        board.power_on()
    assert not board.is_powered


def test_the_renode_that_emulator_install_unpacked_runs_the_board(board, stand_in, tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTBOOT_CACHE", str(tmp_path / "cache"))
    install.folder().mkdir(parents=True)
    stand_in.rename(install.folder() / "renode")
    board.power_on()
    assert str(install.folder()) in (board.directory / "command-line.txt").read_text()


def test_a_missing_renode_says_where_to_get_it(board, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("FIRSTBOOT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ToolMissingError, match="conda-forge"):
        board.power_on()


def test_a_power_cut_ends_the_program_that_the_wrapper_script_started(board):
    board.power_on()
    group = board._process.pid
    assert len(group_members(group)) == 2, "the script and the program"
    board.cut_power()
    require_ended(group)


def test_a_program_whose_wrapper_script_has_ended_ends_too(board):
    board.power_on()
    group = board._process.pid
    os.kill(group, 9)
    board._process.wait()
    board.cut_power()
    require_ended(group)


def test_no_line_of_the_board_listens_while_it_runs(board):
    board.power_on()
    for process in (*group_members(board._process.pid), os.getpid()):
        assert listening_ports(process) == []


def test_no_script_opens_a_terminal_that_listens_on_every_address():
    for script in RENODE_FOLDER.glob("scripts/*"):
        assert not re.search(r"ServerSocketTerminal|CreateServerSocket", script.read_text()), script


def test_a_peripheral_that_does_not_compile_is_reported_with_the_compilers_error(board, monkeypatch):
    monkeypatch.setenv("FAKE_RENODE_COMPILES", "no")
    with pytest.raises(EmulatorError, match=r"could not compile .* error CS1503: Argument") as caught:
        board.power_on()
    assert not board.is_powered
    assert "did not connect" not in str(caught.value)


def test_the_command_line_contains_no_word_of_a_line_and_is_kept(board):
    board.power_on()
    assert (board.directory / "command-line.txt").read_text().endswith("--hide-analyzers\n")
    assert "_word" not in Path(f"/proc/{board._process.pid}/cmdline").read_text()


def test_the_folder_of_a_run_is_not_one_that_renode_deletes(board):
    board.power_on()
    assert not Path(board._work.name).name.startswith("renode-")


def test_a_press_sets_the_buttons_flag_and_clears_it(board):
    board.power_on()
    seen = []
    write = board._write
    board._write = lambda address, data: (seen.append((address, data[0])), write(address, data))
    board.press_button(0)
    assert [(address, flags & POWER_ON_BUTTON_HELD) for address, flags in seen] == [
        (POWER_ON_ADDRESS + 4, POWER_ON_BUTTON_HELD),
        (POWER_ON_ADDRESS + 4, 0),
    ]


def test_a_planned_cut_is_written_where_the_firmware_looks_for_it(board):
    board.power_on()
    board.plan_cut(7, "torn")
    page = CutOrder(7, "torn", 7).page()
    words = [board.read_word(CUT_ORDER_ADDRESS + offset) for offset in range(0, len(page), 4)]
    assert b"".join(word.to_bytes(4, "little") for word in words) == page
    with pytest.raises(MachineError, match="number 1"):
        board.plan_cut(0, "torn")


def test_a_client_without_the_word_does_not_get_the_line():
    with AwaitedLine("factory") as line:
        with (
            socket.create_connection(("127.0.0.1", line.port)) as stranger,
            socket.create_connection(("127.0.0.1", line.port)) as board,
        ):
            stranger.sendall(b"0" * len(line.word))
            board.sendall(line.word.encode() + b"from the board")
            with line.accept(START_TIMEOUT_S) as accepted:
                assert accepted.recv(100) == b"from the board"
            assert stranger.recv(1) == b""


def test_a_line_that_nobody_opens_is_reported_by_name():
    with AwaitedLine("network") as line, pytest.raises(EmulatorError, match="'network'"):
        line.accept(0)


def test_a_line_that_is_open_or_given_up_listens_no_longer():
    with AwaitedLine("console") as line:
        board = socket.create_connection(("127.0.0.1", line.port))
        board.sendall(line.word.encode())
        line.accept(START_TIMEOUT_S).close()
        board.close()
        assert line.port not in listening_ports(os.getpid())
    with AwaitedLine("console") as line:
        pass
    assert line.port not in listening_ports(os.getpid())
