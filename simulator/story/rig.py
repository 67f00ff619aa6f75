"""One unit with its servers and its owner for one test of a maker (docs/how-to/test-your-change.md).

A rig starts on first use and provisions the unit. A test drives it by the objects that its properties return.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from simulator.story.flash_edit import edit_device_records
from simulator.story.inputs import Inputs
from simulator.story.machine import FLASH_FILE
from simulator.story.owner import Owner, Reply
from simulator.story.rig_power import RigPower
from simulator.story.runner import CONTACT_S, StepFailed, wait_until
from simulator.story.running import ANSWERS_S, address_of, label_of, running_unit
from simulator.story.world import World

UPDATE_S: Final = (
    180  # one transfer, two restarts and a confirmation on the emulated board, on a busy machine
)
_ARTEFACTS: Final = {
    "serial log": ("board/console.log",),
    "flash image": ("board/nvm.bin",),
    "emulator's command line": ("board/command-line.txt",),
    "emulator's log": ("board/qemu.log", "board/renode.log"),
    "station's log": ("factory.log",),
    "broker's log": ("servers/broker/mosquitto.log", "servers/broker/amqtt.log", "servers/broker/broker.log"),
    "product definition": ("product.toml",),
    "recording": ("replay.recording",),
    "registry": ("registry.sqlite",),
}


class Rig:
    """A unit in factory default, provisioned with development keys. Use as a context manager."""

    def __init__(self, on: str, directory: Path, inputs: Inputs, *, is_recorded: bool = False) -> None:
        """`is_recorded`: a unit on QEMU can be replayed afterwards; other machines record nothing."""
        self.on = on
        self.directory = directory
        self.recording_path = directory / "replay.recording"
        self._inputs = inputs
        self._is_recorded = is_recorded and on == "qemu"
        self._running: Any = None

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, *about: Any) -> None:
        if self._running is not None:
            self._running.__exit__(*about)

    @cached_property
    def world(self) -> World:
        """The running world. Raises WorldError if it cannot start."""
        running = running_unit(
            self.on, self.directory, self._note, inputs=self._inputs, is_recorded=self._is_recorded
        )
        world = running.__enter__()
        self._running = running
        return world

    def _note(self, text: str) -> None:
        with (self.directory / "progress.log").open("a", encoding="utf-8") as log:
            log.write(text + "\n")

    @cached_property
    def board(self) -> RigBoard:
        """The unit as hardware."""
        return RigBoard(self.world)

    @cached_property
    def owner(self) -> RigOwner:
        """The owner, in front of the unit's pages."""
        return RigOwner(self.world)

    @cached_property
    def clock(self) -> RigClock:
        """The time that the status tracker signs."""
        return RigClock(self.world)

    @cached_property
    def power(self) -> RigPower:
        """The power supply."""
        return RigPower(self.world, self.board.wait_for_page)

    def publish(self, number: int = 2, over: str = "mqtt") -> Published:
        """Publish release `number` (2, 3 or 5; 4 hangs at start) over mqtt or coap."""
        self.world.publish(number, over)
        return Published(self.world, number)

    def artefacts(self) -> dict[str, Path]:
        """Return the files that show what happened, by name.

        Saves the simulator's flash first. A recorded unit is switched off, and its recording is saved.
        """
        if self._running is not None and self.on == "sim":
            self.world.machine.flash.save(self.directory / "board" / FLASH_FILE)
        if self._running is not None and self._is_recorded:
            self._save_recording()
        found = {"folder": self.directory}
        for name, places in _ARTEFACTS.items():
            for path in [self.directory / place for place in places if (self.directory / place).is_file()]:
                found[name] = path
        return found

    def _save_recording(self) -> None:
        from renode.errors import MachineError
        from renode.recording import save

        try:
            self.world.machine.cut_power()
            save(self.world.machine.recording("a failed test"), self.recording_path)
        except (MachineError, OSError) as error:
            self._note(f"the recording cannot be saved: {error}")


