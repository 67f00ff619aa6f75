"""QEMU's machine protocol (QMP) on a connected socket: commands and their answers, and a wait for an event."""

from __future__ import annotations

import json
import select
import socket
from collections import deque
from typing import Any, Final

from provisioning import fair_time
from renode.errors import EmulatorError

_LINE_MAX_BYTES: Final = 1024 * 1024
_TIMEOUT_S: Final = 20.0
_SEND_TIMEOUT_S: Final = (
    300.0  # a command fits into the socket's buffer, so this never passes while QEMU lives
)
_EVENTS_KEPT: Final = 64


class Qmp:
    """One monitor. Every method raises EmulatorError if QEMU ended, refused a command, or does not answer."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._line.settimeout(_SEND_TIMEOUT_S)
        self._pending = b""
        self._events: deque[str] = deque(maxlen=_EVENTS_KEPT)

    def negotiate(self) -> None:
        """Read the greeting and leave negotiation mode; afterwards the machine is set up and runs."""
        if "QMP" not in self._read_message():
            raise EmulatorError("QEMU's monitor sent no greeting")
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: object) -> Any:
        """Run one command and return its result."""
        request: dict[str, object] = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        try:
            self._line.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise EmulatorError(f"QEMU's monitor has closed: {type(error).__name__}") from None
        while True:
            message = self._read_message()
            if "error" in message:
                raise EmulatorError(f"QEMU refused {command}: {message['error'].get('desc', '?')}")
            if "return" in message:
                return message["return"]
            self._keep_event(message)

    def wait_for_event(self, name: str, timeout_s: float) -> bool:
        """Return whether the event `name` came since the last wait for it, or comes within `timeout_s`."""
        while name not in self._events:
            if b"\n" not in self._pending and not select.select([self._line], [], [], timeout_s)[0]:
                return False
            self._keep_event(self._read_message())
        self._events.remove(name)
        return True

    def _keep_event(self, message: dict[str, Any]) -> None:
        if "event" in message:
            self._events.append(str(message["event"]))

    def close(self) -> None:
        self._line.close()

    def _read_message(self) -> dict[str, Any]:
        while b"\n" not in self._pending:
            try:
                data = fair_time.receive(self._line, 65536, _TIMEOUT_S)
            except OSError as error:
                raise EmulatorError(f"QEMU's monitor does not answer: {type(error).__name__}") from None
            if not data or len(self._pending) > _LINE_MAX_BYTES:
                raise EmulatorError("QEMU's monitor closed")
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        try:
            message = json.loads(line)
        except ValueError:
            raise EmulatorError("QEMU's monitor sent a line that is not JSON") from None
        if not isinstance(message, dict):
            raise EmulatorError("QEMU's monitor sent JSON that is not an object")
        return message
