"""One run for one unit: the data that its phases pass on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provisioning.registry.models import Unit
from provisioning.station.link import FactoryLink
from provisioning.station.phases import CheckFailedError, PhaseResult

if TYPE_CHECKING:
    from provisioning.station.station import Station


@dataclass
class UnitRun:
    """One run for one unit: what the phases read and make. repr shows no secret."""

    station: Station
    link: FactoryLink
    hello: dict[str, Any] = field(default_factory=dict, repr=False)
    unit_id: int | None = None
    device_id: bytes = b""
    serial: str = ""
    is_resumed: bool = False
    code: str | None = field(default=None, repr=False)
    web_name: str = ""
    certificates: dict[str, bytes] = field(default_factory=dict, repr=False)
    written: dict[str, bytes] = field(default_factory=dict, repr=False)
    record_hash: bytes = b""
    label_name: str = ""
    completed: Unit | None = None
    sealed_secret: tuple[bytes, bytes] | None = field(default=None, repr=False)
    results: list[PhaseResult] = field(default_factory=list, repr=False)
    is_recorded: bool = False  # the registry has the results: they were stored with the pass

    @property
    def label_path(self) -> Path:
        return self.station.config.labels_dir / self.label_name

    def write(self, name: str, data: bytes) -> None:
        """Store a record in the unit and keep its expected content."""
        self.link.write(name, data)
        self.written[name] = data


def require(is_true: bool, problem: str) -> None:
    """Raise CheckFailedError with `problem` unless it is true."""
    if not is_true:
        raise CheckFailedError(problem)
