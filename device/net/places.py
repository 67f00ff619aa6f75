"""The clients that may stay connected to the local pages: each peer gets a share, so no host keeps others out. No I/O.

A client *waits* from its connection until its request is complete: TLS handshake, head, body. Then the unit *answers*
it, and at last it *reads* what the unit sends. Every port's `serve_tls` asks `Places` before it spends memory on a
client. A client that waits or reads is as slow as it likes to be, so it gives way; one that is being answered does not.

Rules, in the order they are applied to a new client:
1. A peer (an address) that has its share of clients is full: its oldest waiting client is hung up, or the
   oldest that reads if none waits, so a silent or slow connection never keeps out a later one of the same host. If all
   are being answered, the new client is refused.
2. If there is a free place, the client gets it.
3. If its peer has as many clients as any other peer, rule 1 applies.
4. Otherwise the peer with the most clients gives one up: the newest that waits, else the newest that reads, else the
   newest. If no peer has more than one client, rule 1 applies to all of them.

An IPv4 address counts once, also as an IPv4-mapped IPv6 address (RFC 4291 2.5.5.2). IPv6 addresses count each: the
owner's device and a hostile one are often in one /64.
"""

from collections import namedtuple

from device.compat import const
from device.limits import HTTP_CLIENTS, HTTP_CLIENTS_PER_PEER

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable

    from device.interfaces import Guest

# `hang_up()` closes the connection soon and raises nothing.
_MAPPED = "::ffff:"
_Client = namedtuple("_Client", ("peer", "stream", "hang_up"))


class Places:
    """The clients of one listener, oldest first: at most `most`, and at most `per_peer` of one peer."""

    def __init__(self, most: int = HTTP_CLIENTS, per_peer: int = HTTP_CLIENTS_PER_PEER) -> None:
        self._most = most
        self._per_peer = per_peer
        self._clients: "list[_Client]" = []

    def enter(self, peer: object, stream: "Guest", hang_up: "Callable[[], object]") -> bool:
        """Return whether a new client of `peer` gets a place; another client may have been hung up for it."""
        if isinstance(peer, str) and peer.lower().startswith(_MAPPED) and "." in peer:
            peer = peer[len(_MAPPED) :]
        own = [client for client in self._clients if client.peer == peer]
        if len(own) >= self._per_peer or len(self._clients) >= self._most:
            victim = self._victim(own)
            if victim is None:
                return False
            self._clients.remove(victim)
            victim.hang_up()
        self._clients.append(_Client(peer, stream, hang_up))
        return True

    def leave(self, stream: "Guest") -> None:
        """Free the place of `stream`, if it still has one."""
        self._clients = [client for client in self._clients if client.stream is not stream]

    def _victim(self, own: "list[_Client]") -> "_Client | None":
        """Return the client that gives way to a new one of the peer that has `own`, None if none does."""
        counts = [self._count(client.peer) for client in self._clients]
        most = max(counts)
        if len(own) >= min(most, self._per_peer):
            return _slowest(own)
        greedy = [self._clients[at] for at in range(len(counts)) if counts[at] == most]
        if most == 1:
            return _slowest(greedy)
        return _slowest([greedy[at] for at in range(len(greedy) - 1, -1, -1)]) or greedy[-1]

    def _count(self, peer: object) -> int:
        return len([client for client in self._clients if client.peer == peer])


def _slowest(clients: "list[_Client]") -> "_Client | None":
    """Return the first of `clients` that waits, else the first that reads, None if all are being answered."""
    for client in clients:
        if client.stream.is_waiting:
            return client
    for client in clients:
        if client.stream.is_reading:
            return client
    return None
