"""The exit codes of all commands: one number has one meaning everywhere.

The help of `firstboot` and of every group shows this table; scripts may rely on the numbers.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class ExitCode(IntEnum):
    """The result of a command."""

    DONE = 0
    FAILED = 1
    WRONG_INPUT = 2
    OTHER_DEVICE = 3
    HAS_OWNER = 4
    TRY_LATER = 75  # EX_TEMPFAIL of sysexits.h
    INTERRUPTED = 130  # 128 + SIGINT, as shells report it


MEANINGS: Final = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "refused or failed; the reason is printed",
    ExitCode.WRONG_INPUT: "the command line is wrong, or a file, key or registry it names cannot be used",
    ExitCode.OTHER_DEVICE: "not the device to work on (already finished, or another certificate); nothing was changed",
    ExitCode.HAS_OWNER: "the device already has an owner",
    ExitCode.TRY_LATER: "this machine lacks something, or a resource is busy or full; try again after that changes",
    ExitCode.INTERRUPTED: "interrupted with Ctrl-C",
}


def help_text() -> str:
    """Return the table as the last part of a help page (Markdown)."""
    return "\n".join(
        ["Exit codes:", "", *(f"- {int(code)}: {meaning}" for code, meaning in MEANINGS.items())]
    )
