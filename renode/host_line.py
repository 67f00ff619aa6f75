"""The host's end of a serial line that Renode opens (peripherals/HostLine.cs): a port of 127.0.0.1, for one client.

Renode gets the port and a word on its standard input. A client that does not send the word first is dropped, so another
user of this computer cannot take the place of the board. The port is closed as soon as the board is connected.
"""

from __future__ import annotations

import contextlib
import hmac
import secrets
import socket
from types import TracebackType
from typing import Final, Self

from provisioning import fair_time
from renode.errors import EmulatorError

_WORD_BYTES: Final = 16
_SLICE_S: Final = 1.0  # for one client to say its word
_BACKLOG: Final = 8


class AwaitedLine:
    """A line that is not connected yet. Use as a context manager; it never leaves a listening port."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.word = secrets.token_hex(_WORD_BYTES)
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(_BACKLOG)
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def accept(self, timeout_s: float) -> socket.socket:
        """Return the connected socket of the client that sent the word. Raises EmulatorError if none comes in time."""
        deadline = fair_time.now() + timeout_s
        while fair_time.now() < deadline:
            self._listener.settimeout(_SLICE_S)
            with contextlib.suppress(OSError):
                client, _ = self._listener.accept()
                if self._is_renode(client):
                    self._listener.close()
                    client.settimeout(None)
                    return client
                client.close()
        raise EmulatorError(f"Renode did not connect its line {self.name!r} within {timeout_s:g} s")

    def _is_renode(self, client: socket.socket) -> bool:
        wanted, got = self.word.encode(), b""
        deadline = fair_time.now() + _SLICE_S
        client.settimeout(_SLICE_S)
        try:
            while len(got) < len(wanted) and fair_time.now() < deadline:
                part = client.recv(len(wanted) - len(got))
                if not part:
                    return False
                got += part
        except OSError:
            return False
        return hmac.compare_digest(got, wanted)