class RigBoard:
    """The unit as hardware: its console, its button, its flash, its pages' address."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.machine: Any = world.machine

    @property
    def url(self) -> str:
        """The address of its pages, which ends in a slash."""
        return address_of(self._world)

    @property
    def label(self) -> dict[str, Any]:
        """The content of its label, with the set-up code."""
        return label_of(self._world)

    @property
    def serial_number(self) -> str:
        return self._world.unit.serial

    @property
    def console(self) -> str:
        """The text that it printed since it was programmed."""
        return str(self.machine.console.text)

    @property
    def is_powered(self) -> bool:
        return bool(self.machine.is_powered)

    def press_button(self, seconds: float = 0.2) -> None:
        """Press the button and release it."""
        self.machine.press_button(seconds)

    def release_button(self) -> None:
        """Release the button, also one that was held at power-on."""
        self.machine.release_button()

    def restart(self, *, button_held: bool = False) -> None:
        """Switch the power off and on; return once the first page answers."""
        self.machine.cut_power()
        self.machine.power_on(button_held=button_held)
        self.wait_for_page()

    def wait_for_page(self) -> None:
        """Wait until the unit answers. Raises StepFailed."""
        wait_until(
            "the first page",
            lambda: self._world.owner.request("GET", "/").status == 200 or None,
            ANSWERS_S,
            0.1,
        )

    def edit_records(self, change: Callable[[Any], None]) -> None:
        """Switch the power off and change the records of the device region in the flash, as a fault would.

        `change` receives the mounted records: read(name), write(name, data).
        """
        edit_device_records(self.machine, change)

    def flash_image(self) -> bytes:
        """Switch the power off and return the content of the whole flash."""
        self.machine.cut_power()
        if self._world.on == "sim":
            return bytes(self.machine.flash.image())
        return bytes(self.machine.nvm.path.read_bytes())


class RigOwner:
    """The owner of the unit, who reads its label and uses its pages."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.client: Owner = world.owner

    @property
    def password(self) -> str:
        return self._world.password

    def set_up(self, code: str | None = None, password: str | None = None) -> Reply:
        """Send the set-up form; None is the code on the label and this run's password."""
        return self.client.set_up(code or self._world.unit.setup_code, password or self.password)

    def sign_in(self, password: str | None = None) -> bool:
        """Open a session. Returns whether the unit accepted the password."""
        return self.client.sign_in(password or self.password)

    def get(self, path: str) -> Reply:
        """Return a page."""
        return self.client.request("GET", path)

    def post(self, path: str, form: dict[str, str]) -> Reply:
        """Send a form."""
        return self.client.request("POST", path, form)

    def status(self) -> dict[str, Any]:
        """Return the status page as data, and sign in first if that is necessary."""
        return self._world.status()

    def wait_until(
        self, expected: str, is_true: Callable[[dict[str, Any]], bool], seconds: float = CONTACT_S
    ) -> Any:
        """Return the first status for which `is_true`. `expected` is the text of the failure. Raises StepFailed."""
        return wait_until(
            expected, lambda: ((found := self.status()) and is_true(found) and found) or None, seconds
        )


class Published:
    """A published release."""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self.number = number
        self.release = world.releases.release(number)

    def wait_until_confirmed(self, seconds: float = UPDATE_S) -> dict[str, Any]:
        """Return the status once the unit runs the release and has confirmed it. Raises StepFailed."""
        version = f"{self.number}.0.0"
        return wait_until(f"release {version} to run and be confirmed", self._confirmed, seconds, 0.2)

    def _confirmed(self) -> dict[str, Any] | None:
        if not self._world.machine.is_powered:
            raise StepFailed("the unit to update", "a unit without power; use power.on()")
        found = self._world.status()
        is_it = str(found["version"]).startswith(f"{self.number}.0.0") and not found["is_trial"]
        return found if is_it else None


class RigClock:
    """The time that the unit learns from its status tracker. Seconds are Unix time."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> int:
        return self._world.clock.now()

    def move_to(self, time_s: int) -> None:
        """Let the tracker sign `time_s` now; the time continues from there."""
        self._world.clock.move_to(time_s)

    def move_past_support(self) -> None:
        """Let the tracker sign a time after the support period, with a tracker key that is valid then."""
        self._world.move_time_past_support()
