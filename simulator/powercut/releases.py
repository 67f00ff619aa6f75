"""Releases that change the form of records: the same policy with other migrations, as far as a unit can tell.

All simulated releases run the checkout's own device/. A release from `World.changed_from` on runs it with CHANGED in
place of store.MIGRATIONS, the ones before it without, so that a record which is written too early is one that the
older release cannot read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from device.records import store
from device.records.store import DEVICE, USER, Migration
from simulator.ports.records import LfsRecords

# What a unit writes by itself and cannot live without, in both regions, and what a confirm itself writes.
MIGRATED: Final = {
    DEVICE: ("progress", "oscore.seq", "owned", "unheard"),
    USER: ("credential", "attempts", "events"),
}


def _same(data: bytes) -> bytes:
    return data


CHANGED: Final = tuple(Migration(name, 2, _same, _same) for names in MIGRATED.values() for name in names)


@contextmanager
def code_of(number: int, changed_from: int | None) -> Iterator[None]:
    """Read records as release `number` does."""
    before = store.MIGRATIONS
    store.MIGRATIONS = CHANGED if changed_from is not None and number >= changed_from else ()
    try:
        yield
    finally:
        store.MIGRATIONS = before


def left_behind(mount: Callable[[str], LfsRecords]) -> list[str]:
    """The records that are not of the changed form, by name."""
    found = []
    for region, names in MIGRATED.items():
        records = mount(region)
        for name in names:
            stored = records.read(name)
            if stored is not None and store.wrap(stored[store.DIGEST_BYTES :], 2) != stored:
                found.append(name)
    return found
