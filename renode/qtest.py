"""QEMU's test protocol (qtest) on a connected socket: physical memory, read and written in one exchange each."""

from __future__ import annotations

import socket
from typing import Final

from provisioning import fair_time
from renode.errors import EmulatorError

_TIMEOUT_S: Final = 20.0
_SEND_TIMEOUT_S: Final = 300.0  # QEMU reads a command at once
_READ_BYTES: Final = 65536
_SPARE_BYTES: Final = 64  # of a reply, beside the hexadecimal data


class Qtest:
    """One connection. Methods raise EmulatorError if QEMU ended, refused or does not answer."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._line.settimeout(_SEND_TIMEOUT_S)

    def read(self, address: int, length: int) -> bytes:
        """Return `length` bytes of physical memory."""
        reply = self._ask(f"read {address:#x} {length:#x}", 2 * length)
        try:
            data = bytes.fromhex(reply.removeprefix("0x"))
        except ValueError:
            data = b""
        if len(data) != length:
            raise EmulatorError("QEMU's test protocol returned something that is not memory")
        return data

    def write(self, address: int, data: bytes) -> None:
        """Write physical memory."""
        self._ask(f"write {address:#x} {len(data):#x} 0x{data.hex()}", 0)

    def close(self) -> None:
        self._line.close()

    def _ask(self, command: str, most: int) -> str:
        reply = b""
        try:
            self._line.sendall(command.encode() + b"\n")
            while not reply.endswith(b"\n"):
                part = fair_time.receive(self._line, _READ_BYTES, _TIMEOUT_S)
                if not part or len(reply) > most + _SPARE_BYTES:
                    raise EmulatorError("QEMU's test protocol closed")
                reply += part
        except OSError as error:
            raise EmulatorError(f"QEMU's test protocol does not answer: {type(error).__name__}") from None
        status, _, rest = reply.decode("latin-1").strip().partition(" ")
        if status != "OK":
            raise EmulatorError(f"QEMU's test protocol refused {command.partition(' ')[0]}")
        return rest
