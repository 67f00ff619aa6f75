"""A text that fits no unit or label is refused when the station starts, before a serial number is used."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from device.records import store
from provisioning.product.product import Party
from provisioning.station.station import StationError
from tests.unit.provisioning.station.station_bench import PRODUCT, Bench


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"brand": "W" * 190}, "does not fit into a unit"),
        ({"manufacturers": (Party("W" * 129, "1 Example Street"),)}, "does not fit into a unit"),
        ({"brand": "W" * 120}, "no room"),
        ({"manufacturers": (Party("W" * 120, "1 Example Street"),)}, "no room"),
    ],
)
def test_a_text_that_is_too_long_stops_the_station_and_uses_no_serial_number(
    changes: dict[str, object], reason: str, tmp_path: Path
) -> None:
    bench = Bench(tmp_path)
    with pytest.raises(StationError, match=reason):
        bench.station(product=dataclasses.replace(PRODUCT, **changes))
    assert bench.registry.units() == [] and bench.registry.batches() == []


@pytest.mark.parametrize("name", ["support", "contact", "statement", "anchors", "servers"])
def test_a_record_that_no_unit_takes_stops_the_station_and_is_not_stored(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)
    limits = [one._replace(max_bytes=8) if one.name == name else one for one in store.RECORDS]
    monkeypatch.setattr("provisioning.station.station.store.RECORDS", limits)
    with pytest.raises(StationError, match=f"the record {name} has .* a unit takes at most 8"):
        bench.station()
    monkeypatch.undo()
    assert bench.registry.units() == []
    station = bench.station()
    assert len(station.batch_record(name)) <= next(one.max_bytes for one in store.RECORDS if one.name == name)
