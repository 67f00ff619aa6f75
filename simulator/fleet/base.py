"""The beginning of every unit of a fleet: the flash of one unit that a station provisioned and an owner set up.

The flows of the power-cut campaign make it (simulator/powercut), with their keys and signed releases. Units differ in
the records that `own_records` returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from device.codec import cbor
from device.owner import settings
from device.records import store
from device.records.store import DEVICE, USER
from device.suit import envelope
from provisioning.product import record
from simulator.fleet.plan import UnitPlan
from simulator.fleet.scenario import Scenario
from simulator.fleet.servers import Objects, objects_of
from simulator.ports.flash import SimFlash, Snapshot
from simulator.ports.records import device_records, user_records
from simulator.powercut import bench as made
from simulator.powercut.bench import Bench, default_folder
from simulator.powercut.campaign import Campaign

LAYOUT = made.LAYOUT
Stored = Mapping[str, bytes]  # records as they are stored, by name


@dataclass(frozen=True)
class Base:
    """The beginning of every unit. `sectors`: its flash without the littlefs regions; `records`: those regions."""

    bench: Bench
    flash: Snapshot
    sectors: Snapshot
    records: Mapping[str, Stored]
    objects: Mapping[int, Objects]  # what is published of each release
    numbers: Mapping[bytes, int]  # of the releases, by the digest of their manifests

    @property
    def class_id(self) -> bytes:
        """The product class of the fleet."""
        return self.bench.product.class_id

    @property
    def epoch_s(self) -> int:
        """The unix time at which a run begins."""
        return self.bench.now_s


@cache
def make(folder: Path | None = None) -> Base:
    """Return the base. It is made in `folder` (the folder for exactly this code if None) and quick to make again."""
    bench = Bench(folder or default_folder())
    machine = Campaign(bench).machine_after("set-up")
    flash = machine.flash
    records = {DEVICE: _all(flash, DEVICE), USER: _all(flash, USER)}
    regions: set[int] = set()
    for offset, length in (
        (LAYOUT.device_offset, LAYOUT.device_bytes),
        (LAYOUT.user_offset, LAYOUT.user_bytes),
    ):
        first = offset // LAYOUT.sector_bytes
        last = first + length // LAYOUT.sector_bytes
        regions.update(range(first, last))
    snapshot = flash.snapshot()
    sectors = {number: data for number, data in snapshot.items() if number not in regions}
    objects = {number: objects_of(bench.product.class_id, one) for number, one in bench.releases.items()}
    numbers = {_digest(one): number for number, one in objects.items()}
    return Base(bench, snapshot, sectors, records, objects, numbers)


def _digest(objects: Objects) -> bytes:
    digest: bytes = envelope.decode_digest(envelope.decode(objects["manifest"]).digest)
    return digest


def _all(flash: SimFlash, region: str) -> Stored:
    opened = device_records(flash, LAYOUT) if region == DEVICE else user_records(flash, LAYOUT)
    opened.mount()
    return {name: opened.read(name) or b"" for name in opened.names()}


def shared_records(base: Base, scenario: Scenario) -> dict[str, dict[str, bytes]]:
    """Return the records that all units of a scenario begin with: the base's, with one broker and its interval."""
    found = {region: dict(records) for region, records in base.records.items()}
    servers = cbor.decode(store.unwrap("servers", found[DEVICE]["servers"])[1])
    servers[2] = [source for source in servers[2] if source[1] == "mqtt"]
    servers[3] = scenario.check_interval_s
    found[DEVICE]["servers"] = store.wrap(cbor.encode(servers))
    return found


def own_records(base: Base, plan: UnitPlan) -> dict[str, dict[str, bytes]]:
    """Return the records in which a unit differs from the others: its identity, and its owner's settings."""
    serial = f"FB1-{plan.number + 1:06d}"
    identity = record.identity_record(base.bench.product, plan.device_id, serial)
    found: dict[str, dict[str, bytes]] = {DEVICE: {"identity": store.wrap(identity)}, USER: {}}
    if not plan.is_automatic:
        found[USER]["settings"] = store.wrap(settings.encode(settings.Settings(False, 0)))
    return found
