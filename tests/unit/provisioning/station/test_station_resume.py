"""A run that was interrupted is resumed: before the lock with a new code, after it with the label that exists."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from device.codec import cbor
from device.errors import LinkError
from device.owner.setup_code import verifier
from provisioning.station import labels, steps_identity, steps_lock
from provisioning.station.station import UnitRefusedError
from tests.unit.provisioning.station.station_bench import Bench, MemoryUnit, failure


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def killed(*_: object) -> None:
    raise LinkError(reason="killed")


def test_a_run_that_died_before_the_lock_is_repeated_with_the_same_identity_and_a_new_code(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit, codes = MemoryUnit(), []
    real = steps_identity.generate_code
    monkeypatch.setattr(steps_identity, "generate_code", lambda *args: codes.append(real(*args)) or codes[-1])
    with monkeypatch.context() as patch:
        patch.setattr(labels, "read_back", killed)
        failure(lambda: bench.station().provision(unit.stream()))
    first = bench.registry.units()[0]
    result = bench.station().provision(unit.stream())
    assert (result.device_id, result.serial, result.is_resumed) == (first.device_id, first.serial, True)
    assert result.setup_code == codes[1] != codes[0]
    assert not bench.registry.is_live_code(first.id, codes[0])
    assert bench.registry.is_live_code(first.id, codes[1])
    setup = cbor.decode(unit.store.require("setup"))
    assert setup[2] != verifier(codes[0], setup[1])


def die_behind_the_lock(bench: Bench, unit: MemoryUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(steps_lock, "_locked_hello", killed)
        failure(lambda: bench.station().provision(unit.stream()))
    assert unit.is_locked()


def test_a_run_that_ended_after_the_lock_is_proved_and_recorded_by_the_next(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = MemoryUnit()
    die_behind_the_lock(bench, unit, monkeypatch)
    result = bench.station().provision(unit.stream())
    assert [phase.name for phase in result.phases] == ["link", "identify", "label", "prove", "record"]
    assert result.setup_code is None and result.label_path.is_file()
    assert bench.registry.units()[0].status == "passed"
    with pytest.raises(UnitRefusedError):
        bench.station().provision(unit.stream())


def test_a_locked_unit_whose_label_is_lost_or_swapped_is_not_released(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = MemoryUnit()
    die_behind_the_lock(bench, unit, monkeypatch)
    label = bench.directory / "labels" / f"{bench.registry.units()[0].serial}.png"
    kept = label.read_bytes()
    label.write_bytes(kept + b"x")
    assert "does not belong to this unit" in str(failure(lambda: bench.station().provision(unit.stream())))
    label.unlink()
    assert "is gone" in str(failure(lambda: bench.station().provision(unit.stream())))
    assert bench.registry.units()[0].status == "complete"


def test_another_unit_cannot_be_released_in_the_place_of_a_sealed_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = MemoryUnit()
    die_behind_the_lock(bench, unit, monkeypatch)
    impostor = MemoryUnit()
    impostor.flash.restore(unit.flash.snapshot())
    impostor.power_on()
    impostor.store.write("device.key", secrets.token_bytes(32))
    caught = failure(lambda: bench.station().provision(impostor.stream()))
    assert caught.result is not None and caught.result.name == "prove"
    assert "proof is not valid" in str(caught)
