"""The files that a command reads: regular files and standard input. On a pipe or a device it could wait without end.

Rules:
1. While a command runs, no pipe, socket or device is opened for reading by its name. A pipe that nobody writes to
   blocks the call, and a device such as /dev/zero never ends.
2. What the caller opened for the command has a writer: /dev/stdin and /dev/fd/N may be anything. /dev/null is an empty
   file, and a password may come from /dev/tty.
3. Writing is free, and so is a device that is opened for reading and writing, such as a serial line.

The check listens to Python's audit event `open` (PEP 578). So it holds for each file of a folder, for each path in a
definition, and for libraries that open a file themselves.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from provisioning.cli.errors import InputError

_FROM_CALLER: Final = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
_FREE: Final = ("/dev/null", "/dev/tty")
_ACCESS: Final = os.O_RDONLY | os.O_WRONLY | os.O_RDWR
_AT_ONCE: Final = getattr(os, "O_NONBLOCK", 0)  # such a call never waits


class _Listener:
    """The hook of this process, which Python cannot remove: it looks only while a command runs."""

    def __init__(self) -> None:
        self.is_added = False
        self.commands = 0

    def on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or not self.commands:
            return
        path, _, flags = arguments
        if isinstance(path, (str, bytes)) and isinstance(flags, int):
            _check(os.fsdecode(path), flags)


_LISTENER: Final = _Listener()


@contextmanager
def regular_inputs() -> Iterator[None]:
    """Refuse pipes, sockets and devices as inputs until the block ends: opening one raises InputError."""
    if not _LISTENER.is_added:
        sys.addaudithook(_LISTENER.on_event)
        _LISTENER.is_added = True
    _LISTENER.commands += 1
    try:
        yield
    finally:
        _LISTENER.commands -= 1


def _check(path: str, flags: int) -> None:
    if flags & _ACCESS == os.O_WRONLY or flags & _AT_ONCE:
        return
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # the call that asked reports it
        return
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode) or os.path.abspath(path).startswith(_FROM_CALLER):
        return
    if stat.S_ISFIFO(mode):
        what = "a pipe"
    elif flags & _ACCESS == os.O_RDWR or os.path.realpath(path) in _FREE:
        return
    else:
        what = "a socket" if stat.S_ISSOCK(mode) else "a device"
    raise InputError(f"{path} is {what}: give a regular file, or /dev/stdin")
