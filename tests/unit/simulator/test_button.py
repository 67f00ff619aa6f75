"""The simulated unit's button: a unit whose process gets no time for a while still sees every press."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioning import fair_time
from simulator import device
from simulator.device import SimulatedMachine
from tests.patience import joined


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[SimulatedMachine]:
    """A machine that counts as powered; the test looks at its button as a unit does."""
    made = SimulatedMachine(tmp_path, ())
    made._is_on = True
    yield made
    made._is_on = False
    made.close()


def test_a_press_lasts_until_the_unit_has_seen_it(machine: SimulatedMachine) -> None:
    pressing = threading.Thread(target=machine.press_button, args=(0,))
    pressing.start()
    late = threading.Event()
    fair_time.wait(late, 0.3)  # a unit that is late, and a press of no length
    seen = [machine._look_at_button()]
    while pressing.is_alive():
        seen.append(machine._look_at_button())
        fair_time.wait(late, 0.05)
    joined(pressing)
    assert seen[0] and not seen[-1]


def test_a_press_that_nobody_looks_for_ends(
    machine: SimulatedMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "_SEEN_S", 0.01)
    machine.press_button(0)
    assert not machine.is_button_pressed


def test_the_button_of_a_unit_without_power_is_pressed_at_once(machine: SimulatedMachine) -> None:
    machine._is_on = False
    machine.press_button(0)
    assert machine._looks == 0 and not machine.is_button_pressed
