"""Options and signal handling that the simulator's commands share."""

from __future__ import annotations

import signal
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer


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


# The program reads this option before it imports device code (firstboot.__main__).
FirmwareOption = Annotated[
    Path | None,
    typer.Option(
        "--firmware",
        metavar="DIR",
        help="A folder with `device/`: its files replace those of the same name in the firmware.",
        file_okay=False,
        exists=True,
    ),
]


def end_by_signal() -> None:
    """Let SIGTERM end a command as Ctrl-C does."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
