"""A serial line of a machine as a TCP port on loopback, for a client in another process. Bytes are never logged."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from types import TracebackType
from typing import Any, Final

from device.errors import LinkError
from renode.errors import MachineError

_LOOK_S: Final = 0.05


class LinePort:
    """Carries the bytes of one client at a time. Use as a context manager.

    `line` has `read(timeout_s)` and `write(data)`. A client is left when the machine is off.
    """

    def __init__(self, line: Any) -> None:
        self._line = line
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="line port", daemon=True)

    def __enter__(self) -> LinePort:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_closed.set()
        self._thread.join()
        self._listener.close()

    @property
    def address(self) -> str:
        """Return the port's address, as `--serial` takes it."""
        return f"tcp:127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        while not self._is_closed.is_set():
            if select.select([self._listener], [], [], _LOOK_S)[0]:
                client, _ = self._listener.accept()
                # the client has gone, or the machine is off
                with client, contextlib.suppress(OSError, LinkError, MachineError):
                    self._carry(client)

    def _carry(self, client: socket.socket) -> None:
        while not self._is_closed.is_set():
            if select.select([client], [], [], 0)[0]:
                data = client.recv(4096)
                if not data:
                    return
                self._line.write(data)
            if arrived := self._line.read(_LOOK_S):
                client.sendall(arrived)
