"""The Renode machine's own code against a fake Renode; `make renode` runs the scenarios on the real one."""

import sys
from pathlib import Path

import pytest

from device.layout import MPS2
from renode.errors import EmulatorError, LineClosedError, ToolMissingError
from renode.renode import RenodeBoard
from tests.emulated.boot_support import START_TIMEOUT_S

HERE = Path(__file__).parent


@pytest.fixture
def stand_in(tmp_path, monkeypatch) -> Path:
    """Put a program called renode on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "renode"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{HERE / "stub" / "fake_renode.py"}" "$@"\n')
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


def test_a_renode_that_ends_at_once_is_quoted(board, stand_in):
    stand_in.write_text("#!/bin/sh\necho no such luck\n")
    with pytest.raises(EmulatorError, match="no such luck"):
        board.power_on()
    assert not board.is_powered


def test_a_missing_renode_says_where_to_get_it(board, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolMissingError, match="conda-forge"):
        board.power_on()
