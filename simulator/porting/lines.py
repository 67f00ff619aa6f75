"""Ways to a board's prompt. A line carries bytes; `read` returns b"" when nothing came in time."""

from __future__ import annotations

import os
import select
import subprocess
from pathlib import Path
from typing import Any, Final, Protocol

from device.errors import LinkError
from renode.errors import ConsoleTimeoutError, LineClosedError
from renode.lines import Console
from simulator.porting.errors import BoardError, LineAddressError

_READ_BYTES: Final = 4096
_END_TIMEOUT_S: Final = 10.0

# The raw prompt of a MicroPython that has none: the unix port. It reads code up to Ctrl-D, as a board does.
UNIX_PROMPT: Final = r"""
import sys
stdin, space = sys.stdin.buffer, {"__name__": "__main__"}
print("raw REPL; CTRL-B to exit\n>", end="")
while True:
    code = b""
    while True:
        one = stdin.read(1)
        if not one:
            raise SystemExit
        if one == b"\x04":
            break
        if one not in (b"\x01", b"\x03"):
            code += one
    print("OK", end="")
    error = None
    try:
        exec(code, space)
    except BaseException as found:
        error = found
    print("\x04", end="")
    if error is not None:
        sys.print_exception(error)
    print("\x04>", end="")
"""


class Line(Protocol):
    """A connected line to a board's console. Raises BoardError when it is gone."""

    def write(self, data: bytes) -> None: ...
    def read(self, timeout_s: float) -> bytes: ...
    def close(self) -> None: ...


class SerialLine:
    """A serial line, or any address that pyserial can open (`socket://host:port`, `rfc2217://...`)."""

    def __init__(self, address: str) -> None:
        from provisioning.station.ports import open_serial

        try:
            self._stream = open_serial(address)
        except LinkError as error:
            raise LineAddressError(f"{error.fields['reason']}. Name the serial line of your board.") from None

    def write(self, data: bytes) -> None:
        try:
            self._stream.write(data)
        except LinkError as error:
            raise BoardError(str(error)) from None

    def read(self, timeout_s: float) -> bytes:
        try:
            return self._stream.read(timeout_s)
        except LinkError as error:
            raise BoardError(str(error)) from None

    def close(self) -> None:
        self._stream.close()


class ConsoleLine:
    """The console of an emulated board."""

    def __init__(self, console: Console) -> None:
        self._console = console
        console.skip()

    def write(self, data: bytes) -> None:
        try:
            self._console.send(data)
        except LineClosedError as error:
            raise BoardError(str(error)) from None

    def read(self, timeout_s: float) -> bytes:
        try:
            return self._console.wait_for(r"[\s\S]+", timeout_s).group().encode()
        except ConsoleTimeoutError:
            return b""

    def close(self) -> None:
        """The console belongs to the board."""


class UnixLine:
    """A process of MicroPython's unix port, which is the board. `folders`: where it imports from."""

    def __init__(self, program: Path, folders: list[Path]) -> None:
        path = ":".join([str(folder) for folder in folders] + [".frozen"])
        try:
            self._process: Any = subprocess.Popen(
                [program, "-X", "heapsize=8m", "-c", UNIX_PROMPT],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={"MICROPYPATH": path},
            )
        except OSError as error:
            raise BoardError(f"{program} does not start: {error.strerror}") from None

    def write(self, data: bytes) -> None:
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except OSError:
            raise BoardError("MicroPython has ended") from None

    def read(self, timeout_s: float) -> bytes:
        ready, _, _ = select.select([self._process.stdout], [], [], timeout_s)
        if not ready:
            return b""
        data = os.read(self._process.stdout.fileno(), _READ_BYTES)
        if not data:
            raise BoardError("MicroPython has ended")
        return data

    def close(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=_END_TIMEOUT_S)
