"""The host's ends of a board's serial lines: the console and the factory port.

Lines outlive power cycles: `attach` connects a line to a newly started board, `detach` disconnects it. QEMU's `mux=on`
makes UARTs seven times faster, but gives the byte 0x01 a meaning; towards the board this byte is therefore doubled.
"""

from __future__ import annotations

import re
import select
import socket
import threading
from pathlib import Path
from typing import IO, Final

from provisioning import fair_time
from renode.errors import ConsoleTimeoutError, LineClosedError

MUX_ESCAPE: Final = b"\x01"
TEXT_MAX_CHARS: Final = 4 * 1024 * 1024  # of one console; older text is only in the log
_READ_BYTES: Final = 65536
_TAIL_LINES: Final = 15
_SEND_TIMEOUT_S: Final = 10.0
_JOIN_TIMEOUT_S: Final = 10.0


def escape_mux(data: bytes) -> bytes:
    """Return `data` as a QEMU chardev with mux=on expects it."""
    return data.replace(MUX_ESCAPE, MUX_ESCAPE * 2)


def send_all(line: socket.socket, data: bytes, *, is_mux: bool) -> None:
    """Write all of `data` to a line. Raises LineClosedError, also if the board stopped reading."""
    try:
        line.sendall(escape_mux(data) if is_mux else data)
    except (OSError, ValueError) as error:
        raise LineClosedError(f"the line is closed: {type(error).__name__}") from None


class Console:
    """UART0: the text printed so far, a log file, and a wait for text."""

    def __init__(self, log_path: Path) -> None:
        self.log_path = log_path
        self._changed = threading.Condition()
        self._text = ""
        self._dropped_chars = 0  # from the start of the text, so that positions stay valid
        self._cursor = 0  # absolute position after the last match
        self._line: socket.socket | None = None
        self._is_mux = False
        self._reader: threading.Thread | None = None

    @property
    def text(self) -> str:
        """Return the last TEXT_MAX_CHARS characters that the board printed since this object was created."""
        with self._changed:
            return self._text

    def wait_for(self, pattern: str, timeout_s: float) -> re.Match[str]:
        """Return the first match after the previous one. ^ and $ match at lines (re.MULTILINE).

        The text has no carriage returns. $ also matches at the current end of the text, so a pattern that needs the
        whole line ends in \\n. Raises ConsoleTimeoutError after `timeout_s` of provisioning/fair_time.py, or at once if
        the power is off.
        """
        compiled = re.compile(pattern, re.MULTILINE)
        deadline = fair_time.now() + timeout_s
        with self._changed:
            while True:
                start = max(0, self._cursor - self._dropped_chars)
                match = compiled.search(self._text, start)
                if match:
                    self._cursor = self._dropped_chars + match.end()
                    return match
                left_s = deadline - fair_time.now()
                if self._line is None or left_s <= 0:
                    raise ConsoleTimeoutError(self._complaint(pattern, timeout_s))
                self._changed.wait(min(left_s, fair_time.SLICE_S))

    def skip(self) -> None:
        """Make the next wait_for look only at text that is printed from now on."""
        with self._changed:
            self._cursor = self._dropped_chars + len(self._text)

    def send(self, data: bytes) -> None:
        """Send `data` to the board. Raises LineClosedError if it is off."""
        line = self._line
        if line is None:
            raise LineClosedError("the console is closed: the board is off")
        send_all(line, data, is_mux=self._is_mux)

    def attach(self, line: socket.socket, *, is_mux: bool) -> None:
        """Use the connected socket `line` and read it until its end."""
        self.detach()
        line.settimeout(None)
        self._line, self._is_mux = line, is_mux
        self._reader = threading.Thread(target=self._read, args=(line,), name="console", daemon=True)
        self._reader.start()

    def detach(self) -> None:
        """Read the rest, then close the line. Call this after the emulator has ended."""
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
        return f"console: {why} and {pattern!r} was not printed; last lines (log: {self.log_path}):\n{tail}"


class FactoryLine:
    """UART2 as a byte stream. Bytes are never logged, because they can be secrets."""

    def __init__(self) -> None:
        self._line: socket.socket | None = None
        self._is_mux = False

    def read(self, timeout_s: float) -> bytes:
        """Return the received bytes, b"" after `timeout_s` without any. Raises LineClosedError if the board is off."""
        line = self._connected()
        readable, _, _ = select.select([line], [], [], max(0.0, timeout_s))
        if not readable:
            return b""
        try:
            data = line.recv(_READ_BYTES)
        except OSError:
            data = b""
        if not data:
            raise LineClosedError("the factory port is closed: the board lost its power")
        return data

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises LineClosedError if the board is off or stopped reading."""
        send_all(self._connected(), data, is_mux=self._is_mux)

    def close(self) -> None:
        """Drop the received bytes that were not read. The line stays open: it belongs to the machine."""
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
        line.shutdown(socket.SHUT_RDWR)  # received bytes can still be read
    except OSError:
        pass  # already closed by the other end
