"""A whole unit that lost one record of its own: nothing is opened, nothing older is accepted, the owner can read it."""

from __future__ import annotations

import pytest

from device.agent.unit import Unit
from device.errors import CounterLostError, RecordDamagedError
from device.owner import lifecycle
from device.records import counters
from device.records.store import DEVICE, RECORDS, Store
from device.update import trial_state
from simulator.powercut.machine import Machine
from tests.unit.device.agent.test_assembly import with_unit


def started(unit: Unit) -> list[list[object]]:
    """Start the unit; return the new events [time, number, text]."""
    before = len(unit._updates.journal.entries)
    unit.start()
    return unit._updates.journal.entries[before:]


def lose(machine: Machine, name: str) -> list[list[object]]:
    """Start once, delete the record, start again; return the events of that second start."""
    entry = next(record for record in RECORDS if record.name == name)
    found: list[list[object]] = []

    def delete(unit: Unit, device: Store) -> None:
        started(unit)
        (device if entry.region == DEVICE else unit._parts.stores.user).delete(name)

    with_unit(machine, delete)
    with_unit(machine, lambda unit, device: found.extend(started(unit)))
    return found


@pytest.mark.parametrize("name", ["attempts", "unheard", "withheld", "progress", "floors", "support"])
def test_a_lost_record_is_an_event(machine: Machine, name: str) -> None:
    (event,) = lose(machine, name)
    assert event[1] == CounterLostError.code and name in str(event[2])


def test_a_whole_unit_has_no_such_event_at_any_start(machine: Machine) -> None:
    for _ in range(3):
        found: list[list[object]] = []
        with_unit(machine, lambda unit, device, found=found: found.extend(started(unit)))
        assert found == []


def test_lost_progress_is_derived_from_the_image_and_the_support_record(machine: Machine) -> None:
    held: list[trial_state.Progress] = []

    def note(unit: Unit, device: Store) -> None:
        unit.start()
        held.append(unit._updates.releases.progress.value)

    with_unit(machine, note)
    lose(machine, "progress")
    with_unit(machine, note)
    assert held[1].manifest_sequence == held[0].manifest_sequence > 0
    assert held[1].support_end_day >= held[0].support_end_day
    assert held[1].support_end_day > 0


def test_damaged_progress_does_not_close_the_unit_and_is_an_event(machine: Machine) -> None:
    found: list[list[object]] = []
    with_unit(machine, lambda unit, device: unit.start())
    with_unit(machine, lambda unit, device: device._records.write("progress", bytes(40)))
    with_unit(machine, lambda unit, device: found.extend(started(unit)))
    assert [event[1] for event in found] == [RecordDamagedError.code]
    with_unit(machine, lambda unit, device: found.extend(started(unit)))
    assert len(found) == 1


def test_a_unit_that_lost_only_its_mark_stays_owned_and_marks_itself_again(machine: Machine) -> None:
    def look(unit: Unit, device: Store) -> None:
        device.delete("owned")
        assert unit._parts.owner.state() == lifecycle.INITIALISED
        unit.start()
        assert counters.are_kept(device)

    with_unit(machine, look)


def test_a_trial_that_lost_its_record_installs_nothing_over_the_confirmed_image(machine: Machine) -> None:
    def look(unit: Unit, device: Store) -> None:
        pending = unit._updates.releases.pending
        pending._image.boot.is_trial = True
        events = started(unit)
        assert pending.is_trial and "pending" in str(events[-1][2])
        assert pending.confirm() is None and not unit._parts.stores.device.has("pending")

    with_unit(machine, look)
