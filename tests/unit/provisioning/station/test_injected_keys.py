"""Keys that the station generates for a unit without entropy: if the definition allows it, never stored (ADR 0020)."""

from __future__ import annotations

import dataclasses
import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from provisioning.registry.registry import Registry
from provisioning.station import unit_keys
from provisioning.station.link import FactoryLink
from provisioning.station.phases import CheckFailedError, Outcome
from simulator.ports.flash import BEFORE
from tests.unit.provisioning.station.station_bench import PRODUCT, Bench, MemoryUnit, failure

ALLOWED = dataclasses.replace(PRODUCT, may_inject_keys=True)


def mute_unit() -> MemoryUnit:
    unit = MemoryUnit()
    unit.entropy.is_seeded = False
    return unit


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, bytearray]]:
    """(a copy, the buffer) of each key that the station generates."""
    kept: list[tuple[bytes, bytearray]] = []
    draw = unit_keys.generate_key

    def noted() -> bytearray:
        key = draw()
        kept.append((bytes(key), key))
        return key

    monkeypatch.setattr(unit_keys, "generate_key", noted)
    return kept


def record_of(bench: Bench, serial: str) -> Any:
    with bench.registry.reading() as session:
        bodies = session.connection().exec_driver_sql("SELECT body FROM production_record").scalars().all()
    return next(body for body in map(json.loads, bodies) if body["serial"] == serial)


def test_without_the_definitions_word_a_unit_without_entropy_is_refused_in_one_sentence(bench: Bench) -> None:
    unit = mute_unit()
    failed = failure(lambda: bench.station().provision(unit.stream()))
    assert failed.outcome is Outcome.FAIL and str(failed) == f"identify: FAIL: {unit_keys.NOT_ALLOWED}"
    assert bench.registry.units() == [] and not unit.is_locked()


def test_a_unit_without_entropy_is_provisioned_and_its_record_says_who_drew_its_keys(
    bench: Bench, drawn: list[tuple[bytes, bytearray]]
) -> None:
    unit = mute_unit()
    result = bench.station(product=ALLOWED).provision(unit.stream())
    assert unit.is_locked() and unit.entropy.draws == 0
    assert {unit.store.require("device.key"), unit.store.require("web.key")} == {key for key, _ in drawn}
    assert record_of(bench, result.serial)["key_origin"] == "injected"
    assert bench.registry.verify_chain() == 1


def test_a_unit_with_entropy_generates_its_own_keys_even_if_injection_is_allowed(
    bench: Bench, drawn: list[tuple[bytes, bytearray]]
) -> None:
    result = bench.station(product=ALLOWED).provision(MemoryUnit().stream())
    assert drawn == [] and record_of(bench, result.serial)["key_origin"] == "unit"


def test_no_file_and_no_log_of_the_station_holds_an_injected_key_and_its_buffers_are_zeroed(
    bench: Bench, drawn: list[tuple[bytes, bytearray]]
) -> None:
    result = bench.station(product=ALLOWED).provision(mute_unit().stream())
    bench.registry.close()
    held = b"".join(path.read_bytes() for path in bench.directory.rglob("*") if path.is_file())
    said = "\n".join(bench.log) + repr(result)
    assert len(drawn) == 2 and "put_key device 32 bytes" in said
    for key, buffer in drawn:
        assert key not in held and key.hex().encode() not in held and key.hex() not in said
        assert buffer == bytearray(32)


def test_a_key_whose_unit_did_not_answer_is_zeroed_too(drawn: list[tuple[bytes, bytearray]]) -> None:
    unit = mute_unit()
    unit.is_dead = True
    with pytest.raises(Exception, match="no power"):
        unit_keys.inject(FactoryLink(unit.stream(), timeout_s=0.01, attempts=1), "device")
    assert [buffer for _, buffer in drawn] == [bytearray(32)]


def test_a_unit_that_asks_for_another_key_than_it_was_given_fails() -> None:
    asking, other = mute_unit(), MemoryUnit()
    request = FactoryLink(other.stream()).make_key("device")
    link = FactoryLink(asking.stream())
    link.put_key = lambda role, key: request  # type: ignore[method-assign]
    with pytest.raises(CheckFailedError, match="another key"):
        unit_keys.inject(link, "device")


def test_a_locked_unit_takes_no_key_from_the_station(bench: Bench) -> None:
    from device.errors import LockedError

    unit = mute_unit()
    bench.station(product=ALLOWED).provision(unit.stream())
    with pytest.raises(LockedError):
        unit_keys.inject(FactoryLink(unit.stream()), "device")


def test_a_power_cut_while_keys_are_injected_leaves_a_unit_that_is_provisioned_again(bench: Bench) -> None:
    cuts = 0
    for later in range(1, 60, 6):
        unit = mute_unit()
        unit.flash.cut_at(later, BEFORE)
        if failure_or_pass(bench, unit) is not None:
            break
        cuts += 1
        unit.power_on()
        result = failure_or_pass(bench, unit)
        assert result is not None and unit.is_locked()
        assert record_of(bench, result)["key_origin"] == "injected"
    assert cuts >= 5


def failure_or_pass(bench: Bench, unit: MemoryUnit) -> str | None:
    from provisioning.station.station import UnitFailedError

    try:
        return bench.station(product=ALLOWED).provision(unit.stream()).serial
    except UnitFailedError:
        return None


def test_two_units_never_share_an_injected_key(bench: Bench) -> None:
    units = [mute_unit() for _ in range(3)]
    for unit in units:
        bench.station(product=ALLOWED).provision(unit.stream())
    keys = {unit.store.require(f"{role}.key") for unit in units for role in ("device", "web")}
    assert len(keys) == 6


def test_keys_come_from_the_systems_generator_and_an_invalid_one_is_generated_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = iter((bytes(32), b"\xff" * 32, (7).to_bytes(32, "big")))
    monkeypatch.setattr(secrets, "token_bytes", lambda length: next(drawn))
    assert unit_keys.generate_key() == bytearray((7).to_bytes(32, "big"))


def test_the_origin_survives_a_station_that_is_killed_after_the_lock(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = mute_unit()
    with monkeypatch.context() as patch:
        patch.setattr(Registry, "record_pass", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            bench.station(product=ALLOWED).provision(unit.stream())
    result = bench.station(product=ALLOWED).provision(unit.stream())
    assert result.is_resumed and record_of(bench, result.serial)["key_origin"] == "injected"
