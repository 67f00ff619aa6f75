"""Serial lines of a recorded board: named pipes on QEMU's side, sockets on ours, and a digest of what the board sent.

QEMU records bytes of a line exactly only if the line never refuses a byte. A socket refuses after some hundred single
bytes; a pipe of this size takes all that a board sends while this program is not scheduled.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import select
import socket
import threading
from pathlib import Path
from typing import Final

from renode.errors import EmulatorError

PIPE_BYTES: Final = 1024 * 1024
READ_BYTES: Final = 65536
_QUEUE_BYTES: Final = 65536  # towards the board: no more is read from our side until QEMU took it
_JOIN_TIMEOUT_S: Final = 10.0
_LAST_WRITE_S: Final = 1.0


class FifoLine:
    """One line. `make` its pipes, start QEMU, then `open` it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.path = folder / name
        self.ours: socket.socket | None = None  # the end for Console, FactoryLine or Gateway
        self.digest = hashlib.sha256()
        self.count = 0
        self.near: socket.socket | None = None
        self.to_board = self.from_board = -1
        self.pending_in = bytearray()
        self.pending_out = bytearray()

    def make(self) -> str:
        """Create the pipes; return QEMU's -chardev for them."""
        for end in ("in", "out"):
            os.mkfifo(self.path.with_suffix(f".{end}"), 0o600)
        return f"pipe,id={self.name},path={str(self.path).replace(',', ',,')},mux=on"

    def open(self, *, has_socket: bool) -> None:
        """Open both pipes; QEMU has them open. Raises EmulatorError if it has not."""
        try:
            self.from_board = os.open(self.path.with_suffix(".out"), os.O_RDONLY | os.O_NONBLOCK)
            self.to_board = os.open(self.path.with_suffix(".in"), os.O_WRONLY | os.O_NONBLOCK)
            with contextlib.suppress(OSError, AttributeError):  # the usual size is enough on an idle host
                fcntl.fcntl(self.from_board, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except OSError as error:
            self.close()
            raise EmulatorError(f"QEMU did not open the line {self.name}: {error.strerror}") from None
        if has_socket:
            self.ours, self.near = socket.socketpair()
            self.near.setblocking(False)

    def close(self) -> None:
        """Close our ends of the pipes and the relay's end of the socket."""
        for descriptor in (self.from_board, self.to_board):
            if descriptor >= 0:
                os.close(descriptor)
        self.from_board = self.to_board = -1
        if self.near is not None:
            self.near.close()
            self.near = None


class Relay:
    """Moves bytes between pipes and sockets in one thread, until QEMU closed every pipe.

    With `folder`, a file NAME.out there gets what the board sent on the line NAME.
    """

    def __init__(self, lines: list[FifoLine], folder: Path | None = None) -> None:
        self._lines = lines
        self._kept = {line.name: (folder / f"{line.name}.out").open("wb") for line in lines} if folder else {}
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Wait until everything that QEMU sent is delivered. Call it after QEMU has ended."""
        self._thread.join(_JOIN_TIMEOUT_S)
        if self._thread.is_alive():
            raise EmulatorError("a line of the board did not end with QEMU")

    def _run(self) -> None:
        open_lines = list(self._lines)
        try:
            while open_lines:
                poller = select.poll()
                for line in open_lines:
                    _register(poller, line)
                ready = dict(poller.poll())
                open_lines = [line for line in open_lines if self._move(line, ready)]
        finally:
            for line in self._lines:
                line.close()
            for file in self._kept.values():
                file.close()

    def _move(self, line: FifoLine, ready: dict[int, int]) -> bool:
        """Move what is ready. Return False after the end of the board's output."""
        is_open = True
        if ready.get(line.from_board):
            is_open = self._read_board(line)
        if line.near is not None:
            if ready.get(line.near.fileno(), 0) & (select.POLLIN | select.POLLHUP):
                _read_near(line)
            _flush(line)
        return is_open

    def _read_board(self, line: FifoLine) -> bool:
        try:
            data = os.read(line.from_board, READ_BYTES)
        except BlockingIOError:
            return True
        if not data:
            if line.near is not None:
                line.near.settimeout(_LAST_WRITE_S)
                with contextlib.suppress(OSError):  # nobody reads any more
                    line.near.sendall(line.pending_out)
            line.close()
            return False
        line.digest.update(data)
        line.count += len(data)
        if line.name in self._kept:
            self._kept[line.name].write(data)
        if line.near is not None:
            line.pending_out += data
        return True


def _register(poller: select.poll, line: FifoLine) -> None:
    poller.register(line.from_board, select.POLLIN)
    if line.near is not None:
        wanted = select.POLLIN if len(line.pending_in) < _QUEUE_BYTES else 0
        poller.register(line.near, wanted | (select.POLLOUT if line.pending_out else 0))
    if line.pending_in:
        poller.register(line.to_board, select.POLLOUT)


def _read_near(line: FifoLine) -> None:
    assert line.near is not None  # noqa: S101 (the caller looked)
    try:
        data = line.near.recv(READ_BYTES)
    except BlockingIOError:
        return
    except OSError:
        data = b""
    if not data:  # our side closed the line; the board does not notice, as with a cable that nobody reads
        line.near.close()
        line.near = None
        return
    line.pending_in += data


def _flush(line: FifoLine) -> None:
    if line.pending_in:
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            del line.pending_in[: os.write(line.to_board, line.pending_in)]
    if line.pending_out and line.near is not None:
        try:
            del line.pending_out[: line.near.send(line.pending_out)]
        except BlockingIOError:
            pass
        except OSError:
            line.near.close()
            line.near = None
