"""A confirmed application that hangs: after three restarts by the watchdog the firmware runs without it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from device.agent import assembly, brake
from device.agent.apps import HELD, WAITING
from device.errors import AppHeldError, StorageFullError
from device.layout import RESET_EXTERNAL, RESET_POWER_ON, RESET_SOFTWARE, RESET_WATCHDOG
from device.limits import APP_CRASHES
from device.records.store import Store
from device.update.slots import BootState
from simulator import boot as boot_rom
from simulator import virtual
from simulator.powercut.campaign import Campaign
from simulator.powercut.machine import Machine

APP, OTHER = brake.running_id(b"image", b"set"), brake.running_id(b"image", b"other set")


class Records(dict[str, bytes]):
    """interfaces.Records in a dict, with a count of the writes."""

    writes = 0

    def read(self, name: str) -> bytes | None:
        return self.get(name)

    def write(self, name: str, data: bytes) -> None:
        self.writes += 1
        self[name] = data

    def delete(self, name: str) -> None:
        self.pop(name, None)


def start(records: Records, reason: int, running: bytes = APP) -> bool:
    return brake.Brake(Store(records), SimpleNamespace(reset_reason=reason)).start(running)  # type: ignore[arg-type]


def held() -> Records:
    records = Records()
    assert start(records, RESET_POWER_ON)
    assert [start(records, RESET_WATCHDOG) for _ in range(APP_CRASHES)] == [True, True, False]
    return records


def test_the_third_restart_by_the_watchdog_holds_the_application_back() -> None:
    held()


@pytest.mark.parametrize("reason", [RESET_SOFTWARE, RESET_EXTERNAL, RESET_WATCHDOG])
def test_it_stays_held_back_over_other_restarts_and_nothing_is_written(reason: int) -> None:
    records = held()
    writes = records.writes
    assert not any(start(records, reason) for _ in range(10))
    assert records.writes == writes


def test_a_power_on_another_application_or_steady_time_lets_it_run_again() -> None:
    for reason, running in ((RESET_POWER_ON, APP), (RESET_SOFTWARE, OTHER), (RESET_WATCHDOG, OTHER)):
        assert start(held(), reason, running)
    records = held()
    brake.Brake(Store(records), SimpleNamespace()).steady()  # type: ignore[arg-type]
    assert start(records, RESET_WATCHDOG)


def test_a_count_for_one_application_is_not_that_of_another() -> None:
    records = held()
    assert start(records, RESET_WATCHDOG, OTHER)
    assert start(records, RESET_WATCHDOG, OTHER), "two restarts of the other one"


def test_a_damaged_count_lets_the_application_run() -> None:
    records = held()
    records["crashes"] = b"damaged"
    assert start(records, RESET_SOFTWARE)


def test_an_application_that_restarts_the_unit_by_itself_is_held_back_too() -> None:
    records = Records()
    assert start(records, RESET_POWER_ON)
    assert [start(records, RESET_SOFTWARE) for _ in range(APP_CRASHES)] == [True, True, False]


def test_a_restart_that_the_firmware_wanted_is_no_crash() -> None:
    records = Records()
    assert start(records, RESET_POWER_ON)
    for _ in range(2 * APP_CRASHES):
        assert brake.Brake(Store(records), SimpleNamespace(reset_reason=RESET_SOFTWARE)).start(  # type: ignore[arg-type]
            APP, is_crash=False
        )


@pytest.mark.parametrize("reason", [RESET_SOFTWARE, RESET_WATCHDOG])
def test_trials_that_hang_are_not_held_against_the_application_before_them(reason: int) -> None:
    records = Records()
    assert start(records, RESET_POWER_ON)
    for _ in range(3 * APP_CRASHES):
        trial = brake.Brake(Store(records), SimpleNamespace(reset_reason=RESET_SOFTWARE))  # type: ignore[arg-type]
        assert trial.start(OTHER, is_trial=True)
        assert start(records, reason), "the release before runs again"


def restarted(machine: Machine, reason: int) -> tuple[str, list[Any]]:
    """Return the application's state after a start for `reason`, and the numbers of the events so far."""
    found: list[Any] = []

    async def build() -> None:
        handover = boot_rom.start(machine.flash, machine._layout, machine._key_hashes, lambda _: None)
        assert handover is not None
        ports = await machine._ports(handover, reason)
        unit = assembly.assemble(ports, BootState(ports.flash, ports.layout))
        unit.start()
        found.append(unit._parts.host.status()["state"])  # type: ignore[index]
        found.append([entry[1] for entry in unit._updates.journal.entries])
        assert await unit._parts.host.run(lambda: False) if found[0] == HELD else True

    virtual.run(build())
    return found[0], found[1]


def test_a_count_that_cannot_be_stored_holds_nothing_back_and_closes_no_unit(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: object, name: str, data: bytes) -> None:
        raise StorageFullError

    machine = campaign.machine_after("update-app")
    monkeypatch.setattr("simulator.ports.records.LfsRecords.write", full)
    for _ in range(2 * APP_CRASHES):
        assert restarted(machine, RESET_WATCHDOG)[0] == WAITING


def test_a_unit_whose_application_hangs_runs_without_it_and_says_so(campaign: Campaign) -> None:
    machine = campaign.machine_after("update-app")
    for _ in range(APP_CRASHES - 1):
        assert restarted(machine, RESET_WATCHDOG)[0] == WAITING
    state, events = restarted(machine, RESET_WATCHDOG)
    assert state == HELD and AppHeldError.code in events
    assert restarted(machine, RESET_SOFTWARE)[0] == HELD
    assert restarted(machine, RESET_POWER_ON)[0] == WAITING
