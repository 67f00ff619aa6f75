"""Releases that change the record format: the same code with other migrations.

All simulated releases run the checkout's own device/. From release `World.changed_from` on it runs with CHANGED instead
of store.MIGRATIONS, before that without migrations. So the older release cannot read a record that was migrated too
early.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from device.records import store
from device.records.store import DEVICE, USER, Migration
from simulator.ports.records import LfsRecords

# Records in both regions that a unit writes and requires, and those that a confirmation writes.
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
    """Return the names of the records that are not in the changed format."""
    found = []
    for region, names in MIGRATED.items():
        records = mount(region)
        for name in names:
            stored = records.read(name)
            if stored is not None and store.wrap(stored[store.DIGEST_BYTES :], 2) != stored:
                found.append(name)
    return found
