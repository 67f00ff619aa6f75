"""The clients that may stay connected to the local pages: each peer gets a share, so no host keeps others out. No I/O.

A client is *silent* until its first byte arrives, and *waits* until its request is complete: TLS handshake, head, body.
Then the unit *answers* it, and at last it *reads* what the unit sends. Every port's `serve_tls` asks `Places` before
it spends memory on a client, and begins TLS only after the first byte. A client that waits or reads is as slow as it
likes to be, so it gives way; one that is being answered does not.

Rules, in the order they are applied to a new client:
1. A peer (an address) that has its share of clients is full: its oldest waiting client is hung up, or the
   oldest that reads if none waits, so a silent or slow connection never keeps out a later one of the same host. If all
   are being answered, the new client is refused.
2. If there is a free place, the client gets it.
3. Otherwise a slow client gives way. It is chosen by, in this order: its peer has the most connections in a row that
   ended without a complete request, or gave way; it is silent, else it waits, else it reads; its peer has the most
   clients (of a silent client: the most silent ones). Of one peer the newest gives way, of equal peers the oldest.
4. The new client is compared by rule 3 too, as if it were at the same stage. If it would be chosen, rule 1 applies to
   its peer. A silent client gives way whatever the new client's peer did before.
5. If no client is slow, the peer with the most clients gives up its newest, if the new client's peer has fewer.

So a host that comes back after each hang-up, from many addresses, loses against one that completes its requests. The
number of remembered addresses is bounded: a host with more of them (IPv6) that speaks TLS can still win by volume.

An IPv4 address counts once, also as an IPv4-mapped IPv6 address (RFC 4291 2.5.5.2). IPv6 addresses count each: the
owner's device and a hostile one are often in one /64.
"""

from collections import namedtuple

from device.compat import const
from device.limits import HTTP_CLIENTS, HTTP_CLIENTS_PER_PEER, HTTP_REMEMBERED_PEERS

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable

    from device.interfaces import Guest

# `hang_up()` closes the connection soon and raises nothing.
_MAPPED = "::ffff:"
_Client = namedtuple("_Client", ("peer", "stream", "hang_up"))
_ANSWERED, _READS, _WAITS, _SILENT = 0, 1, 2, 3


class Places:
    """The clients of one listener, oldest first: at most `most`, and at most `per_peer` of one peer."""

    def __init__(self, most: int = HTTP_CLIENTS, per_peer: int = HTTP_CLIENTS_PER_PEER) -> None:
        self._most = most
        self._per_peer = per_peer
        self._clients: "list[_Client]" = []
        self._wasted: "dict[object, int]" = {}  # connections in a row that brought no complete request

    def enter(self, peer: object, stream: "Guest", hang_up: "Callable[[], object]") -> bool:
        """Return whether a new client of `peer` gets a place; another client may have been hung up for it."""
        if isinstance(peer, str) and peer.lower().startswith(_MAPPED) and "." in peer:
            peer = peer[len(_MAPPED) :]
        own = [client for client in self._clients if client.peer == peer]
        if len(own) >= self._per_peer or len(self._clients) >= self._most:
            victim = _slowest(own) if len(own) >= self._per_peer else self._victim(peer, own)
            if victim is None:
                return False
            if victim.peer != peer:
                self._note(victim.peer)
            self._clients.remove(victim)
            victim.hang_up()
        self._clients.append(_Client(peer, stream, hang_up))
        return True

    def leave(self, stream: "Guest") -> None:
        """Free the place of `stream`, if it still has one."""
        for client in self._clients:
            if client.stream is stream:
                self._clients.remove(client)
                if stream.is_waiting:
                    self._note(client.peer)
                else:
                    self._wasted.pop(client.peer, None)
                return

    def hang_up(self) -> None:
        """End every client."""
        clients, self._clients = self._clients, []
        for client in clients:
            client.hang_up()

    def _victim(self, peer: object, own: "list[_Client]") -> "_Client | None":
        """Return the client that gives way to a new one of `peer`, which has the clients `own`, None if none does."""
        ranked = [(self._rank(client), client) for client in self._clients if _stage(client) != _ANSWERED]
        if not ranked:
            return self._newest_of_the_greediest(len(own))
        worst = max([rank for rank, _ in ranked])
        equal = [client for rank, client in ranked if rank == worst]
        chosen = [client for client in equal if client.peer == equal[0].peer][-1]
        wasted, stage, count = worst
        if stage == _SILENT:
            is_worse = len([client for client in own if _stage(client) == _SILENT]) + 1 > count
        else:
            is_worse = (self._wasted.get(peer, 0), len(own) + 1) > (wasted, count)
        return _slowest(own) if is_worse else chosen

    def _rank(self, client: "_Client") -> "tuple[int, int, int]":
        """Return how much `client` has to give way: wasted connections of its peer, its stage, clients of its peer."""
        stage = _stage(client)
        same = [
            other
            for other in self._clients
            if other.peer == client.peer and (stage != _SILENT or _stage(other) == _SILENT)
        ]
        return (self._wasted.get(client.peer, 0), stage, len(same))

    def _newest_of_the_greediest(self, own: int) -> "_Client | None":
        counts = [len([other for other in self._clients if other.peer == one.peer]) for one in self._clients]
        most = max(counts)
        if own >= most or most == 1:
            return None
        return [self._clients[at] for at in range(len(counts)) if counts[at] == most][-1]

    def _note(self, peer: object) -> None:
        """Count a wasted connection of `peer`. If the memory is full, forget the peer with the fewest."""
        known = self._wasted
        if peer not in known and len(known) >= HTTP_REMEMBERED_PEERS:
            least = min(known.values())
            known.pop(next(one for one in known if known[one] == least))
        known[peer] = known.get(peer, 0) + 1


def _stage(client: "_Client") -> int:
    stream = client.stream
    if stream.is_waiting and stream.is_silent:
        return _SILENT
    if stream.is_waiting:
        return _WAITS
    return _READS if stream.is_reading else _ANSWERED


def _slowest(clients: "list[_Client]") -> "_Client | None":
    """Return the first of `clients` that waits, else the first that reads, None if all are being answered."""
    for client in clients:
        if client.stream.is_waiting:
            return client
    for client in clients:
        if client.stream.is_reading:
            return client
    return None
