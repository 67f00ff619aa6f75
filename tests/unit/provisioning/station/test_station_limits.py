"""A text that fits no unit or label is refused when the station starts, before a serial number is used."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

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
