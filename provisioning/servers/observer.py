"""The events that running servers report, for metrics and for the log: one call for each event.

The facts of an event are text or numbers. They never contain a key, a passphrase, an OSCORE secret or the content of a
message. The fact `device` is for the log only; it is never the label of a metric.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

Fact = str | int

# Events that metrics count, and the facts of each:
REQUEST: Final = "request"  # source, kind
REFUSED: Final = "refused"  # source, kind, reason
ANSWERED: Final = "answered"  # source: a signed freshness record was returned
REPORTED: Final = "reported"  # source
SENT: Final = "sent"  # source, kind, size, start: a part of a published file
NOT_SIGNED: Final = "not_signed"  # reason: clock or key
BROKER_UP: Final = "broker_connected"
BROKER_DOWN: Final = "broker_lost"  # reason
TAKEOVER: Final = "broker_takeover"  # reason: another client has the same name


class Observer(Protocol):
    """A receiver of events. Any thread may call it. It must not raise."""

    def __call__(self, event: str, /, **facts: Fact) -> None: ...


def ignore(event: str, /, **facts: Fact) -> None:
    """Ignore the event: the observer of servers without metrics and log."""


def observe_all(observers: Sequence[Observer]) -> Observer:
    """Return one observer that passes each event on to all of `observers`, in order."""

    def observe(event: str, /, **facts: Fact) -> None:
        for one in observers:
            one(event, **facts)

    return observe
