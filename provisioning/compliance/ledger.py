"""An append-only ledger in one file: JSON lines, each chained to the one before.

Rules:
1. A line is {"number", "previous", "entry", "hash"}; hash = SHA-256(previous || JSON of [number, entry] with sorted
   keys), both hashes in hex, the first `previous` is 64 zeros.
2. A line is written when its newline is on disk. Bytes after the last newline come from a crash and were never
   acknowledged. The next append removes them. A file that is not there is a ledger without lines; a link that leads
   nowhere is an error.
3. A chain by itself cannot show that its end was cut off. `check_continues` compares it with a copy that was published
   earlier; earlier publications are kept for that.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from provisioning import file_system

GENESIS: Final = "0" * 64
LINE_BYTES: Final = 65536


class LedgerError(Exception):
    """The ledger was changed, cut or moved; the text names the place."""


@dataclass(frozen=True)
class Line:
    """One entry with its place in the chain; `hash` covers it and all earlier entries."""

    number: int
    previous: str
    entry: Mapping[str, Any]
    hash: str


def _hash(previous: str, number: int, entry: Mapping[str, Any]) -> str:
    body = json.dumps([number, entry], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(bytes.fromhex(previous) + body.encode()).hexdigest()


def _encode(line: Line) -> bytes:
    fields = {"number": line.number, "previous": line.previous, "entry": dict(line.entry), "hash": line.hash}
    return json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def parse(data: bytes, name: str = "ledger") -> list[Line]:
    """Return the lines of a ledger's bytes, checked. Raises LedgerError."""
    lines: list[Line] = []
    previous = GENESIS
    for number, raw in enumerate(data.split(b"\n")[:-1], 1):
        line = _decode(raw, f"{name}, line {number}")
        if (line.number, line.previous) != (number, previous) or line.hash != _hash(
            previous, number, line.entry
        ):
            raise LedgerError(f"{name}, line {number}: the line was changed, dropped or moved")
        lines.append(line)
        previous = line.hash
    return lines


def _decode(raw: bytes, place: str) -> Line:
    if len(raw) > LINE_BYTES:
        raise LedgerError(f"{place}: longer than {LINE_BYTES} bytes")
    try:
        fields = json.loads(raw)
        line = Line(fields["number"], fields["previous"], fields["entry"], fields["hash"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise LedgerError(f"{place}: not a line of a ledger") from None
    if len(fields) != 4 or not isinstance(line.entry, dict):
        raise LedgerError(f"{place}: not a line of a ledger")
    return line


class Ledger:
    """The ledger in the file `path`, which the first entry creates."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[Line]:
        """Return all lines, checked; none if the file does not exist yet. Raises LedgerError, OSError."""
        self._require_regular()
        data = file_system.read_if_there(self.path)
        return [] if data is None else parse(data, self.path.name)

    def entries(self) -> list[Mapping[str, Any]]:
        """Return all entries, checked. Raises LedgerError, OSError."""
        return [line.entry for line in self.lines()]

    def append(self, *entries: Mapping[str, Any]) -> str:
        """Append the entries and sync them to disk; return the hash of the last line. Raises LedgerError, OSError."""
        with self._locked() as descriptor:
            data = self.path.read_bytes()
            lines = parse(data, self.path.name)
            number, previous = (lines[-1].number, lines[-1].hash) if lines else (0, GENESIS)
            added = b""
            for entry in entries:
                number += 1
                line = Line(number, previous, entry, _hash(previous, number, entry))
                added += _encode(line)
                previous = line.hash
            os.ftruncate(descriptor, data.rfind(b"\n") + 1)  # rule 2
            os.lseek(descriptor, 0, os.SEEK_END)
            _write_all(descriptor, added)
            os.fsync(descriptor)
        return previous

    def create(self) -> None:
        """Make the ledger without lines if it is not there; on return it is on disk. Raises OSError."""
        with self._locked() as descriptor:
            os.fsync(descriptor)
        file_system.sync_folder(self.path.parent)

    def _require_regular(self) -> None:
        """Raise LedgerError for a pipe or device: its bytes are read once, and reading it again waits without end."""
        if self.path.exists() and not self.path.is_file():
            raise LedgerError(f"{self.path} is not a regular file: a ledger is read and extended in place")

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Return the open file, locked by this process."""
        self._require_regular()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        flag = 0 if file_system.is_there(self.path) else os.O_CREAT
        descriptor = os.open(self.path, os.O_RDWR | flag, 0o644)
        try:
            with file_system.naming(self.path):
                file_system.lock(descriptor)
                yield descriptor
        finally:
            os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def check_continues(earlier: Sequence[Line], later: Sequence[Line]) -> None:
    """Raise LedgerError unless `later` begins with every line of `earlier`."""
    for number, line in enumerate(earlier, 1):
        if number > len(later):
            raise LedgerError(
                f"line {number} was published earlier and is missing, and so are all lines after it"
            )
        if later[number - 1].hash != line.hash:
            raise LedgerError(f"line {number} is not the one that was published earlier")
