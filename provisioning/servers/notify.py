"""The protocol of sd_notify(3): a service reports its state to systemd by a datagram. Does nothing without systemd."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

VARIABLE = "NOTIFY_SOCKET"
WATCHDOG = "WATCHDOG_USEC"


def notify(*assignments: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send `assignments` ("READY=1", "STOPPING=1", "STATUS=..."). Returns False without a listener; raises nothing."""
    address = environment.get(VARIABLE, "")
    if address[:1] not in ("/", "@"):
        return False
    target = "\0" + address[1:] if address[0] == "@" else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto("\n".join(assignments).encode(), target)
    except OSError:
        return False
    return True


def watchdog_interval_s(environment: Mapping[str, str] = os.environ) -> float | None:
    """Return how often to send WATCHDOG=1: half of systemd's limit. None if it does not watch."""
    text = environment.get(WATCHDOG, "")
    return int(text) / 2_000_000 if text.isdecimal() and int(text) > 0 else None
