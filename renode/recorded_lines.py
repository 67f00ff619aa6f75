"""Serial lines of a recorded board: what it sends comes through named pipes, what it gets is put into its memory.

A pipe of this size takes all that a board sends while this program is not scheduled. A socket would refuse some bytes,
at moments that QEMU does not record.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import select
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from renode.errors import EmulatorError

PIPE_BYTES: Final = 1024 * 1024
_READ_BYTES: Final = 65536
_QUEUE_BYTES: Final = 65536  # towards the board: no more is read from our side until the board took it
_JOIN_TIMEOUT_S: Final = 30.0
_LAST_WRITE_S: Final = 1.0


class RecordedLine:
    """One line. `make` its pipes, start QEMU, then `open` it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.ours: socket.socket | None = None  # the end for Console, FactoryLine or Gateway
        self.near: socket.socket | None = None  # the relay's end
        self.digest = hashlib.sha256()  # of what the board sent
        self.from_board = -1
        self.to_board = bytearray()
        self.to_us = bytearray()
        self._path = folder / name

    def make(self) -> str:
        """Create the pipes; return QEMU's -chardev for them."""
        for end in ("in", "out"):
            os.mkfifo(self._path.with_suffix(f".{end}"), 0o600)
        return f"pipe,id={self.name},path={str(self._path).replace(',', ',,')}"

    def open(self, *, has_socket: bool) -> None:
        """Open the pipe from the board, and a socket pair if something on our side uses the line."""
        self.from_board = os.open(self._path.with_suffix(".out"), os.O_RDONLY | os.O_NONBLOCK)
        with contextlib.suppress(OSError, AttributeError):  # the usual size is enough on an idle host
            fcntl.fcntl(self.from_board, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        if has_socket:
            self.ours, self.near = socket.socketpair()
            self.near.setblocking(False)

    def close(self) -> None:
        """Deliver what the board sent last, then close the relay's ends."""
        if self.near is not None:
            self.near.settimeout(_LAST_WRITE_S)
            with contextlib.suppress(OSError):  # nobody reads any more
                self.near.sendall(self.to_us)
            self._drop_near()
        if self.from_board >= 0:
            os.close(self.from_board)
            self.from_board = -1

    def read_board(self, kept: IO[bytes] | None) -> bool:
        """Take what the board sent. Return False at the end, when QEMU has closed the pipe."""
        try:
            data = os.read(self.from_board, _READ_BYTES)
        except BlockingIOError:
            return True
        if not data:
            self.close()
            return False
        self.digest.update(data)
        if kept is not None:
            kept.write(data)
        if self.near is not None:
            self.to_us += data
        return True

    def exchange(self, ready: int) -> None:
        """Move bytes between the socket and the two queues."""
        if self.near is None:
            return
        try:
            if ready & (select.POLLIN | select.POLLHUP):
                data = self.near.recv(_READ_BYTES)
                if not data:  # our side closed the line; the board does not notice, as with a pulled cable
                    self._drop_near()
                    return
                self.to_board += data
            if self.to_us:
                del self.to_us[: self.near.send(self.to_us)]
        except BlockingIOError:
            pass
        except OSError:
            self._drop_near()

    def wanted(self) -> int:
        """Return what to poll the socket for."""
        wanted = select.POLLIN if len(self.to_board) < _QUEUE_BYTES else 0
        return wanted | (select.POLLOUT if self.to_us else 0)

    def _drop_near(self) -> None:
        if self.near is not None:
            self.near.close()
            self.near = None


class Relay:
    """Serves all lines of one board in one thread, until QEMU closed every pipe.

    `attend` gives the board what waits in `to_board` of the lines and removes it there. It returns the seconds after
    which it wants to be called again, None for not before something arrives.
    With `folder`, a file NAME.out there gets what the board sent on the line NAME.
    """

    def __init__(
        self,
        lines: list[RecordedLine],
        attend: Callable[[list[RecordedLine]], float | None] = lambda lines: None,
        folder: Path | None = None,
    ) -> None:
        self._lines = lines
        self._attend = attend
        self._pause_s: float | None = 0.0
        self._kept = {line.name: (folder / f"{line.name}.out").open("wb") for line in lines} if folder else {}
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Wait until everything that QEMU sent is delivered. Call it after QEMU has ended. Raises EmulatorError."""
        self._thread.join(_JOIN_TIMEOUT_S)
        if self._thread.is_alive():
            raise EmulatorError("a line of the board did not end with QEMU")

    def _run(self) -> None:
        open_lines = list(self._lines)
        try:
            while open_lines:
                open_lines = self._turn(open_lines)
        finally:
            for line in self._lines:
                line.close()
            for file in self._kept.values():
                file.close()

    def _turn(self, lines: list[RecordedLine]) -> list[RecordedLine]:
        """Wait for bytes and move them. Return the lines that are still open."""
        poller = select.poll()
        for line in lines:
            poller.register(line.from_board, select.POLLIN)
            if line.near is not None:
                poller.register(line.near, line.wanted())
        ready = dict(poller.poll(None if self._pause_s is None else self._pause_s * 1000))
        still_open = []
        for line in lines:
            near = line.near.fileno() if line.near is not None else -1
            line.exchange(ready.get(near, 0))
            if not ready.get(line.from_board) or line.read_board(self._kept.get(line.name)):
                still_open.append(line)
        self._pause_s = self._attend(still_open)
        return still_open
