"""The table of the emulated boards agrees with their folders, and each board has every number that the C code uses."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from provisioning.firmware import frozen, header
from provisioning.firmware.build import build
from provisioning.firmware.emulated import AN385, AN505, EMULATED, EmulatedBoard, canonical
from provisioning.firmware.errors import FirmwareError

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.parametrize("board", EMULATED.values(), ids=list(EMULATED))
def test_the_name_in_the_table_is_that_of_the_folder_and_of_its_units(board: EmulatedBoard) -> None:
    facts = importlib.import_module(f"device.boards.{board.name}.board")
    assert facts.NAME == board.name == canonical(board.machine)


def test_every_board_has_the_addresses_of_the_others() -> None:
    assert set(header.addresses(AN385)) <= set(header.addresses(AN505))


def test_the_generated_files_have_the_row_of_the_board() -> None:
    texts = header.generated_texts(AN505)
    assert "CPU_FLAGS := -mcpu=cortex-m33" in texts["board.mk"]
    assert "ROM_PARTS := trustzone\n" in texts["board.mk"]
    for line in ('BOARD_NAME "mps2_an505"', "UART_INTERRUPT (32u)", "HAS_TRUSTZONE 1"):
        assert f"#define {line}\n" in texts["board_facts.h"]
    assert "HAS_TRUSTZONE" not in header.generated_texts(AN385)["board_facts.h"]


@pytest.mark.parametrize("board", EMULATED.values(), ids=list(EMULATED))
def test_a_firmware_contains_the_folder_of_its_own_board_only(board: EmulatedBoard) -> None:
    files = frozen.frozen_files(ROOT, ROOT, frozen.VARIANTS["release"], ROOT, board)
    folders = {file.name.split("/")[2] for file in files if file.name.startswith("device/boards/mps2_")}
    assert folders == {board.name}
    assert frozen.VARIANTS["release"].main_on(board) == f"device/boards/{board.name}/main.py"


def test_a_board_that_is_not_emulated_is_refused_with_the_known_ones() -> None:
    with pytest.raises(FirmwareError, match="Use one of: mps2_an385, mps2_an505"):
        build("release", root=ROOT, board="mps2_an386")
