"""Bugs in the store of records: writes that are not atomic, not durable or not checked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from device.records import store as stores
from device.records.store import Store
from device.update import appset
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


def _not_synced(plant: Plant) -> None:
    """A write reaches flash with the next write of the same region: nothing is synchronised."""
    write, read, has, delete = Store.write, Store.read, Store.has, Store.delete
    held: dict[str, tuple[Store, str, bytes]] = {}

    def pending(self: Store, name: str) -> bytes | None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            held.clear()
        found = held.get(self._region)
        return found[2] if found is not None and found[1] == name else None

    def late(self: Store, name: str, data: bytes) -> None:
        before = held.pop(self._region, None)
        if before is not None and before[1] != name:
            write(before[0], before[1], before[2])
        held[self._region] = (self, name, data)

    def drop(self: Store, name: str) -> None:
        if pending(self, name) is not None:
            held.pop(self._region)
        delete(self, name)

    def get(self: Store, name: str) -> Any:
        found = pending(self, name)
        return read(self, name) if found is None else found

    plant.put(Store, "write", late)
    plant.put(Store, "read", get)
    plant.put(Store, "has", lambda self, name: pending(self, name) is not None or has(self, name))
    plant.put(Store, "delete", drop)


def _digest_not_checked(plant: Plant) -> None:
    plant.put(stores, "unwrap", lambda name, stored: (1, stored[stores.DIGEST_BYTES :]))


def _binding_not_checked(plant: Plant) -> None:
    """The binding of an application set counts whatever its digest is, and so does the set."""

    def lenient(data: bytes) -> Any:
        if data[:16] != b"firstboot:appset":
            return None
        return appset.Binding(
            int.from_bytes(data[16:24], "little"),
            data[32:64],
            data[64:96],
            int.from_bytes(data[24:28], "little"),
            data[28:32] == b"\x01\0\0\0",
        )

    plant.put(appset, "decode_binding", lenient)


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
    Bug("attempts-in-parts", "record attempts is written in two parts", "set-up", _in_parts("attempts")),
    Bug("attempts-deleted-first", "record attempts is deleted before it is written", "password-change",
        _deleted_first("attempts")),
    Bug("progress-in-parts", "record progress is written in two parts", "update-mqtt", _in_parts("progress")),
    Bug("pending-in-parts", "record pending is written in two parts", "update-mqtt", _in_parts("pending")),
    Bug("events-in-parts", "record events is written in two parts", "revert", _in_parts("events")),
    Bug("keyset-in-parts", "record keyset is written in two parts", "key-rotation", _in_parts("keyset")),
    Bug("withheld-in-parts", "record withheld is written in two parts", "set-up", _in_parts("withheld")),
    Bug("appset-in-parts", "record appset is written in two parts", "update-app", _in_parts("appset")),
    Bug("not-synced-set-up", "writes are not synchronised: set-up", "set-up", _not_synced),
    Bug("not-synced-password", "writes are not synchronised: change of password", "password-change", _not_synced),
    Bug("not-synced-coap", "writes are not synchronised: OSCORE numbers", "update-coap", _not_synced),
    Bug("digest-not-checked", "the digest of a record is not checked", "rot", _digest_not_checked, ROT),
    Bug("binding-not-checked", "the digest of a binding is not checked", "rot", _binding_not_checked, ROT),
]  # fmt: skip
