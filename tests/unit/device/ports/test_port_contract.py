"""The contract of device.interfaces, tested with every port that runs here: the simulator's and the host's.

The tests are the checks of the porting checklist (device/boards/checklist), which also run on boards. A new port that
runs here adds itself to PORTS.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import EntropyError, FlashError
from device.ports.host import HostClock, HostEntropy
from simulator.porting.checklist import Check, checks
from simulator.ports.clock import SimClock, SimEntropy
from simulator.ports.flash import SimFlash
from simulator.ports.keystore import SimKeyStore
from simulator.ports.records import device_records, user_records

HERE = ("clock", "entropy", "flash", "records", "key_store")


class Regions:
    """mount and format of the simulator's records."""

    def __init__(self, flash: SimFlash) -> None:
        self._records = {"device": device_records(flash), "user": user_records(flash)}

    def mount(self, region: str) -> Any:
        self._records[region].mount()
        return self._records[region]

    def format(self, region: str) -> Any:
        self._records[region].format()
        return self._records[region]


def simulated() -> SimpleNamespace:
    flash, clock, entropy = SimFlash(), SimClock(), SimEntropy()
    return SimpleNamespace(
        clock=lambda: clock,
        entropy=lambda: entropy,
        flash=lambda: flash,
        regions=Regions,
        key_store=lambda: SimKeyStore(bytes(range(32))),
        sleep=lambda seconds: clock.advance_ms(round(1000 * seconds)),
    )


def hosted() -> SimpleNamespace:
    clock, entropy = HostClock(), HostEntropy()
    return SimpleNamespace(clock=lambda: clock, entropy=lambda: entropy, sleep=time.sleep)


PORTS: dict[str, tuple[Callable[[], SimpleNamespace], tuple[str, ...]]] = {
    "simulator": (simulated, HERE),
    "host": (hosted, ("clock", "entropy")),
}


def cases() -> list[Any]:
    return [
        pytest.param(make, check, id=f"{name}: {check.name}")
        for name, (make, modules) in PORTS.items()
        for check in checks()
        if check.step.module in modules and not check.need
    ]


@pytest.mark.parametrize(("make", "check"), cases())
def test_a_port_keeps_the_promise(
    make: Callable[[], SimpleNamespace],
    check: Check,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    module = importlib.import_module(f"device.boards.checklist.{check.step.module}")
    port = make()
    monkeypatch.setattr(time, "sleep", port.sleep)
    getattr(module, check.function)(port, {})
    kept = capsys.readouterr().out.removeprefix("KEEP").strip()
    if check.after:  # the objects stay: this is what a restart must not change
        getattr(module, check.after)(port, {"kept": kept})


def test_a_refused_write_is_no_operation() -> None:
    flash = SimFlash()
    with pytest.raises(FlashError):
        flash.write(1, b"a" * flash.unit_bytes)
    assert flash.operations == 0


@given(
    st.lists(
        st.tuples(st.sampled_from(["identity", "setup", "web.key"]), st.none() | st.binary(max_size=3000)),
        max_size=20,
    )
)
def test_records_behave_like_a_dictionary_also_after_a_mount(steps: list[tuple[str, bytes | None]]) -> None:
    flash = SimFlash()
    records = device_records(flash)
    records.format()
    expected: dict[str, bytes] = {}
    for name, data in steps:
        if data is None:
            records.delete(name)
            expected.pop(name, None)
        else:
            records.write(name, data)
            expected[name] = data
        again = device_records(flash)
        again.mount()
        assert {found: again.read(found) for found in again.names()} == expected
        records = again


def test_a_source_that_is_not_ready_refuses() -> None:
    unseeded = SimEntropy(is_seeded=False)
    assert not unseeded.is_ready()
    with pytest.raises(EntropyError):
        unseeded.random_bytes(1)
