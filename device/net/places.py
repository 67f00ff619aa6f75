"""The clients that may stay connected to the local pages: each peer gets a share, so no host keeps others out. No I/O.

A client *waits* from its connection until its request is complete: TLS handshake, head, body. After that the unit
*answers* it. Every port's `serve_tls` asks `Places` before it spends memory on a client.

Rules, in the order they are applied to a new client:
1. A peer (an address) that has HTTP_CLIENTS_PER_PEER clients is full: its oldest waiting client is hung up, so a
   silent or slow connection never keeps out a later one of the same host. If none waits, the new client is refused.
2. If there is a free place, the client gets it.
3. If its peer has as many clients as any other peer, rule 1 applies.
4. Otherwise the peer with the most clients gives one up: the newest that waits, or the newest if none waits.
   If no peer has more than one client, the oldest that waits gives way; if none waits, the new client is refused.
"""

from collections import namedtuple

from device.compat import const
from device.limits import HTTP_CLIENTS, HTTP_CLIENTS_PER_PEER

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable

    from device.interfaces import ServedStream

# `hang_up()` closes the connection soon and raises nothing.
_Client = namedtuple("_Client", ("peer", "stream", "hang_up"))


class Places:
    """The clients of one listener, oldest first."""

    def __init__(self) -> None:
        self._clients: "list[_Client]" = []

    def enter(self, peer: object, stream: "ServedStream", hang_up: "Callable[[], object]") -> bool:
        """Return whether a new client of `peer` gets a place; another client may have been hung up for it."""
        own = [client for client in self._clients if client.peer == peer]
        if len(own) >= HTTP_CLIENTS_PER_PEER or len(self._clients) >= HTTP_CLIENTS:
            victim = self._victim(own)
            if victim is None:
                return False
            self._clients.remove(victim)
            victim.hang_up()
        self._clients.append(_Client(peer, stream, hang_up))
        return True

    def leave(self, stream: "ServedStream") -> None:
        """Free the place of `stream`, if it still has one."""
        self._clients = [client for client in self._clients if client.stream is not stream]

    def _victim(self, own: "list[_Client]") -> "_Client | None":
        """Return the client that gives way to a new one of the peer that has `own`, None if none does."""
        counts = [self._count(client.peer) for client in self._clients]
        most = max(counts)
        if len(own) >= min(most, HTTP_CLIENTS_PER_PEER):
            return _first_waiting(own)
        greedy = [self._clients[at] for at in range(len(counts)) if counts[at] == most]
        if most == 1:
            return _first_waiting(greedy)
        return _first_waiting([greedy[at] for at in range(len(greedy) - 1, -1, -1)]) or greedy[-1]

    def _count(self, peer: object) -> int:
        return len([client for client in self._clients if client.peer == peer])


def _first_waiting(clients: "list[_Client]") -> "_Client | None":
    """Return the first of `clients` that waits."""
    for client in clients:
        if client.stream.is_waiting:
            return client
    return None
