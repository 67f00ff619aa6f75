"""Options and signal handling that the simulator's commands share."""

from __future__ import annotations

import signal
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import typer

from firstboot.device_code import DeviceCodeError, use_device_code
from provisioning.cli.errors import InputError
from provisioning.firmware.emulated import DEFAULT, EMULATED, EmulatedBoard, canonical


class On(StrEnum):
    """Where the firmware runs."""

    qemu = "qemu"
    renode = "renode"
    sim = "sim"


OnOption = Annotated[
    On,
    typer.Option(
        help="`qemu` and `renode` run the real firmware, `sim` runs the same device code on CPython."
    ),
]


_NAMES: Final = ", ".join(board.machine for board in EMULATED.values())
BoardOption = Annotated[
    str | None,
    typer.Option(
        "--board", metavar="NAME", help=f"The emulated board: {_NAMES}. Default: {DEFAULT.machine}."
    ),
]


def chosen_board(on: str, name: str | None) -> EmulatedBoard:
    """Return the board that `--board` names for the machine `on`. Raises InputError."""
    if name is None:
        return DEFAULT
    board = EMULATED.get(canonical(name))
    if board is None:
        raise InputError(f"There is no emulated board {name!r}. Use one of: {_NAMES}.")
    if on == On.sim:
        raise InputError("--board is for emulated boards. The simulator has none: use --on qemu.")
    if on == On.renode and not board.is_on_renode:
        raise InputError(f"Renode does not emulate {board.machine} here. Use --on qemu.")
    return board


def choose_device_code(firmware: Path | None) -> None:
    """Import device code with the maker's changes (`--firmware`) from now on. Raises InputError.

    `firstboot` did so at its start for an option on the command line; a folder named elsewhere can come too late.
    """
    try:
        use_device_code(firmware)
    except DeviceCodeError as error:
        raise InputError(str(error)) from None


def end_by_signal() -> None:
    """Let SIGTERM end a command as Ctrl-C does. Further ones do not disturb the clean-up: the command is ending."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
