"""The host's ends of a board's serial lines: the console, and the factory port.

Lines outlive power cycles: `attach` joins a line to a newly started board, `detach` takes it off. QEMU's `mux=on`
makes UARTs seven times faster and gives the byte 0x01 a meaning, so it is doubled towards the board there.
"""

from __future__ import annotations

import re
import select
import socket
import threading
import time
from pathlib import Path
from typing import IO, Final

from renode.errors import ConsoleTimeoutError, LineClosedError

MUX_ESCAPE: Final = b"\x01"
TEXT_MAX_CHARS: Final = 4 * 1024 * 1024  # of one console; older text is only in the log
_READ_BYTES: Final = 65536
_TAIL_LINES: Final = 15
_SEND_TIMEOUT_S: Final = 10.0
_JOIN_TIMEOUT_S: Final = 10.0


def escape_mux(data: bytes) -> bytes:
    """Return `data` as it has to be written to a QEMU chardev with mux=on."""
    return data.replace(MUX_ESCAPE, MUX_ESCAPE * 2)


def send_all(line: socket.socket, data: bytes, *, is_mux: bool) -> None:
    """Write `data` whole to a line. Raises LineClosedError, also for a board that stopped reading."""
    try:
        line.sendall(escape_mux(data) if is_mux else data)
    except (OSError, ValueError) as error:
        raise LineClosedError(f"the line is closed: {type(error).__name__}") from None


class Console:
    """UART0: everything printed so far, a log file, and waiting for text."""

    def __init__(self, log_path: Path) -> None:
        self.log_path = log_path
        self._changed = threading.Condition()
        self._text = ""
        self._dropped_chars = 0  # from the front of the text, so positions stay valid
        self._cursor = 0  # absolute position behind the last match
        self._line: socket.socket | None = None
        self._is_mux = False
        self._reader: threading.Thread | None = None

    @property
    def text(self) -> str:
        """Everything printed since the machine was made (the last TEXT_MAX_CHARS characters of it)."""
        with self._changed:
            return self._text

    def wait_for(self, pattern: str, timeout_s: float) -> re.Match[str]:
        """Return the first match behind the previous one; MULTILINE, so ^ and $ mean a line.

        Carriage returns are left out of the text; $ also matches where the board has stopped so far, so a pattern
        that needs the whole line ends in \\n. Raises ConsoleTimeoutError after `timeout_s`, or at once when the
        power is off and nothing more can come.
        """
        compiled = re.compile(pattern, re.MULTILINE)
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                start = max(0, self._cursor - self._dropped_chars)
                match = compiled.search(self._text, start)
                if match:
                    self._cursor = self._dropped_chars + match.end()
                    return match
                left_s = deadline - time.monotonic()
                if self._line is None or left_s <= 0:
                    raise ConsoleTimeoutError(self._complaint(pattern, timeout_s))
                self._changed.wait(left_s)

    def skip(self) -> None:
        """Let the next wait_for look only at what is printed from now on."""
        with self._changed:
            self._cursor = self._dropped_chars + len(self._text)

    def send(self, data: bytes) -> None:
        """Type `data` at the board. Raises LineClosedError when it is off."""
        line = self._line
        if line is None:
            raise LineClosedError("the console is closed: the board is off")
        send_all(line, data, is_mux=self._is_mux)

    def attach(self, line: socket.socket, *, is_mux: bool) -> None:
        """Take over `line`, a connected socket, and read it until its end."""
        self.detach()
        line.settimeout(None)
        self._line, self._is_mux = line, is_mux
        self._reader = threading.Thread(target=self._read, args=(line,), name="console", daemon=True)
        self._reader.start()

    def detach(self) -> None:
        """Read what is left, then close the line. To be called when the emulator has ended."""
        line, reader = self._line, self._reader
        if reader is not None:
            if line is not None:
                _shut(line)
            reader.join(_JOIN_TIMEOUT_S)
            self._reader = None

    def _read(self, line: socket.socket) -> None:
        with self.log_path.open("ab") as log:
            while True:
                try:
                    data = line.recv(_READ_BYTES)
                except OSError:
                    data = b""
                if not data:
                    break
                self._take(data, log)
        with self._changed:
            self._line = None
            self._changed.notify_all()
        line.close()

    def _take(self, data: bytes, log: IO[bytes]) -> None:
        log.write(data)
        log.flush()
        with self._changed:
            self._text += data.decode("utf-8", "replace").replace("\r", "")
            excess = len(self._text) - TEXT_MAX_CHARS
            if excess > 0:
                self._text = self._text[excess:]
                self._dropped_chars += excess
            self._changed.notify_all()

    def _complaint(self, pattern: str, timeout_s: float) -> str:
        why = "the board is off" if self._line is None else f"{timeout_s:g} s passed"
        tail = "\n".join(self._text.splitlines()[-_TAIL_LINES:])
        return f"console: {why} and {pattern!r} did not come; last lines (log: {self.log_path}):\n{tail}"


class FactoryLine:
    """UART2 as a byte stream. Bytes are never logged: they can carry secrets."""

    def __init__(self) -> None:
        self._line: socket.socket | None = None
        self._is_mux = False

    def read(self, timeout_s: float) -> bytes:
        """Return what has come, b"" when nothing came in `timeout_s`. Raises LineClosedError when the board is off."""
        line = self._connected()
        readable, _, _ = select.select([line], [], [], max(0.0, timeout_s))
        if not readable:
            return b""
        try:
            data = line.recv(_READ_BYTES)
        except OSError:
            data = b""
        if not data:
            raise LineClosedError("the factory port is closed: the board went off")
        return data

    def write(self, data: bytes) -> None:
        """Send `data` whole. Raises LineClosedError when the board is off or stopped reading."""
        send_all(self._connected(), data, is_mux=self._is_mux)

    def close(self) -> None:
        """Forget what has come and was not read; the line itself belongs to the machine."""
        while self._line is not None:
            try:
                if not self.read(0):
                    return
            except LineClosedError:
                return

    def attach(self, line: socket.socket, *, is_mux: bool) -> None:
        self.detach()
        line.settimeout(_SEND_TIMEOUT_S)
        self._line, self._is_mux = line, is_mux

    def detach(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def _connected(self) -> socket.socket:
        if self._line is None:
            raise LineClosedError("the factory port is closed: the board is off")
        return self._line


def _shut(line: socket.socket) -> None:
    try:
        line.shutdown(socket.SHUT_RDWR)  # what has arrived can still be read
    except OSError:
        pass  # already closed by the other end
