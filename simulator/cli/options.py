"""Options and signal handling that the simulator's commands share."""

from __future__ import annotations

import signal
from enum import StrEnum
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


def end_by_signal() -> None:
    """Let SIGTERM end a command as Ctrl-C does."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
