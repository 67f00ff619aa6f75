"""File locks and durable names, on systems with `fcntl` and on Windows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_LOCKED_BYTE: Final = 0x7FFFFFFF  # beyond every content: on Windows, no other process can read a locked byte


def lock(descriptor: int, *, is_waiting: bool = True) -> None:
    """Lock an open file for this process until it is closed. Raises BlockingIOError if it must not wait."""
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if is_waiting else fcntl.LOCK_NB))
        return
    _lock_on_windows(descriptor, is_waiting)


def _lock_on_windows(descriptor: int, is_waiting: bool) -> None:
    import msvcrt
    from typing import Any

    system: Any = msvcrt
    at = os.lseek(descriptor, 0, os.SEEK_CUR)
    os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
    try:
        while True:
            try:
                system.locking(descriptor, system.LK_LOCK if is_waiting else system.LK_NBLCK, 1)
                return
            except OSError as error:  # LK_LOCK gives up after ten seconds
                if not is_waiting:
                    raise BlockingIOError(error.errno, "the file is locked") from None
    finally:
        os.lseek(descriptor, at, os.SEEK_SET)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable (fsync). Does nothing on Windows, which cannot open folders."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
