"""Robot keywords for a unit with its station, its servers and its owner, the same on every machine.

A keyword is a few lines over the objects that pytest uses as well: simulator/story/rig.py and the steps of the story.
Each test has its own unit and servers. No keyword receives or returns a secret.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from device.limits import THROTTLE_FREE
from provisioning.station.setup_code import generate_code
from simulator.story import steps
from simulator.story.inputs import Inputs
from simulator.story.rig import Rig
from simulator.story.runner import StepFailed, expect, wait_until
from simulator.story.unit_cuts import UnitCuts
from simulator.story.world import World

MACHINES: Final = ("sim", "qemu", "renode")
UPDATE_S: Final = {"sim": 90.0, "qemu": 180.0, "renode": 600.0}


class UnitLibrary(UnitCuts):
    """Keywords; one unit per test, ended by `End The Unit`."""

    def __init__(self, machine: str = "qemu", cuts: str = "") -> None:
        """`cuts`: "cuts" gives the board firmware that stops at an ordered flash operation."""
        if machine not in MACHINES:
            raise ValueError(f"no machine {machine!r}; choose one of {', '.join(MACHINES)}")
        self._machine = machine
        self._has_cuts = cuts == "cuts"
        self._work = Path(tempfile.mkdtemp(prefix="fb-suite-"))
        self._units = 0
        self._open: Rig | None = None
        self._bare: World | None = None
        self._update_s = UPDATE_S[machine]

    # -- given ----------------------------------------------------------------------------------------
    def a_unit_in_factory_default(self) -> None:
        """Provision a unit and wait for its first page."""
        self._units += 1
        folder = self._work / f"unit-{self._units}"
        folder.mkdir()
        self._open = Rig(self._machine, folder, Inputs(has_power_cuts=self._has_cuts))
        self._open.board.wait_for_page()

    def a_unit_with_an_owner(self) -> None:
        """Provision a unit, set it up, sign in, and wait until it knows the time."""
        self.a_unit_in_factory_default()
        reply = self._rig.owner.set_up()
        expect(reply.status == 303, "set-up to succeed", reply.status)
        self._rig.owner.wait_until("the time", lambda status: bool(status["time"]), self._update_s)

    def a_bare_board(self) -> None:
        """Program a board and switch it on; no station has seen it."""
        self._units += 1
        world = World(
            self._machine,
            ("mqtt", "coap"),
            self._work / f"unit-{self._units}",
            lambda _: None,
            inputs=Inputs(has_power_cuts=self._has_cuts),
        )
        self._bare = world.__enter__()
        world.build()

    # -- when -----------------------------------------------------------------------------------------
    def the_station_provisions_it(self) -> None:
        """Run the station on the bare board."""
        self._world.provision()

    def wrong_codes_are_tried(self, count: str) -> None:
        """Send the set-up form with this many wrong codes, which the unit must refuse at once."""
        for _ in range(int(count)):
            reply = self._rig.owner.set_up(generate_code())
            expect(reply.status in (400, 403), "a refusal of a wrong code", reply.status)

    def as_many_wrong_codes_are_tried_as_cost_nothing(self) -> None:
        """As `Wrong Codes Are Tried` with the number of guesses that are free, and one more."""
        self.wrong_codes_are_tried(str(THROTTLE_FREE + 1))

    def release_is_published_over(self, number: str, transport: str) -> None:
        """Publish a release over mqtt or coap."""
        self._world.publish(int(number), transport.lower())

    def release_is_named_by_the_tracker_and_withheld(self, number: str) -> None:
        """Let the tracker name a release that no server gives, and let the unit be behind for days of powered-on time.

        The record in which the unit counts this time is damaged in its flash: it then counts as the full time.
        """
        self._world.servers.newest.raise_to(manifest=int(number))
        self._rig.board.edit_records(lambda records: records.write("withheld", b"damaged"))
        self._rig.board.restart()

    def the_time_passes_the_support_period(self) -> None:
        """Let the tracker sign a time after the support period."""
        self._rig.clock.move_past_support()

    def the_button_is_held_while_the_power_comes_on(self) -> None:
        """Reset the unit with its button."""
        self._rig.board.restart(button_held=True)

    def the_button_is_released(self) -> None:
        """Release the button that was held while the power came on."""
        self._rig.board.release_button()

    def the_button_is_pressed(self) -> None:
        """Press the button for a moment."""
        self._rig.board.press_button()

    # -- then: provisioning and set-up ----------------------------------------------------------------
    def the_registry_lists_it_once_as_passed(self) -> None:
        """Check the production record."""
        found = [(unit.serial, unit.status) for unit in self._world.registry.units()]
        expect(found == [(self._world.unit.serial, "passed")], "one unit that passed", found)

    def it_has_a_label(self) -> None:
        """Check that the label's picture exists."""
        expect(self._world.unit.label_path.is_file(), "a label", self._world.unit.label_path)

    def the_station_refuses_it_a_second_time(self) -> None:
        """Run the station on the same board again."""
        self._say(self._world.provision_again())

    def only_set_up_answers(self) -> None:
        """Try every route, the factory port and the console."""
        self._say(steps.factory.locked_before_setup(self._world))

    def weak_passwords_are_refused(self) -> None:
        """Try weak passwords with the right code; the unit still waits for set-up."""
        self._say(steps.setup.weak_password_refused(self._world))

    def even_the_right_code_must_wait(self) -> None:
        """Check that the unit refuses even the right code, because it must wait."""
        reply = self._rig.owner.set_up()
        expect(reply.status == 429, "a wait", reply.status)

    def after_the_wait_the_right_code_sets_it_up(self) -> None:
        """Try the right code until the wait is over."""
        wait_until("set-up", lambda: self._rig.owner.set_up().status == 303 or None, self._update_s, 1)

    def the_set_up_code_is_refused_from_now_on(self) -> None:
        """Try the code on the label a second time."""
        self._say(steps.setup.setup_code_dead(self._world))

    def its_owner_sets_a_password(self) -> None:
        """Try a wrong code, then set the unit up."""
        self._say(steps.setup.setup(self._world))

    def only_its_owner_can_sign_in(self) -> None:
        """Try the status page without a session, the set-up code, then the password."""
        self._say(steps.setup.login(self._world))

    def it_knows_its_support_period(self) -> None:
        """Read the support state from the status page."""
        self._say(steps.setup.support_period(self._world))

    # -- then: updates --------------------------------------------------------------------------------
    def release_runs_and_is_confirmed(self, number: str) -> None:
        """Wait until the unit has confirmed the release."""
        say = steps.updates.expect_running(self._world, f"{number}.0.0", "as published", self._update_s)
        self._say(say)

    def a_release_with_one_changed_bit_is_refused(self) -> None:
        """Publish release 3 with a changed bit, first in the envelope, then in the payload."""
        self._say(steps.updates.tampered_update_refused(self._world))

    def an_older_release_is_refused(self) -> None:
        """Publish release 1 to a unit with a newer one."""
        self._say(steps.updates.downgrade_refused(self._world))

    def a_release_that_hangs_is_reverted(self) -> None:
        """Publish release 4; the watchdog must end its trial."""
        self._world.status()
        self._say(steps.updates.bad_release_reverts(self._world))

    def the_unit_reports_what_is_withheld(self, kind: str) -> None:
        """Wait until the status page names the kind: release, support record or key set."""
        self._rig.owner.wait_until(
            f"{kind} withheld", lambda status: kind in status["update"]["withheld"], self._update_s
        )

    def nothing_is_withheld_any_more(self) -> None:
        """Wait until the status page names nothing that is withheld."""
        self._rig.owner.wait_until(
            "nothing withheld", lambda status: not status["update"]["withheld"], self._update_s
        )

    def the_unit_reports_the_end_of_support(self) -> None:
        """Wait until the status page shows that support has ended."""
        self._rig.owner.wait_until(
            "the end of support", lambda status: status["support"]["state"] == "ended", self._update_s
        )

    def the_application_of_release_reports(self, number: str) -> None:
        """Wait until the application of this release runs and reports something."""
        self._say(steps.updates.expect_application(self._world, int(number)))

    def it_came_as_a_delta(self, number: str) -> None:
        """Check that the unit built this release from a patch. Skipped without detools, which makes the patch."""
        if self._world.releases.release(int(number)).delta is None:
            from robot.api import SkipExecution

            raise SkipExecution("detools is not installed, so the release was published in full")
        expect(self._world.releases.came_as_delta(), "a release from a delta", "the full payload")

    # -- then: reset ----------------------------------------------------------------------------------
    def it_waits_for_a_new_owner(self) -> None:
        """Check that set-up answers, and that the old session and the old password open nothing."""
        owner = self._rig.owner
        wait_until("set-up", lambda: owner.get("/setup").status == 200 or None, self._update_s)
        expect(owner.get("/status.json").status == 404, "no status page", "a status page")
        expect(not owner.sign_in(), "a refusal of the old password", "a session")

    def the_held_button_reset_it_once(self) -> None:
        """Check that the unit erased its owner's data and started once, although the button is still down."""
        console = self._rig.board.console
        resets = console.count("factory reset: done")
        starts = len(
            re.findall(r"^firstboot \S+ on", console.rpartition("factory reset: done")[2], re.MULTILINE)
        )
        expect((resets, starts) == (1, 1), "one factory reset and one start", f"{resets} and {starts}")

    def set_up_waits_for_a_press_of_the_button(self) -> None:
        """Check that the right code alone does not set the unit up again."""
        reply = self._rig.owner.set_up()
        expect(reply.status == 403, "set-up to wait for the button", reply.status)

    # -- after ----------------------------------------------------------------------------------------
    def end_the_unit(self) -> None:
        """End the unit and its servers. Keeps the console in the report."""
        rig, self._open = self._open, None
        bare, self._bare = self._bare, None
        for world in [rig.world] if rig is not None else [bare] if bare is not None else []:
            machine: Any = getattr(world, "machine", None)
            if machine is not None:
                self._say(str(machine.console.text))
        if rig is not None:
            rig.__exit__(None, None, None)
        if bare is not None:
            bare.__exit__(None, None, None)

    def close(self) -> None:
        """End what is left, and remove the folder of the suite."""
        self.end_the_unit()
        shutil.rmtree(self._work, ignore_errors=True)

    # -- inside ---------------------------------------------------------------------------------------
    @property
    def _rig(self) -> Rig:
        if self._open is None:
            raise StepFailed("a unit", "no unit yet: use the keyword `A Unit In Factory Default` first")
        return self._open

    @property
    def _world(self) -> World:
        if self._bare is not None:
            return self._bare
        return self._rig.world

    def _say(self, text: str) -> None:
        sys.stdout.write(text.rstrip() + "\n")
