"""Bugs in the store of records: writes that are not atomic, not durable or not checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from device.records import store as stores
from device.records.store import Store
from simulator.powercut.planted.plant import ROT, Bug, Plant


def _deleted_first(name: str) -> Callable[[Plant], None]:
    """Return a plant that deletes record `name` before each write."""

    def plant_it(plant: Plant) -> None:
        write = Store.write

        def deleting(self: Store, record: str, data: bytes) -> None:
            if record == name:
                self.delete(record)
            write(self, record, data)

        plant.put(Store, "write", deleting)

    return plant_it


def _in_parts(name: str) -> Callable[[Plant], None]:
    """Return a plant that writes record `name` in two parts."""

    def plant_it(plant: Plant) -> None:
        write = Store.write

        def halves(self: Store, record: str, data: bytes) -> None:
            if record == name:
                whole = stores.wrap(data)
                self._records.write(record, whole[: len(whole) // 2])
            write(self, record, data)

        plant.put(Store, "write", halves)

    return plant_it


def _digest_not_checked(plant: Plant) -> None:
    plant.put(stores, "unwrap", lambda name, stored: (1, stored[stores.DIGEST_BYTES :]))


def _two(name: str, flow: str) -> list[Bug]:
    return [
        Bug(
            f"{name}-deleted-first",
            f"record {name} is deleted before it is written",
            flow,
            _deleted_first(name),
        ),
        Bug(f"{name}-in-parts", f"record {name} is written in two parts", flow, _in_parts(name)),
    ]


RECORDS: Final = [
    *_two("credential", "password-change"),
    *_two("oscore.seq", "update-coap"),
    *_two("home", "home-link"),
    Bug("digest-not-checked", "the digest of a record is not checked", "rot", _digest_not_checked, ROT),
]  # fmt: skip
