"""An application set on whole units, on every available machine: with and without firmware, reverted, damaged.

One life on each machine. On the board MicroPython imports the set from the NVM; the simulator runs the same files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from device.codec import bundle
from device.errors import AppSetError, TrialFailedError
from device.layout import MPS2
from provisioning.release.payload import APP, Payload
from provisioning.release.release import build_release
from simulator.story.runner import wait_until
from simulator.story.world import World

ANSWERS_S = 60
UPDATE_S = 180
MARK = b"of these bytes one will change: "  # 32 bytes, once in the set

START = """\
import asyncio

from app import look


async def run(context):
    context.report("release {} {}".format(NUMBER, look.where(context)))
    while True:
        await asyncio.sleep(60)
"""
LOOK = """\
import hashlib
import sys

import device.agent.agent
from app.hashlib import WHO


def where(context):
    import device.trust.verify

    try:
        import agent
        found = "shadowed"
    except ImportError:
        found = "none"
    ours = device.agent.agent
    real = hasattr(hashlib, "sha256") and hasattr(ours, "run") and hasattr(device.trust.verify, "require_newer")
    return "{} {} {} {} {}".format(real, WHO, found, len(context.read("table.bin")), sys.path[:2])
"""
SHADOWS = {
    f"{name}.py": b"WHO = 'set'\n" for name in ("agent", "asyncio", "device", "hashlib", "ssl", "typing")
}
# A bad application: on the board it never yields, so the watchdog resets the unit; in the simulator it crashes.
BAD = {
    "qemu": b"async def run(context):\n    while True:\n        pass\n",
    "sim": b"async def run(context):\n    raise ValueError\n",
}
WHY = {"qemu": "watchdog", "sim": "application failed"}


class Life:
    """One unit's life; `seen` has the observations of each part, for the tests below."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.seen: dict[str, Any] = {}

    def live(self) -> None:
        world = self.world
        assert world.owner.set_up(world.unit.setup_code, world.password).status == 303
        self.seen["before"] = self.until("the time", lambda found: found["time"])
        self.publish("mqtt", 2, good(2))
        self.seen["together"] = self.until("release 2", runs(2), UPDATE_S)
        self.seen["image before"] = self.image_slots()
        self.publish("coap", 3, good(3))
        self.seen["alone"] = self.until("release 3", runs(3), UPDATE_S)
        self.seen["image after"] = self.image_slots()
        self.publish("mqtt", 4, {"__init__.py": BAD[world.on]})
        self.seen["reverted"] = self.until("the revert", has_event(TrialFailedError.code), UPDATE_S)
        self.publish("mqtt", 3, good(3))
        self.change_a_file()
        self.seen["changed"] = self.until("the report", has_event(AppSetError.code))
        self.seen["mended"] = self.until("release 3 again", runs(3), UPDATE_S)
        self.seen["console"] = world.machine.console.log_path.read_text(errors="replace")

    def publish(self, transport: str, number: int, files: dict[str, bytes]) -> None:
        """Publish release `number`: the image of release 2 with these files."""
        world = self.world
        release = build_release(
            world.images.signed[2].read_bytes(),
            vendor_id=world.product.vendor_id,
            class_id=world.product.class_id,
            sequence_number=number,
            signer=world.keys.ring.signer("author"),
            version="2.0.0",
            mitigates="a weakness",
            interrupts="one restart",
            app=Payload.of(APP, bundle.encode(files)),
        )
        if transport == "mqtt":
            world.servers.publisher.publish_release(release)
        else:
            world.servers.store.put_release(release)

    def image_slots(self) -> list[bytes]:
        """Return both image slots as they are in flash, read from a running unit."""
        data = self.flash_image()
        return [data[at : at + MPS2.slot_bytes] for at in MPS2.slot_offsets]

    def flash_image(self) -> bytes:
        machine = self.world.machine
        found: bytes = machine.flash.image() if self.world.on == "sim" else machine.nvm.path.read_bytes()
        return found

    def change_a_file(self) -> None:
        """Flip one bit of a file of the running set, with the power off."""
        machine = self.world.machine
        machine.cut_power()
        data = self.flash_image()
        places = [at for at in range(MPS2.set_offsets[0], len(data) - 32, 1) if data[at : at + 32] == MARK]
        for at in places:
            if self.world.on == "sim":
                machine.flash.corrupt(at, bytes((MARK[0] ^ 1,)))
            else:
                machine.nvm.write(at, bytes((MARK[0] ^ 1,)))
        assert places
        machine.power_on()

    def until(self, what: str, is_so: Callable[[Any], Any], seconds: float = ANSWERS_S) -> Any:
        def probe() -> Any:
            found = self.world.status()
            return found if is_so(found) else None

        return wait_until(what, probe, seconds, 0.3)


def good(number: int) -> dict[str, bytes]:
    table = MARK + bytes((number,)) * 9000
    start = f"NUMBER = {number}\n{START}".encode()
    return {"__init__.py": start, "look.py": LOOK.encode(), "table.bin": table, **SHADOWS}


def runs(number: int) -> Callable[[Any], bool]:
    def is_so(found: Any) -> bool:
        app = found["application"]
        return bool(app and app["release"] == number and app["says"] and not found["is_trial"])

    return is_so


def has_event(code: int) -> Callable[[Any], bool]:
    return lambda found: code in [event["code"] for event in found["update"]["events"]]


def event(found: Any, code: int) -> str:
    return next(one["text"] for one in found["update"]["events"] if one["code"] == code)


@pytest.fixture(scope="module")
def life(on: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    folder: Path = tmp_path_factory.mktemp(on)
    with World(on, ("mqtt", "coap"), folder / "world", lambda text: None) as world:
        world.build()
        world.provision()
        wait_until("its page", lambda: world.owner.request("GET", "/").status == 200 or None, ANSWERS_S)
        life = Life(world)
        life.live()
        yield life


def test_firmware_and_application_come_to_run_together(life: Life) -> None:
    assert life.seen["before"]["application"] is None
    found = life.seen["together"]
    assert found["version"] == "2.0.0+2" and found["update"]["sequence"] == 2
    assert found["application"]["state"] == "running"


def test_a_set_shadows_nothing_of_the_firmware(life: Life) -> None:
    says = life.seen["together"]["application"]["says"]
    assert says.startswith("release 2 True set none 9032 ")
    if life.world.on == "qemu":
        assert says.endswith("['.frozen', '/set']")


def test_an_application_alone_leaves_both_images_untouched(life: Life) -> None:
    found = life.seen["alone"]
    assert found["version"] == "2.0.0+2" and found["update"]["sequence"] == 3
    assert found["application"]["says"].startswith("release 3 ")
    assert life.seen["image before"] == life.seen["image after"]


def test_an_application_that_hangs_on_trial_is_reverted(life: Life) -> None:
    found = life.seen["reverted"]
    assert event(found, TrialFailedError.code) == f"TrialFailedError reset={WHY[life.world.on]} sequence=4"
    assert found["application"]["release"] == 3 and not found["is_trial"]


def test_a_changed_file_is_reported_and_not_run(life: Life) -> None:
    found = life.seen["changed"]
    assert event(found, AppSetError.code) == "AppSetError file=table.bin reason=changed"


def test_a_changed_set_is_fetched_again(life: Life) -> None:
    assert life.seen["mended"]["application"]["says"].startswith("release 3 ")


def test_the_console_says_which_application_runs(life: Life) -> None:
    for number in (2, 3):
        assert f"application of release {number}" in life.seen["console"]
