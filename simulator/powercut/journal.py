"""Outcomes in a file, one line of JSON for each job: an interrupted campaign continues, and shards become one report.

The first line says which campaign it is: the code, the plan, the flows, the number of jobs of all shards together. A
file of another campaign is refused. A line that a kill left incomplete is dropped, and its job runs again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple, TextIO

from simulator.powercut.results import Outcome

FORMAT: Final = 1
LARGEST_BYTES: Final = 1 << 30


class JournalError(Exception):
    """A journal cannot be used. The text says which file and why."""


class Head(NamedTuple):
    """The identity of a campaign: a digest of the code, how it cuts, the flows in order, the jobs of all shards."""

    code: str
    plan: dict[str, int]
    flows: tuple[str, ...]
    jobs: int

    def as_json(self) -> dict[str, Any]:
        """Return the first line of a journal as data."""
        return {"format": FORMAT, **self._asdict()}


class Journal:
    """A journal that is open for adding. `done`: the outcomes that it had already, by flow and seed."""

    def __init__(self, path: Path, head: Head) -> None:
        self.done: dict[tuple[str, int], Outcome] = {}
        if path.exists() and path.stat().st_size:
            found, outcomes, end = _read(path)
            if found != head:
                raise JournalError(
                    f"{path} belongs to another campaign ({_difference(found, head)}). Name another file."
                )
            self.done = {(one.flow, one.seed): one for one in outcomes}
            with path.open("r+b") as file:
                file.truncate(end)
        self._file: TextIO = path.open("a", encoding="utf-8")
        if not self._file.tell():
            self._write(head.as_json())

    def add(self, outcome: Outcome) -> None:
        """Add the outcome of a job. It is on the disk when this returns."""
        self._write(outcome.as_json())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def merge(paths: Iterable[Path]) -> tuple[Head, list[Outcome]]:
    """Return the campaign of these journals and its outcomes.

    Raises JournalError if they do not fit, or if jobs are missing.
    """
    head: Head | None = None
    found: dict[tuple[str, int], Outcome] = {}
    for path in paths:
        own, outcomes, _ = _read(path)
        if head is not None and own != head:
            raise JournalError(f"{path} belongs to another campaign ({_difference(own, head)}).")
        head = own
        found.update({(one.flow, one.seed): one for one in outcomes})
    if head is None:
        raise JournalError("No journal was named.")
    if len(found) != head.jobs:
        raise JournalError(f"{len(found)} of {head.jobs} jobs are in these files. Add the other shards.")
    return head, list(found.values())


def _read(path: Path) -> tuple[Head, list[Outcome], int]:
    """Return the head, the outcomes, and the number of bytes of the complete lines."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise JournalError(f"{path} is larger than {LARGEST_BYTES} bytes.")
        data = path.read_bytes()
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}") from None
    end = data.rfind(b"\n") + 1
    lines = data[:end].splitlines()
    try:
        first = json.loads(lines[0])
        if first.pop("format") != FORMAT:
            raise ValueError("format")
        head = Head(**{**first, "flows": tuple(first["flows"])})
        return head, [Outcome.of_json(json.loads(line)) for line in lines[1:]], end
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise JournalError(f"{path} is not a journal of a power-cut campaign.") from None


def _difference(one: Head, other: Head) -> str:
    names = [name for name in Head._fields if getattr(one, name) != getattr(other, name)]
    return "different " + ", ".join(names)
