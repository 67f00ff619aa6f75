"""The CoAP server's memory of recent requests (RFC 7252 4.5): each host has a share, and the whole is bounded.

aiocoap 0.4 keeps every request's answer, and a timer for it, for EXCHANGE_LIFETIME (247 s). Anyone who sends a thousand
datagrams a second would fill the server's memory with refusals.

Rules:
1. A duplicate of a remembered request gets the same answer again.
2. Of one address PER_HOST requests are remembered, of all REMEMBERED; the oldest goes first. A duplicate of a request
   that was forgotten is a new request. A protected one is then refused as a replay, and the unit asks afresh.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final

from aiocoap import CON

PER_HOST: Final = 256
REMEMBERED: Final = 16384

Key = tuple[Hashable, int]  # the remote endpoint and the message id


class RecentRequests:
    """Replaces the duplicate detection of one aiocoap message manager. Call its methods from the manager's loop."""

    def __init__(self, manager: Any, now: Callable[[], float]) -> None:
        """`now`: seconds of the loop's clock."""
        self._manager = manager
        self._now = now
        self._answers: OrderedDict[Key, tuple[float, Any]] = OrderedDict()  # the oldest first
        self._hosts: dict[str, OrderedDict[Key, None]] = {}
        manager._deduplicate_message = self.is_duplicate
        manager._store_response_for_duplicates = self.keep

    def __len__(self) -> int:
        return len(self._answers)

    def is_duplicate(self, message: Any) -> bool:
        """Return whether the request came before; a confirmable one gets the stored answer again."""
        key = (message.remote, message.mid)
        known = self._answers.get(key)
        if known is not None and known[0] > self._now():
            if message.mtype is CON and known[1] is not None:
                self._manager._send_initially(known[1])
            return True
        self._forget(key)
        end_s = self._now() + message.transport_tuning.EXCHANGE_LIFETIME
        own = self._hosts.setdefault(_host(key), OrderedDict())
        self._answers[key], own[key] = (end_s, None), None
        if len(own) > PER_HOST:
            self._forget(next(iter(own)))
        while len(self._answers) > REMEMBERED or next(iter(self._answers.values()))[0] <= self._now():
            self._forget(next(iter(self._answers)))
        return False

    def keep(self, message: Any) -> None:
        """Remember `message` as the answer to the request with its message id."""
        key = (message.remote, message.mid)
        known = self._answers.get(key)
        if known is not None:
            self._answers[key] = (known[0], message)

    def _forget(self, key: Key) -> None:
        if self._answers.pop(key, None) is None:
            return
        host = _host(key)
        own = self._hosts[host]
        del own[key]
        if not own:
            del self._hosts[host]


def _host(key: Key) -> str:
    """Return the address of a remote endpoint, without its port."""
    return str(getattr(key[0], "hostinfo", key[0])).rpartition(":")[0]
