"""One simulated unit: the firmware's own device/ code on CPython, with the same interface as an emulated board.

Real: life cycle, factory port, pages over TLS, MQTT and CoAP over loopback sockets, littlefs records, slots, boot
decision, image signatures. Simulated: the flash, the boot ROM (simulator/boot.py), the chip. The image is a signed
MCUboot image whose body is a short JSON note, because CPython runs the device code itself. A note with the behaviour
"hang" represents firmware that never feeds its watchdog.

`cut_power` stops the flash first, then the event loop; nothing is flushed or closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import threading
import time
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Final

from device.agent.agent import Ports, run_async
from device.layout import (
    IMAGE_HEADER_BYTES,
    MPS2,
    RESET_EXTERNAL,
    RESET_POWER_ON,
    RESET_SOFTWARE,
    RESET_WATCHDOG,
    NvmLayout,
)
from device.ports.host import HostClock, HostEntropy
from device.records.store import DEVICE
from device.update.slots import BootState
from provisioning import fair_time
from simulator import boot as boot_rom
from simulator.apps import load_app
from simulator.ports.air import Air
from simulator.ports.bluetooth import SimBluetooth
from simulator.ports.console import SimConsole, SimIndicator
from simulator.ports.flash import PowerCut, SimFlash
from simulator.ports.keystore import SimKeyStore
from simulator.ports.loopback import LoopbackNetwork
from simulator.ports.radio import SimWifi
from simulator.ports.records import LfsRecords, device_records, user_records
from simulator.ports.serial import SerialPipe, StationEnd
from simulator.tasks import end_tasks

WATCHDOG_S: Final = 0.3  # the board needs two times ten seconds
PBKDF2_ITERATIONS: Final = 10_000  # fixed in the simulator; a board derives it from its clock
_STOP_TIMEOUT_S: Final = 60
_SEEN_S: Final = 10.0  # a unit looks at its button every 50 ms
_LOOK_S: Final = 0.01


class SimulatedMachine:
    """One unit, with the same operations as renode.machine.Machine. Use as a context manager."""

    name = "sim"
    host_address = "127.0.0.1"  # how the unit reaches services of this host

    def __init__(self, directory: Path, key_hashes: boot_rom.ImageKeys, layout: NvmLayout = MPS2) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.flash = SimFlash(layout)
        self.console = SimConsole(directory / "console.log")
        self.indicator = SimIndicator()
        self.is_button_pressed = False
        self._looks = 0  # of the unit at its button
        self.key_store: SimKeyStore | None = None  # for a chip with a key store; set before power-on
        self.hardware_id = secrets.token_bytes(16)
        self._layout = layout
        self._key_hashes = key_hashes
        self._line = SerialPipe()
        self._improv = SerialPipe()  # used by a unit with a radio only
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._is_on = False
        self._is_button_held = False
        self._web_port = 0
        # The port of multicast DNS on loopback; None: the unit announces no name. Set it before power-on. Otherwise
        # units of tests that run beside each other would answer each other.
        self.group_port: int | None = None
        self.air: Air | None = None  # for a unit with a radio; set it before power-on
        self.radio: SimWifi | None = None  # of the running unit
        self.bluetooth: SimBluetooth | None = None  # for a radio with Bluetooth; set it before power-on
        self.failure: BaseException | None = None

    # the machine's interface --------------------------------------------------------------------------------

    def program(self, rom: object, image: Path) -> None:
        """Write `image` to slot 0, confirmed, as a flash programmer would; the rest of NVM is erased."""
        self.flash = SimFlash(self._layout)
        data = image.read_bytes()
        boot = BootState(self.flash, self._layout)
        for at in range(0, len(data), self._layout.sector_bytes):
            boot.rewrite_sector(0, at, data[at : at + self._layout.sector_bytes])
        boot.stage(0)
        boot.mark_tried(0)
        boot.confirm(0)

    @property
    def is_powered(self) -> bool:
        """Return whether the unit runs: not after a power cut, and after an error that ended the unit."""
        return self._is_on

    def power_on(self, *, button_held: bool = False) -> None:
        """Start the unit. A button that is held stays down until it is released. Raises RuntimeError if it runs."""
        if self._is_on:
            raise RuntimeError("the unit is on")
        self.flash.power_on()
        self._is_on, self._is_button_held, self.is_button_pressed = True, button_held, button_held
        self._thread = threading.Thread(target=self._run, name="unit", daemon=True)
        self._thread.start()

    def cut_power(self) -> None:
        """Cut the power at once, whatever the unit is doing."""
        self.flash.cut_now()
        self._is_on = False
        self._end_run()
        if self._thread is not None:
            end_s = fair_time.now() + _STOP_TIMEOUT_S
            while self._thread.is_alive() and fair_time.now() < end_s:
                self._thread.join(fair_time.SLICE_S)
            self._thread = None

    def plan_cut(self, operation: int, when: str) -> None:
        """Let the power of the running unit go at its next flash operation number `operation` (SimFlash.cut_at)."""
        self.flash.cut_at(operation, when)

    def press_button(self, seconds: float = 0.2) -> None:
        """Press the button for `seconds`, and until the unit has seen it. Return when the unit saw the release too."""
        self.is_button_pressed = True
        self._until_seen()
        time.sleep(seconds)
        self.release_button()
        self._until_seen()  # what the unit does about a press is done before it looks again

    def _until_seen(self) -> None:
        """Wait until the unit looks at its button once more; a unit without an identity never does."""
        looks, end_s = self._looks, fair_time.now() + _SEEN_S
        while self._looks == looks and self._is_on and fair_time.now() < end_s:
            time.sleep(_LOOK_S)

    def _look_at_button(self) -> bool:
        self._looks += 1
        return self.is_button_pressed

    def release_button(self) -> None:
        """Release the button, also one that was held at power-on."""
        self.is_button_pressed = False

    def reset(self) -> None:
        """Pull the reset pin."""
        self._end_run()

    def close(self) -> None:
        """Cut the power and close the serial lines."""
        self.cut_power()
        self._line.close()
        self._improv.close()

    def __enter__(self) -> SimulatedMachine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def factory_port(self) -> StationEnd:
        """Return the station's end of the factory line."""
        return self._line.station

    @property
    def improv_line(self) -> StationEnd:
        """Return the client's end of the serial line on which a unit with a radio answers Improv Wi-Fi."""
        return self._improv.station

    @property
    def web_address(self) -> tuple[str, int]:
        """Return host and port of the pages; port 0 before the first start."""
        return "127.0.0.1", self._web_port

    # inside -------------------------------------------------------------------------------------------------

    def _end_run(self) -> None:
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None:
            with contextlib.suppress(RuntimeError):  # the loop may have ended already
                loop.call_soon_threadsafe(stop.set)

    def _run(self) -> None:
        reason = RESET_POWER_ON
        try:
            while self._is_on:
                reason = self._start(reason)
        except PowerCut:
            pass
        except BaseException as error:  # kept for a test that checks why the unit stopped
            if self._is_on:
                self.failure = error
                self.console.say(f"the unit ended: {type(error).__name__}: {error}")
        finally:
            self._is_on = False

    def _start(self, reason: int) -> int:
        """Start once through the boot ROM. Returns the reset reason of the next start."""
        handover = boot_rom.start(self.flash, self._layout, self._key_hashes, self.console.say)
        if handover is None or self._note(handover).get("behaviour") == "hang":
            deadline = time.monotonic() + WATCHDOG_S
            while self._is_on and (handover is None or time.monotonic() < deadline):
                time.sleep(0.01)
            return RESET_WATCHDOG
        try:
            asyncio.run(self._main(handover, reason))
        except boot_rom.UnitReset:
            return RESET_SOFTWARE
        return RESET_EXTERNAL

    def _note(self, handover: boot_rom.Handover) -> dict[str, Any]:
        body = BootState(self.flash, self._layout).read(
            handover.slot, IMAGE_HEADER_BYTES, handover.info.body_bytes
        )
        found: dict[str, Any] = json.loads(body.rstrip(b"\0"))
        return found

    async def _main(self, handover: boot_rom.Handover, reason: int) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        agent = asyncio.create_task(run_async(await self._ports(handover, reason)))
        stopped = asyncio.create_task(self._stop.wait())
        watch = asyncio.create_task(self._watch_port())
        try:
            await asyncio.wait({agent, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if agent.done():
                agent.result()
        finally:
            await end_tasks((agent, stopped, watch))
            self._loop = self._stop = None

    async def _watch_port(self) -> None:
        while True:
            self._web_port = self._network.port
            await asyncio.sleep(0.02)

    async def _ports(self, handover: boot_rom.Handover, reason: int) -> Ports:
        clock = HostClock()
        self.radio = None if self.air is None else SimWifi(self.air, clock)
        if self.radio is not None:
            self.radio.bluetooth = self.bluetooth
        self._network = LoopbackNetwork(clock.trusted_time, self._web_port, self.group_port, self.radio)
        return Ports(
            flash=self.flash,
            layout=self._layout,
            boot=boot_rom.BootPort(
                handover, reason, self.hardware_id, self._is_button_held, self._look_at_button
            ),
            clock=clock,
            entropy=HostEntropy(),
            network=self._network,
            factory_stream=await self._line.open_unit(),
            mount=self._mount,
            format=self._format,
            say=self.console.say,
            memory=dict,
            indicator=self.indicator,
            key_store=self.key_store,
            load_app=load_app,
            wifi=self.radio,
            improv=None if self.radio is None else await self._improv.open_unit(),
            board=SimpleNamespace(
                NAME="simulator",
                PBKDF2_ITERATIONS=PBKDF2_ITERATIONS,
                IS_DEVELOPMENT=False,
                HAS_BUTTON=True,
                HOST_NAMES=("localhost",),
            ),
        )

    def _region(self, region: str) -> LfsRecords:
        make = device_records if region == DEVICE else user_records
        return make(self.flash, self._layout)

    def _mount(self, region: str) -> LfsRecords:
        records = self._region(region)
        records.mount()
        return records

    def _format(self, region: str) -> LfsRecords:
        records = self._region(region)
        records.format()
        return records


def release_body(*, hangs: bool = False) -> bytes:
    """Return the body of a simulated release's image."""
    note = {"simulated": True, "behaviour": "hang" if hangs else "normal"}
    return json.dumps(note).encode().ljust(256, b"\0")
