"""What the simulator's commands share."""

from __future__ import annotations

import signal
from enum import StrEnum
from types import FrameType


class On(StrEnum):
    """Where the firmware runs."""

    qemu = "qemu"
    renode = "renode"
    sim = "sim"


def end_by_signal() -> None:
    """Let SIGTERM end a command as Ctrl-C does."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
