"""Ports for servers that a test starts later, stops and starts again: no other program takes one meanwhile.

A port that the system chose (bind to 0) is free again as soon as it is closed, and the system gives it to the next
program that asks, in another worker or another run of the tests. So these are of a range from which no system chooses,
and a lock file keeps each for the process that asked first, until that process ends.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from pathlib import Path
from typing import Final, TextIO

_RANGE: Final = range(20_000, 30_000)  # below 32768 (Linux) and 49152 (RFC 6335 section 6)
_LOCKS: Final = Path(tempfile.gettempdir()) / f"firstboot-ports-{os.getuid()}"
_held: list[TextIO] = []


def own_port(host: str = "127.0.0.1") -> int:
    """Return a port that nobody listens on, for TCP and UDP. It belongs to this process until its end."""
    _LOCKS.mkdir(exist_ok=True)
    start = os.getpid() * 97 + len(_held)
    for offset in range(len(_RANGE)):
        port = _RANGE[(start + offset) % len(_RANGE)]
        lock = (_LOCKS / str(port)).open("a", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        if _is_free(host, port):
            _held.append(lock)  # it stays open: the lock ends with the process
            return port
        lock.close()
    raise AssertionError("no port is free")


def _is_free(host: str, port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True
