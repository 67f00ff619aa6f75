"""Units with a radio: each leaves the station with the passphrase of its own access point, which its label shows."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from device.crypto import der
from device.records import setup
from provisioning.station import labels
from provisioning.station.passphrase import access_point_passphrase
from tests.unit.provisioning.station.station_bench import PRODUCT, Bench, MemoryUnit

WITH_RADIO = dataclasses.replace(PRODUCT, has_access_point=True)


def test_the_unit_and_its_label_have_the_same_passphrase_and_no_log_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[labels.Label] = []
    draw = labels.print_label

    def noted(label: labels.Label, path: Path) -> bytes:
        printed.append(label)
        return draw(label, path)

    monkeypatch.setattr(labels, "print_label", noted)
    bench, unit = Bench(tmp_path), MemoryUnit()
    result = bench.station(product=WITH_RADIO).provision(unit.stream())
    stored = setup.decode(unit.store.require("setup")).passphrase
    name = der.certificate_facts(unit.store.require("web.crt")).common_name
    assert stored == access_point_passphrase(result.setup_code or "", name) != ""
    assert [(label.network, label.passphrase) for label in printed] == [(name, stored)]
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert stored.encode() not in path.read_bytes(), path.name


def test_a_product_without_a_radio_gives_no_passphrase(tmp_path: Path) -> None:
    bench, unit = Bench(tmp_path), MemoryUnit()
    bench.station(product=PRODUCT).provision(unit.stream())
    assert setup.decode(unit.store.require("setup")).passphrase == ""


def test_a_batch_cannot_change_whether_its_units_have_an_access_point() -> None:
    assert PRODUCT.declared_digest != WITH_RADIO.declared_digest
