"""Robot keywords that cut the power of a unit in a phase of its life, at a flash operation (UP-04, PW-04).

For emulated boards: the firmware of the variant `cut` stops itself inside the operation.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Any, Final

from device.errors import FirstbootError
from provisioning.station.station import UnitFailedError
from renode.errors import MachineError
from renode.machine import CutOrder
from simulator.story import steps
from simulator.story.rig import Rig
from simulator.story.runner import StepFailed, expect, wait_until
from simulator.story.world import World

_WHEN: Final = "torn"
_TRIAL_LINE: Final = r"^rom: slot \d trial"
_GONE: Final = (OSError, PermissionError, MachineError)  # of requests to a unit whose power was cut
_STATION_FAILED: Final = (*_GONE, UnitFailedError, FirstbootError)


class UnitCuts(ABC):
    """The part of simulator/story/unit_keywords.py that cuts the power."""

    _update_s: float

    @property
    @abstractmethod
    def _rig(self) -> Rig:
        """The provisioned unit."""

    @property
    @abstractmethod
    def _world(self) -> World:
        """The unit, provisioned or bare."""

    @abstractmethod
    def _say(self, text: str) -> None:
        """Write a line to the report."""

    # -- when -----------------------------------------------------------------------------------------
    def the_power_is_cut_at_operation_while_the_station_provisions_it(self, operation: str) -> None:
        """Cut the power of a bare board inside a flash operation, counted from power-on."""
        world = self._world
        world.begin_provisioning(cut=CutOrder(int(operation), _WHEN, int(operation)))
        try:
            world.provision_begun()
        except _STATION_FAILED as error:
            self._say(f"the station: {error}")
        else:
            raise StepFailed("the station to fail", f"a unit that passed before operation {operation}")

    def the_power_is_cut_at_operation_while_its_owner_sets_it_up(self, operation: str) -> None:
        """Cut the power inside a flash operation of set-up."""
        self._rig.power.cut_at(int(operation), _WHEN)
        try:
            self._rig.owner.set_up()
        except _GONE as error:
            self._say(f"set-up: {type(error).__name__}")
        self._rig.power.wait_until_cut(self._update_s)

    def the_power_is_cut_at_operation_from_now(self, operation: str) -> None:
        """Cut the power inside a flash operation; returns once the unit is off."""
        self._rig.power.cut_at(int(operation), _WHEN)
        self._rig.power.wait_until_cut(self._update_s)

    def the_power_is_cut_during_the_trial_of_release(self, number: str) -> None:
        """Wait until the boot ROM starts the release on trial, and switch the power off."""
        console: Any = self._rig.board.machine.console
        wait_until(
            f"the trial of release {number}",
            lambda: re.search(rf"{_TRIAL_LINE}, image {number}\.", console.text, re.MULTILINE),
            self._update_s,
            0.02,
        )
        self._rig.power.off()

    def the_power_is_cut_at_operation_of_a_reset_with_the_button(self, operation: str) -> None:
        """Hold the button at power-on, and cut the power inside a flash operation of the reset."""
        machine: Any = self._rig.board.machine
        machine.cut_power()
        self._rig.power.note_console()
        machine.power_on(button_held=True, cut=CutOrder(int(operation), _WHEN, int(operation)))
        self._rig.power.wait_until_cut(self._update_s)

    def the_power_comes_back(self) -> None:
        """Switch the power on and wait for the first page."""
        self._rig.power.on()

    # -- then -----------------------------------------------------------------------------------------
    def the_station_provisions_it_after_the_cut(self) -> None:
        """Switch the power on and run the station again: the unit must pass."""
        world = self._world
        world.machine.cut_power()
        world.machine.power_on()
        world.provision_begun()

    def either_the_code_or_the_password_opens_it(self) -> None:
        """Check that the owner, and nobody else, gets in, whether set-up was completed or not."""
        owner = self._rig.owner
        if owner.get("/setup").status == 200:
            steps.setup.setup(self._world)
        wait_until("sign-in", lambda: owner.sign_in() or None, self._update_s, 1)
        self._say(steps.setup.setup_code_dead(self._world))

    def an_old_or_a_new_release_runs(self, old: str, new: str) -> None:
        """Check that the unit runs one of two releases."""
        version = str(wait_until("the status page", self._world.status, self._update_s, 0.5)["version"])
        expect(version.partition(".")[0] in (old, new), f"release {old} or {new}", version)

    def the_unit_can_still_be_updated_to(self, number: str) -> None:
        """Publish a release and wait until the unit has confirmed it."""
        self._world.publish(int(number), "mqtt")
        self._say(steps.updates.expect_running(self._world, f"{number}.0.0", "after the cut", self._update_s))
