"""The reports of units on disk: a report is acknowledged only after it is durable.

Rules:
1. One line of JSON for each report, oldest first: time (unix seconds), device id, source, and the report in hex.
2. A file of more than LARGEST_BYTES becomes `NAME.1.jsonl`, which replaces the one before it. So a hostile unit with a
   valid certificate fills at most twice that much of the disk.
3. A write that fails leaves no half line. What follows the last line end, after a power cut or by another hand, is cut
   off before the next report.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, Protocol

from provisioning.file_system import PRIVATE, naming, sync_folder

LARGEST_BYTES: Final = 16 << 20
LINE_BYTES: Final = 4096  # a line has at most some 1 300 bytes
_PIECE_BYTES: Final = 2 * LARGEST_BYTES  # read at once of a file that no server wrote


class Mark(NamedTuple):
    """A place in a log: the SHA-256 of the first line of its file, and the bytes that were read of that file."""

    head: bytes
    size: int


class Reports(Protocol):
    """Where a server keeps reports: a ReportLog, or a database that several servers share."""

    @property
    def name(self) -> str:
        """Return a name that no other log has."""

    def append(self, device: str, source: str, data: bytes) -> None:
        """Add a report and return when it is durable. Raises OSError or ReportError, and then changes nothing."""

    def latest(self, count: int) -> Iterator[dict[str, Any]]:
        """Yield at least the newest `count` reports, oldest first (rule 1). Raises OSError, ServerError."""

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield every report that is kept, oldest first. Raises OSError, ServerError."""

    def entries_after(self, mark: Mark | None) -> tuple[list[dict[str, Any]], Mark | None]:
        """Return the reports after `mark`, and the mark behind them. Raises OSError, ServerError."""


class ReportLog:
    """The log in the file `path` and its predecessor. Several threads may use it, one process at a time."""

    def __init__(
        self, path: Path, *, largest_bytes: int = LARGEST_BYTES, now: Callable[[], float] = time.time
    ) -> None:
        self.path = path
        self.name = str(path.absolute())
        self.older = path.with_suffix(".1.jsonl")
        self._largest_bytes = largest_bytes
        self._now = now
        self._lock = threading.Lock()

    def append(self, device: str, source: str, data: bytes) -> None:
        """Add a report and return when it is on disk. Raises OSError, which names the file, and changes nothing."""
        entry = {"time": int(self._now()), "device": device, "source": source, "report": data.hex()}
        line = (json.dumps(entry) + "\n").encode()
        with self._lock, naming(self.path):
            self._prepare(len(line))
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, PRIVATE)
            try:
                size = os.lseek(descriptor, 0, os.SEEK_END)
                _append(descriptor, line, size)
            finally:
                os.close(descriptor)
            if not size:
                sync_folder(self.path.parent)

    def latest(self, _: int) -> Iterator[dict[str, Any]]:
        """As Reports: every readable line, of which rule 2 bounds the number. Raises OSError."""
        return self.entries()

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield the readable lines as dicts (rule 1), oldest first. Raises OSError."""
        for path in (self.older, self.path):
            if path.exists():
                with path.open("rb") as file:
                    yield from _readable(_lines(file))

    def entries_after(self, mark: Mark | None) -> tuple[list[dict[str, Any]], Mark | None]:
        """Return the readable lines after `mark`, oldest first, and the mark behind them.

        None, or a mark in a file that exists no longer: every line. A line that is not complete yet comes next time.
        Another process may write the log meanwhile: if it begins a new file between the two reads, some lines come
        twice. Raises OSError.
        """
        with self._lock:  # so that no thread of this process renames a file between the two reads
            newer, last = _read_after(self.path, mark)
            if last is not None and mark is not None and last.head == mark.head:
                return newer, last
            older, before = _read_after(self.older, mark)
        return older + newer, last or before or mark

    def _prepare(self, length: int) -> None:
        """Apply rule 2 for a line of `length` bytes, and rule 3."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            return
        _cut_half_line(self.path)
        if size and size + length > self._largest_bytes:
            os.replace(self.path, self.older)


def _read_after(path: Path, mark: Mark | None) -> tuple[list[dict[str, Any]], Mark | None]:
    """Return the complete lines of a file, those after `mark` if it is in this file, and the mark behind them."""
    try:
        with path.open("rb") as file:
            head = file.readline(LINE_BYTES)
            if not head.endswith(b"\n"):
                return [], None
            found = hashlib.sha256(head).digest()
            start = mark.size if mark is not None and mark.head == found else 0
            file.seek(start)
            data = file.read(_PIECE_BYTES)
    except FileNotFoundError:
        return [], None
    data = data[: data.rfind(b"\n") + 1]
    return list(_readable(data.splitlines())), Mark(found, start + len(data))


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file; one that is longer than a report's comes in pieces, which are not readable."""
    while line := file.readline(LINE_BYTES):
        yield line


def _readable(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue  # half a line of a power cut
        if isinstance(found, dict):
            yield found


def _append(descriptor: int, line: bytes, size: int) -> None:
    try:
        left = line
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def _cut_half_line(path: Path) -> None:
    """Truncate the file after its last line end."""
    with path.open("r+b") as file:
        start = max(0, file.seek(0, os.SEEK_END) - LINE_BYTES)
        file.seek(start)
        end = file.read()
        if end and not end.endswith(b"\n"):
            file.truncate(start + end.rfind(b"\n") + 1)
