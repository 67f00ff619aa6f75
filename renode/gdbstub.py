"""Two packets of GDB's remote protocol: write guest memory and detach. QMP itself cannot write memory."""

from __future__ import annotations

import socket

from provisioning import fair_time
from renode.errors import EmulatorError

_TIMEOUT_S = 10.0
_SEND_TIMEOUT_S = 300.0  # a packet fits into the socket's buffer


def packet(text: str) -> bytes:
    """Return a packet: $text#checksum, where the checksum is the sum of the bytes of `text` modulo 256."""
    return f"${text}#{sum(text.encode()) % 256:02x}".encode()


def write_memory(path: str, address: int, data: bytes) -> None:
    """Connect to the stub on Unix socket `path`, write `data` at `address` and detach; the machine keeps running.

    Raises EmulatorError if the stub refuses or does not answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(_SEND_TIMEOUT_S)
        try:
            line.connect(path)
            for text in (f"M{address:x},{len(data):x}:{data.hex()}", "D"):
                line.sendall(packet(text))
                _expect_ok(line, text[:1])
        except OSError as error:
            raise EmulatorError(f"QEMU's debug stub: {type(error).__name__}") from None


def _expect_ok(line: socket.socket, what: str) -> None:
    received = b""
    while not received.endswith(packet("OK")):
        part = fair_time.receive(line, 256, _TIMEOUT_S)
        if not part or len(received) > 4096:
            raise EmulatorError(f"QEMU's debug stub refused {what}")
        received += part
    line.sendall(b"+")
