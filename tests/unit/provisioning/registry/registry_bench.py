"""Parts that tests of the registry share: locations on both databases, units by number, facts of a complete unit."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

from provisioning.registry.registry import CompletedFacts, Registry, Reservation
from tests.postgres import Cluster

FACTS = CompletedFacts(
    version="1.0.0+0",
    image_digest=bytes(32),
    device_certificate=b"certificate",
    web_fingerprint=bytes(32),
    record_hash=bytes(32),
    statement_sha256=bytes(32),
    support_end_day=22000,
    label=b"label",
    label_name="SN.png",
)


class Places:
    """New registries of one kind of database; `again` opens one of them a second time."""

    def __init__(self, folder: Path, cluster: Cluster | None) -> None:
        self.folder = folder
        self._cluster = cluster
        self._numbers = itertools.count(1)

    def place(self) -> tuple[Path | str, Path]:
        """Return (address, folder of the key files) of a registry that does not exist yet."""
        files = self.folder / f"files{next(self._numbers)}"
        if self._cluster is not None:
            return self._cluster.new_database(), files
        return files / "registry.db", files

    def new(self, now: Callable[[], int] = lambda: 1000, **options: object) -> Registry:
        address, files = self.place()
        return Registry.create(address, files=files, now=now, **options)  # type: ignore[arg-type]

    def again(self, registry: Registry, now: Callable[[], int] = lambda: 1000) -> Registry:
        location = registry.database.location
        registry.close()
        return Registry(location.file or location.url, files=location.folder, now=now)


def open_batch(registry: Registry, number: str = "B1") -> None:
    registry.open_batch(number, "M", bytes(32), is_development=False)


def reserve(registry: Registry, hardware: int, code: str, batch: str = "B1") -> Reservation:
    return registry.reserve(hardware.to_bytes(16, "big"), batch, "SN-", code, is_development=False)


def finish(
    registry: Registry, hardware: int, code: str, station: str = "station", batch: str = "B1"
) -> Reservation:
    reservation = reserve(registry, hardware, code, batch)
    registry.complete(reservation.unit_id, FACTS)
    facts = {"serial": reservation.serial, "device_id": reservation.device_id.hex(), "station": station}
    registry.record_pass(reservation.unit_id, facts)
    return reservation
