"""The log of signed sequence numbers per product class: a file of JSON lines that only grows.

A number is logged, durably, before its envelope is handed out, so no crash lets one be signed twice. The log also
holds the security counter of each release, which never goes back, and the highest one-time index of each HSS key, so
that a signing machine that was set back as a whole is detected. Keep the log with the sources, not with the keys.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from device.limits import SEQUENCE_JUMP
from provisioning import file_system
from provisioning.release.capacities import require_capacity


class ReleaseLogError(ValueError):
    """The log is damaged, or a number is lower than one that was signed."""


@dataclass(frozen=True)
class LogEntry:
    """One signed release; digests and class id in hex, `signed_at` in ISO 8601 (UTC)."""

    class_id: str
    sequence_number: int
    version: str
    payload_sha256: str
    envelope_sha256: str
    signed_at: str
    security_counter: int = 0
    hss: dict[str, int] = field(default_factory=dict)  # key id in hex -> one-time index that was used
    sbom_sha256: str = ""  # of the bill of materials; empty without one


class ReleaseLog:
    """The log in one file. Use `locked()` around the choice of a number and `append`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Exclude other signers (advisory lock on a file beside the log)."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path.with_name(self.path.name + ".lock"), "w") as file:
            file_system.lock(file.fileno())
            yield

    def entries(self) -> list[LogEntry]:
        """Return all entries, oldest first; none if there is no file yet. Raises ReleaseLogError for a damaged line.

        Raises OSError for a link that leads nowhere: numbers would begin again.
        """
        if not file_system.is_there(self.path):
            return []
        found = []
        for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                entry = LogEntry(**json.loads(line))
            except (ValueError, TypeError, RecursionError) as error:
                raise ReleaseLogError(
                    f"{self.path}, line {number}: this is not an entry of a release log"
                ) from error
            if not _is_whole(entry):
                raise ReleaseLogError(f"{self.path}, line {number}: not an entry of a release log")
            found.append(entry)
        return found

    def newest(self, class_id: bytes) -> int:
        """Return the highest sequence number signed for this class, 0 before the first."""
        wanted = class_id.hex()
        return max((one.sequence_number for one in self.entries() if one.class_id == wanted), default=0)

    def require_forward(self, class_id: bytes, sequence_number: int) -> None:
        """Raise ReleaseLogError unless `sequence_number` is above every one signed for this class.

        Raises ReleaseError if it is more than a unit can count.
        """
        require_capacity("sequence number", sequence_number)
        newest = self.newest(class_id)
        if sequence_number <= newest:
            raise ReleaseLogError(
                f"sequence number {sequence_number} does not go forward: {newest} is already signed"
            )
        if 0 < newest < sequence_number - SEQUENCE_JUMP:
            raise ReleaseLogError(
                f"sequence number {sequence_number} is more than {SEQUENCE_JUMP} after {newest}: units refuse the jump"
            )

    def require_counter(self, class_id: bytes, security_counter: int) -> None:
        """Raise ReleaseLogError if `security_counter` is below one that was signed for this class.

        Raises ReleaseError if it is more than a unit can count: the unit would confirm the image and then fail.
        """
        require_capacity("security counter", security_counter)
        wanted = class_id.hex()
        newest = max((one.security_counter for one in self.entries() if one.class_id == wanted), default=0)
        if security_counter < newest:
            raise ReleaseLogError(
                f"security counter {security_counter} goes back: {newest} is already signed, "
                "so a unit that confirmed it would never start this image"
            )

    def highest_index(self, key_id: bytes) -> int:
        """Return the highest one-time index of this HSS key in the log, for any class, or -1."""
        return max((one.hss.get(key_id.hex(), -1) for one in self.entries()), default=-1)

    def append(self, entry: LogEntry) -> None:
        """Add an entry and make it durable, or leave the log as it was. Raises OSError."""
        line = json.dumps(asdict(entry), sort_keys=True) + "\n"
        with file_system.naming(self.path), open(self.path, "ab", buffering=0) as file:
            size = file.tell()
            try:
                _write_all(file, line.encode())
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), size)  # half a line would be a damaged log
                raise


def _write_all(file: io.FileIO, data: bytes) -> None:
    while data:
        data = data[file.write(data) or 0 :]


def _is_whole(entry: LogEntry) -> bool:
    """Return whether the numbers are integers, so that later comparisons cannot fail."""
    numbers = (entry.sequence_number, entry.security_counter)
    return (
        all(type(one) is int and one >= 0 for one in numbers)
        and isinstance(entry.hss, dict)
        and isinstance(entry.sbom_sha256, str)
        and all(type(index) is int for index in entry.hss.values())
    )
