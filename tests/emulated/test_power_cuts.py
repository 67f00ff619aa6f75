"""Power cuts on the emulated board while it is provisioned, set up and updated: it recovers as the design requires.

The complete sweeps run in the simulator (tests/powercut), one cut for each flash operation. Here the emulator is killed
between the station's phases and at pseudo-random moments, so that the real firmware, its drivers and the boot ROM are
tested too.
"""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device.errors import FirstbootError
from provisioning.registry.registry import Registry
from provisioning.station.station import Station, StationConfig, UnitFailedError
from simulator.story import steps
from simulator.story.runner import wait_until
from simulator.story.world import World

pytestmark = pytest.mark.emulated

CUT_PHASES = ("personalise", "anchors", "oscore", "verify", "lock", "prove")
NEEDED = ("qemu-system-arm", "arm-none-eabi-gcc")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    missing = [tool for tool in NEEDED if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed")
    with World("qemu", ("mqtt",), tmp_path, lambda _: None) as made:
        made.build()
        yield made


def restart(world: World) -> None:
    world.machine.cut_power()
    world.machine.power_on()


def cut_before(world: World, phase: str) -> Callable[[str, object], None]:
    """Return what cuts the power when this phase of the station begins."""

    def progress(name: str, result: object) -> None:
        if name == phase and result is None:
            world.machine.cut_power()

    return progress


def test_a_power_cut_while_provisioning_leaves_a_unit_that_is_provisioned_once(world: World) -> None:
    world.machine.program(world.images.rom, world.images.signed[1])
    registry = Registry.create(world.directory / "registry.sqlite")
    config = StationConfig(
        product=world.product,
        labels_dir=world.directory / "labels",
        oscore_key=world.servers.oscore_key.public,
        development=True,
        timeout_s=5.0,
        attempts=4,
    )
    station = Station(config, registry, world.keys.ring)
    world.machine.power_on()
    for last in CUT_PHASES:
        with pytest.raises((UnitFailedError, FirstbootError)):
            station.provision(world.machine.factory_port(), cut_before(world, last))
        assert len(registry.units()) == 1
        restart(world)
    station.provision(world.machine.factory_port())
    assert [unit.status for unit in registry.units()] == ["passed"]
    registry.close()


def _answers(world: World) -> bool | None:
    return world.owner.request("GET", "/").status < 500 or None


def test_a_power_cut_while_the_password_is_set_leaves_the_code_alive_or_the_password_valid(
    world: World,
) -> None:
    moments = random.Random(5)
    world.provision()
    for _ in range(4):
        wait_until("the pages", lambda: _answers(world), 40)
        timer = threading.Timer(moments.uniform(0.2, 1.6), world.machine.cut_power)
        timer.start()
        try:
            world.owner.set_up(world.unit.setup_code, world.password)
        except OSError:
            pass  # the power was cut before the answer
        timer.join()
        world.machine.power_on()
        wait_until("the pages", lambda: _answers(world), 40)
        if world.owner.request("GET", "/login").status == 200:
            break
        assert world.owner.request("GET", "/setup").status == 200, "neither set-up nor sign-in answers"
    if world.owner.request("GET", "/setup").status == 200:
        steps.setup.setup(world)
    wait_until("sign-in", lambda: world.owner.sign_in(world.password) or None, 60, 1)
    assert world.owner.set_up(world.unit.setup_code, "another long password 42").status == 404


def test_a_power_cut_while_a_slot_is_written_or_tried_ends_in_the_new_release_or_the_old_one(
    world: World,
) -> None:
    moments = random.Random(11)
    world.provision()
    wait_until("the pages", lambda: _answers(world), 40)
    steps.setup.setup(world)
    wait_until("sign-in", lambda: world.owner.sign_in(world.password) or None, 60, 1)
    world.status()
    world.publish(2, "mqtt")
    for _ in range(4):
        time.sleep(moments.uniform(0.5, 4.0))
        restart(world)
        status = wait_until("the status page", world.status, 60, 0.5)
        assert status["version"][0] in "12"
    # After each cut the unit ends with its maker's release: 2, or the next one if 2 was given up.
    status = wait_until("a settled release", lambda: _settled(world), 90, 1)
    if status["version"].startswith("1."):
        world.publish(3, "mqtt")
        steps.updates.expect_running(world, "3.0.0", "after the cuts")


def _settled(world: World) -> dict[str, object] | None:
    status = world.status()
    if status["version"].startswith("2.") and not status["is_trial"]:
        return status
    gave_up = [event for event in status["update"]["events"] if event["code"] == 219]
    return status if gave_up else None
