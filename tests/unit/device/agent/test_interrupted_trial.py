"""An owner who resets the device during a trial gives no verdict on the release (UP-04)."""

from __future__ import annotations

from typing import Any

from device.update import trial_state
from simulator.powercut.campaign import Campaign
from simulator.powercut.machine import Machine
from simulator.powercut.owner_scripts import factory_reset, set_up, status


def test_a_good_release_is_installed_after_a_factory_reset_during_its_trial(campaign: Campaign) -> None:
    machine = campaign.machine_after("set-up")
    machine.world.publish(2)
    machine.world.serves_trials = False

    async def reset(machine: Machine) -> None:
        async def on_trial() -> bool | None:
            return (await status(machine))["is_trial"] or None

        await machine.until("the trial", on_trial)
        await factory_reset(machine)
        machine.world.serves_trials = True
        machine.is_button_pressed = True
        await set_up(machine)

        async def confirmed() -> bool | None:
            found: Any = await status(machine)
            return str(found["version"]).startswith("2.") and not found["is_trial"]

        await machine.until("release 2", confirmed, 2000.0, 5.0)

    machine.live(reset)
    assert machine.records().read("failed") is None
    assert trial_state.decode_progress(machine.records().require("progress")).manifest_sequence == 2
