"""The listening socket of a page that a command serves: each host has a share of the connections.

uvicorn limits neither the connections of one host nor the time of a handshake, and each connection takes a file
descriptor of the station, which also holds the serial ports and the registry. So connections are counted where they are
accepted, before TLS begins.

Rules:
1. At most CONNECTIONS, and at most CONNECTIONS_PER_PEER of one address (device/net/places.py). A page behind a web
   server has one peer, which gets all of them.
2. If there is no place, a connection is hung up: one of its own host, of a host whose connections were hung up before,
   or one that has sent nothing. A page that loses its stream of events opens it again.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any, Final

from device.net.places import Places

CONNECTIONS: Final = 128
CONNECTIONS_PER_PEER: Final = 24
BACKLOG: Final = 128


class _Accepted(socket.socket):
    """The socket of an accepted connection. asyncio calls these two methods to read from it."""

    has_spoken = False

    def recv(self, *arguments: Any) -> bytes:
        """Read as socket.recv does, and note that the client has sent something."""
        data = super().recv(*arguments)
        self.has_spoken = self.has_spoken or bool(data)
        return data

    def recv_into(self, *arguments: Any) -> int:
        """Read as socket.recv_into does, and note that the client has sent something."""
        length = super().recv_into(*arguments)
        self.has_spoken = self.has_spoken or length > 0
        return length


class _Connection:
    """An accepted connection, as Places sees it. The socket says itself when it is closed."""

    def __init__(self, accepted: _Accepted) -> None:
        self.socket = accepted

    @property
    def is_silent(self) -> bool:
        """Return whether the client has sent nothing so far."""
        return not self.socket.has_spoken

    is_waiting = is_silent

    @property
    def is_reading(self) -> bool:
        """Return whether the client has sent something; it gives way after the silent ones."""
        return self.socket.has_spoken

    def hang_up(self) -> None:
        """End both directions. Its owner reads the end of the stream and closes the socket."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


class SharedListener(socket.socket):
    """A listening TCP socket whose accept() keeps the rules above. For asyncio's own event loop."""

    def __init__(self, family: int, most: int, per_peer: int) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self._places = Places(most, per_peer)
        self._open: list[_Connection] = []

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the next connection and its address. Raises OSError, as socket.accept does."""
        plain, address = super().accept()
        accepted = _Accepted(plain.family, plain.type, plain.proto, fileno=plain.detach())
        self.count()
        connection = _Connection(accepted)
        self._open.append(connection)
        if not self._places.enter(address[0], connection, connection.hang_up):
            connection.hang_up()
        return accepted, address

    def count(self) -> int:
        """Return how many connections are open; the places of the others become free."""
        for one in self._open:
            if one.socket.fileno() < 0:
                self._places.leave(one)
        self._open = [one for one in self._open if one.socket.fileno() >= 0]
        return len(self._open)


def listen(
    host: str, port: int, *, most: int = CONNECTIONS, per_peer: int = CONNECTIONS_PER_PEER
) -> SharedListener:
    """Return a socket that listens on `host`:`port`. Raises OSError if it cannot."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    listener = SharedListener(family, most, per_peer)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
