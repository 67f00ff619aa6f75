"""An owner's actions on a whole unit, on every available machine: change of password, reset, button."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from device.layout import MPS2
from device.records import support
from device.suit import report
from provisioning import fair_time
from simulator.story import steps
from simulator.story.runner import wait_until
from simulator.story.world import World

NEW_PASSWORD = "seven green bottles on the wall"
LATER_PASSWORD = "a bicycle leans at the old gate"
ANSWERS_S = 60


class Life:
    """One unit's life; `seen` has the observations of each part, for the tests below."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.seen: dict[str, Any] = {}

    def wait(self, what: str, found: Callable[[], Any], seconds: float = ANSWERS_S) -> Any:
        return wait_until(what, lambda: found() or None, seconds)

    def page(self, path: str) -> Any:
        return self.world.owner.request("GET", path)

    def post(self, path: str, **form: str) -> Any:
        return self.world.owner.request("POST", path, form)

    def user_region(self) -> bytes:
        """Return the user region as it is in flash; the power is off afterwards."""
        machine = self.world.machine
        machine.cut_power()
        image = machine.flash.image() if self.world.on == "sim" else machine.nvm.path.read_bytes()
        return bytes(image[MPS2.user_offset : MPS2.user_offset + MPS2.user_bytes])

    def answers(self, path: str) -> Any:
        return self.wait(f"{path} to answer", lambda: (reply := self.page(path)).status == 200 and reply)

    def set_up(self, password: str) -> int:
        return int(self.world.owner.set_up(self.world.unit.setup_code, password).status)

    def live(self) -> None:
        self.begin()
        self.take_an_update()
        self.change_password()
        self.reset_from_the_page()
        self.reset_with_the_button()
        self.fail_and_reset()

    def begin(self) -> None:
        world, machine = self.world, self.world.machine
        self.seen["fresh"] = self.user_region()
        machine.power_on()
        self.seen["fresh set-up page"] = self.answers("/setup").text
        self.seen["light"] = self.light_changes()
        self.seen["public"] = world.owner.request("GET", "/public.json").json()
        self.seen["statement"] = world.owner.request("GET", "/statement").json()
        assert self.set_up(world.password) == 303
        assert self.wait("sign-in", lambda: world.owner.sign_in(world.password))
        assert self.post("/updates", action="off").status == 303
        assert world.owner.status()["update"]["automatic"] is False

    def take_an_update(self) -> None:
        """Automatic updates are off: release 2 waits, is shown, and is installed by one action."""
        world = self.world
        world.publish(2, "mqtt")
        offered = self.wait("the offer", lambda: world.owner.status()["update"]["offered"])
        self.seen["offered"] = offered
        self.seen["version meanwhile"] = world.owner.status()["version"]
        self.seen["updates page"] = self.page("/updates").text
        assert self.post("/updates", action="install").status == 303

        def installed() -> Any:
            try:
                found = world.owner.status()
            except PermissionError:  # the restart ended the session
                world.owner.sign_in(world.password)
                return None
            return found["version"].startswith("2.") and not found["is_trial"] and found

        self.seen["reported support"] = self.wait("a report", self.reported_support)
        self.seen["after the update"] = self.wait("release 2", installed, 3 * ANSWERS_S)

    def reported_support(self) -> set[int]:
        """Return the support states in the unit's reports so far."""
        found = [report.decode(kept.data) for kept in self.world.servers.tracker.reports]
        return {state for one in found if (state := one.extensions.get(report.SUPPORT_STATE)) is not None}

    def light_changes(self) -> set[bool]:
        machine = self.world.machine
        seen = set()
        end_s = fair_time.now() + ANSWERS_S
        while len(seen) < 2 and fair_time.now() < end_s:
            seen.add(
                machine.indicator.is_on if self.world.on == "sim" else bool(machine.read_word(0x40028000))
            )
            time.sleep(0.05)
        return seen

    def change_password(self) -> None:
        owner, world = self.world.owner, self.world
        session = owner._session
        reply = self.post("/password", current=world.password, password=NEW_PASSWORD, again=NEW_PASSWORD)
        self.seen["change"] = reply.status
        owner._session = session
        self.seen["old session"] = self.page("/status.json").status
        self.seen["old password"] = owner.sign_in(world.password)
        self.seen["new password"] = owner.sign_in(NEW_PASSWORD)

    def reset_from_the_page(self) -> None:
        world, machine = self.world, self.world.machine
        session = world.owner._session
        self.seen["reset without password"] = self.post("/reset", password="wrong", confirm="yes").status
        assert self.post("/reset", password=NEW_PASSWORD, confirm="yes").status == 200
        world.owner._session = session
        self.seen["page after reset"] = self.answers("/setup").text
        self.seen["session after reset"] = self.page("/status.json").status
        self.seen["after page reset"] = self.user_region()
        machine.power_on()
        self.answers("/setup")
        self.seen["set-up without a press"] = self.set_up(LATER_PASSWORD)
        machine.press_button()
        self.seen["set-up after a press"] = self.wait("set-up", lambda: self.set_up(LATER_PASSWORD) == 303)
        self.seen["first password"] = world.owner.sign_in(world.password)
        self.seen["later password"] = world.owner.sign_in(LATER_PASSWORD)

    def reset_with_the_button(self) -> None:
        machine = self.world.machine
        machine.cut_power()
        machine.power_on(button_held=True)
        self.answers("/setup")
        self.seen["after button reset"] = self.user_region()
        machine.power_on()
        self.answers("/setup")
        machine.press_button()
        assert self.wait("set-up", lambda: self.set_up(LATER_PASSWORD) == 303)

    def fail_and_reset(self) -> None:
        machine = self.world.machine
        machine.cut_power()
        if self.world.on == "sim":
            machine.flash.corrupt(MPS2.user_offset, b"\0" * 8192)
        else:
            with machine.nvm.path.open("r+b") as nvm:
                nvm.seek(MPS2.user_offset)
                nvm.write(b"\0" * 8192)
        machine.power_on()
        self.seen["failed"] = machine.console.wait_for(r"failed: [^\n]*\n", ANSWERS_S).group(0)
        machine.cut_power()
        machine.power_on(button_held=True)
        self.answers("/setup")
        self.seen["after failed reset"] = self.user_region()


