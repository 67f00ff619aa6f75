"""Power cuts at every flash operation of a unit while it is provisioned; the station runs again.

In every case the unit is provisioned once, has one identity, and passes only after it is locked.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from device.codec import cbor
from device.layout import MPS2
from device.owner.setup_code import verifier
from device.records import identity
from provisioning.station import labels
from provisioning.station.station import Station, UnitFailedError, UnitResult
from simulator.ports.flash import AFTER, BEFORE, TORN, SimFlash
from simulator.powercut.engine import Case, Recording, record, tear_seed
from tests.unit.provisioning.station.station_bench import Bench, MemoryUnit


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Return the recording of one undisturbed run, with the formatting of a bare unit."""
    unit = MemoryUnit()
    station = Bench(tmp_path_factory.mktemp("count")).station()
    return record(unit.flash, lambda: station.provision(unit.stream()), MPS2)


@pytest.fixture
def quick_station(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print labels as their QR text: a picture would take most of a run, and other tests draw and decode it."""

    def write(label: labels.Label, path: Path) -> bytes:
        path.parent.mkdir(exist_ok=True)
        path.write_text(label.qr_text)
        return b""

    monkeypatch.setattr(labels, "print_label", write)
    monkeypatch.setattr(labels, "read_back", lambda label, path: "plain")


def bare(case: Case) -> MemoryUnit:
    """Return a bare unit with this power cut. The station's files have no snapshots, so each case is a whole run."""
    flash = SimFlash(seed=tear_seed(case))
    flash.cut_at(case.operation, case.when)
    return MemoryUnit(flash=flash)


def provisioned_in_the_end(station: Station, unit: MemoryUnit) -> tuple[UnitResult, int]:
    """Return the result of the run that passed, and the number of runs; the unit is powered on before each."""
    for attempt in range(1, 4):
        try:
            return station.provision(unit.stream()), attempt
        except UnitFailedError:
            unit.power_on()
            known = station.registry.find(hardware_id=unit.hardware_id)
            assert known is None or known.status != "passed" or unit.is_locked()
    raise AssertionError("not provisioned after three runs")


def check(bench: Bench, unit: MemoryUnit, result: UnitResult) -> None:
    """Check that the unit is locked and recorded once, with one identity, and accepts the label's code."""
    known = bench.registry.find(hardware_id=unit.hardware_id)
    assert known is not None and known.status == "passed" and unit.is_locked()
    held = identity.decode(unit.store.require("identity"))
    assert (
        (held.device_id, held.serial) == (known.device_id, known.serial) == (result.device_id, result.serial)
    )
    setup = cbor.decode(unit.store.require("setup"))
    code = result.label_path.read_text().partition("#code=")[2].partition("&")[0]
    assert setup[2] == verifier(code, setup[1])
    assert bench.registry.is_live_code(known.id, code)
    assert bench.registry.codes_generated(known.id)[1] == 1


@pytest.mark.parametrize("when", [BEFORE, TORN, AFTER])
def test_a_unit_cut_at_every_operation_ends_provisioned_once(
    when: str, recording: Recording, tmp_path: Path, quick_station: None, is_nightly: bool
) -> None:
    bench = Bench(tmp_path)
    station = bench.station(timeout_s=0.01)
    stride = 1 if is_nightly or when == TORN else 3
    runs = []
    for case in [case for case in recording.cases() if case.when == when][::stride]:
        unit = bare(case)
        result, attempts = provisioned_in_the_end(station, unit)
        check(bench, unit, result)
        runs.append(attempts)
    units = bench.registry.units()
    assert len(units) == len({entry.device_id for entry in units}) == len(runs)
    assert bench.registry.verify_chain() == len(runs)
    assert max(runs) == 2, "some cuts must have ended a run, and one more run must have been enough"
