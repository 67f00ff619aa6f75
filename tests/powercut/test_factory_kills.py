"""The station is killed at each of its actions; another one continues from the data on disk (PR-04, PW-10)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from device.codec import cbor
from device.owner.setup_code import verifier
from provisioning.registry.registry import Registry
from provisioning.station import labels
from provisioning.station.station import UnitRefusedError
from tests.unit.provisioning.station.station_bench import NOW, PRODUCT, Bench, MemoryUnit


class Killed(BaseException):
    """kill -9: no code of the station runs after it."""


class Fate:
    """Counts the station's actions on unit, registry, label and server store; kills it at one of them."""

    def __init__(self, at: int, *, is_before: bool) -> None:
        self.at = at
        self.is_before = is_before
        self.count = 0

    def wrap(self, action: Callable[..., Any]) -> Callable[..., Any]:
        def doomed(*args: Any, **options: Any) -> Any:
            self.count += 1
            if self.count == self.at and self.is_before:
                raise Killed
            result = action(*args, **options)
            if self.count == self.at:
                raise Killed
            return result

        return doomed


def print_plainly(label: labels.Label, path: Path) -> bytes:
    path.parent.mkdir(exist_ok=True)
    path.write_text(label.qr_text)
    return b""


def run_under(fate: Fate, bench: Bench, unit: MemoryUnit, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Return whether the station survived the run. A unit without entropy gets its keys from the station."""
    product = dataclasses.replace(PRODUCT, may_inject_keys=True) if not unit.entropy.is_ready() else PRODUCT
    bench.registry = Registry.create(
        bench.directory / "registry.db", exist_ok=True, now=lambda: NOW
    )  # a new process would open these
    with monkeypatch.context() as patch:
        patch.setattr(labels, "print_label", fate.wrap(print_plainly))
        patch.setattr(labels, "read_back", lambda label, path: "plain")
        for name in ("reserve", "complete", "record_pass", "add_phases", "open_batch", "document"):
            patch.setattr(bench.registry, name, fate.wrap(getattr(bench.registry, name)))
        stream = unit.stream()
        patch.setattr(stream, "write", fate.wrap(stream.write))
        try:
            bench.station(product=product).provision(stream)
        except (Killed, UnitRefusedError) as end:
            return isinstance(end, UnitRefusedError)
        finally:
            bench.registry.close()
    return True


@pytest.mark.parametrize("has_entropy", [True, False], ids=["own keys", "injected keys"])
@pytest.mark.parametrize("is_before", [True, False], ids=["before", "after"])
def test_a_station_killed_at_every_step_is_taken_over_by_the_next(
    is_before: bool, has_entropy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)
    kills = 0
    for at in range(1, 200):
        unit = MemoryUnit()
        unit.entropy.is_seeded = has_entropy
        if run_under(Fate(at, is_before=is_before), bench, unit, monkeypatch):
            break
        kills += 1
        assert run_under(Fate(0, is_before=True), bench, unit, monkeypatch), "the next run must get through"
        check(bench, unit)
    registry = Registry(tmp_path / "registry.db")
    assert kills >= 35
    assert registry.verify_chain() == len(registry.units()) == kills + 1


def check(bench: Bench, unit: MemoryUnit) -> None:
    """Check that the unit passed once, is locked, and accepts the code on its label; no other code is live."""
    registry = Registry(bench.directory / "registry.db")
    known = registry.find(hardware_id=unit.hardware_id)
    assert known is not None and known.status == "passed" and unit.is_locked()
    label = (bench.directory / "labels" / f"{known.serial}.png").read_text()
    code = label.partition("#code=")[2].partition("&")[0]
    setup = cbor.decode(unit.store.require("setup"))
    assert setup[2] == verifier(code, setup[1])
    assert registry.is_live_code(known.id, code) and registry.codes_generated(known.id)[1] == 1
    registry.close()