@pytest.fixture(scope="module")
def life(on: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    directory: Path = tmp_path_factory.mktemp(f"owner-{on}")
    with World(on, ("mqtt",), directory, lambda text: None) as world:
        steps.factory.build(world)
        steps.factory.provision(world)
        lived = Life(world)
        lived.live()
        yield lived


def test_the_light_blinks_while_the_unit_waits_for_its_owner(life: Life) -> None:
    assert life.seen["light"] == {False, True}


def test_up_06_switched_off_a_release_waits_and_the_setting_survives_the_update(life: Life) -> None:
    assert life.seen["version meanwhile"].startswith("1.")
    assert life.seen["after the update"]["update"]["automatic"] is False


def test_up_07_one_action_of_the_owner_installs_what_waits(life: Life) -> None:
    assert life.seen["offered"]["sequence"] == 2
    for told in (life.seen["offered"], life.seen["after the update"]["update"]["news"]):
        assert told["mitigates"] == "a weakness in the pages" and told["interrupts"] == "one restart"
    assert "a weakness in the pages" in life.seen["updates page"]


def test_sp_08_the_unit_reports_its_support_state(life: Life) -> None:
    assert life.seen["reported support"] == {support.STATES.index(support.SUPPORTED)}


def test_pw_12_after_a_change_the_old_password_and_every_session_are_dead(life: Life) -> None:
    assert life.seen["change"] == 303
    assert life.seen["old session"] == 403
    assert life.seen["old password"] is False and life.seen["new password"] is True


def test_a_reset_from_the_page_needs_the_password(life: Life) -> None:
    assert life.seen["reset without password"] == 403


def test_pw_03_a_reset_leaves_the_user_region_of_a_fresh_unit_byte_for_byte(life: Life) -> None:
    assert len(life.seen["fresh"]) == MPS2.user_bytes
    assert life.seen["fresh"].count(0xFF) < MPS2.user_bytes, "the fresh region holds no file system at all"
    for when in ("after page reset", "after button reset", "after failed reset"):
        assert life.seen[when] == life.seen["fresh"], when


def test_pw_03_no_session_and_no_password_outlives_a_reset(life: Life) -> None:
    assert life.seen["session after reset"] == 404  # nothing but set-up exists
    assert life.seen["first password"] is False and life.seen["later password"] is True


def test_pw_18_set_up_after_a_reset_waits_for_the_button(life: Life) -> None:
    assert "Press the button" not in life.seen["fresh set-up page"]
    assert "Press the button" in life.seen["page after reset"]
    assert life.seen["set-up without a press"] == 403
    assert life.seen["set-up after a press"]


def test_a_failed_unit_is_led_out_by_a_reset(life: Life) -> None:
    assert "credential" in life.seen["failed"]


def test_sp_12_the_model_is_readable_and_that_of_statement_and_label(life: Life) -> None:
    model = life.seen["public"]["model"]
    assert model == life.seen["statement"]["product"]["model"]
    assert (
        model == life.world.product.model
    )  # what the station printed (tests/unit/provisioning/station/test_labels.py)
    assert model in life.seen["fresh set-up page"]
