"""Records one whole update of an emulated unit: from power-on over transfer, restart and trial to the confirmation.

The unit is provisioned and set up before the recording begins, so a replay is short. No page of the unit is read
meanwhile: what it did is in its report to the status tracker.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from device.suit import report
from renode.qemu_recording import RecordedQemuBoard
from renode.recording import Recording
from simulator.story.inputs import Inputs
from simulator.story.runner import CONTACT_S, wait_until
from simulator.story.world import World

UPDATE_S: Final = 240  # on a busy machine; an idle one takes a tenth of it
RELEASE: Final = 2


def record_update(
    directory: Path, transport: str, note: Callable[[str], None], inputs: Inputs | None = None
) -> Recording:
    """Return the recording of an update over `transport` (mqtt or coap); its files are in `directory`.

    Raises StepFailed if the unit did not confirm the release, and WorldError.
    """
    with World("qemu", (transport,), directory, note, inputs=inputs, is_recorded=True) as world:
        world.build()
        note("the station provisions the unit, and its owner sets it up")
        world.provision()
        wait_until("set-up", lambda: _is_set_up(world), CONTACT_S)
        board = world.machine
        assert isinstance(board, RecordedQemuBoard)  # noqa: S101 (is_recorded asked for it)
        board.cut_power()
        board.forget_runs()
        note(f"recording the update to release {RELEASE} over {transport}")
        world.publish(RELEASE, transport)
        board.power_on()
        wait_until("a report of the confirmed release", lambda: _is_reported(world), UPDATE_S)
        board.cut_power()
        return board.recording(f"update to release {RELEASE} over {transport}")


def _is_set_up(world: World) -> bool | None:
    return world.owner.set_up(world.unit.setup_code, world.password).status == 303 or None


def _is_reported(world: World) -> bool | None:
    reports: list[Any] = world.servers.tracker.reports
    return any(report.decode(one.data).sequence == RELEASE for one in reports) or None
