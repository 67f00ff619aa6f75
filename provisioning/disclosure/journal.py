"""The journal of handed-over mail: a file next to the store, which a restored backup of the store does not take back.

Rules:
1. One line per change, appended and synced (fsync) before the caller continues. The last line of an id counts.
2. A last line that was cut by a power failure is ignored: what it announced did not happen, because the caller waits
   for the sync.
3. One process at a time sends from a store: the journal is locked while mail is sent.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from provisioning import file_system
from provisioning.disclosure.errors import OutboxBusyError
from provisioning.registry.location import Location

_FORGET: Final = "not accepted"


def journal_path(location: Location) -> Path:
    """Return the path of the journal of a store: next to its key."""
    return location.folder / f"{location.key_path.name.removesuffix('.key')}.sent"


class Journal:
    """The journal of one store."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, str] = {}

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the journal and read it. Raises OutboxBusyError if another process has it, OSError."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            try:
                file_system.lock(descriptor, is_waiting=False)
            except BlockingIOError:
                raise OutboxBusyError("another process sends mail from this store now") from None
            file_system.sync_folder(self.path.parent)
            self._end_line(descriptor)
            self._known = self._read()
            yield
        finally:
            os.close(descriptor)

    def status(self, message_id: str) -> str | None:
        """Return the last status of a message, None if it was never handed over."""
        return self._known.get(message_id)

    def note(self, message_id: str, status: str) -> None:
        """Append a line and wait until it is on disk."""
        line = json.dumps({"message_id": message_id, "status": status}) + "\n"
        with self.path.open("ab") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        self._known[message_id] = status

    def forget(self, message_id: str) -> None:
        """Record that the server does not have the message: it may be sent again."""
        if message_id in self._known:
            self.note(message_id, _FORGET)
            del self._known[message_id]

    def _read(self) -> dict[str, str]:
        known: dict[str, str] = {}
        for line in self.path.read_bytes().splitlines():
            try:
                entry = json.loads(line)
                message_id, status = str(entry["message_id"]), str(entry["status"])
            except (ValueError, KeyError, TypeError, RecursionError):
                continue  # rule 2
            known[message_id] = status
        return {name: status for name, status in known.items() if status != _FORGET}

    def _end_line(self, descriptor: int) -> None:
        """End a line that a power failure cut, so that the next one is not lost with it."""
        data = self.path.read_bytes()
        if data and not data.endswith(b"\n"):
            os.write(descriptor, b"\n")
            os.fsync(descriptor)
