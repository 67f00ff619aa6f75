"""Units of a maker that live in virtual time: a station provisioned their flash, then the firmware's own code runs.

The unit is the machine of the power-cut campaign. Its broker serves the maker's release, and the maker's tracker
answers it and keeps its reports.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, TypeVar, cast

from device.layout import MPS2
from device.records import identity, store
from provisioning.keys.key_ring import KeyRing
from provisioning.product.product import load_product
from provisioning.release.image import key_hash
from provisioning.release.release import Release
from provisioning.servers.report_log import ReportLog
from provisioning.servers.report_share import UNBOUNDED, ReportShare
from provisioning.servers.tracker import Newest, Tracker
from provisioning.station.labels import read_label
from simulator.ports.flash import SimFlash
from simulator.ports.peers import Content
from simulator.ports.records import device_records
from simulator.powercut.machine import Machine
from simulator.powercut.owner_scripts import answers, sign_in
from simulator.powercut.world import World

T = TypeVar("T")
PASSWORD: Final = "seven copper lanterns under Tay bridge"
_CHECK_S: Final = 3600.0  # longer than the unit waits for its first check


class FieldUnit:
    """A unit that left the factory, with its label. `folder`: that of the maker."""

    def __init__(self, folder: Path, flash: SimFlash) -> None:
        self._folder = folder
        self._flash = flash
        flash.power_on()
        records = device_records(flash, MPS2)
        records.mount()
        self.identity = identity.decode(store.unwrap("identity", records.read("identity") or b"")[1])
        self._code = read_label(folder / "labels" / f"{self.identity.serial}.png").code

    def set_up(self) -> None:
        """Set the unit up as its owner, with the code on the label."""

        async def script(machine: Machine) -> None:
            async def page() -> bool | None:
                return await answers(machine, "/setup") or None

            await machine.until("the set-up page", page)
            answer = await machine.request("POST", "/setup", {"code": self._code, "password": PASSWORD})
            assert answer.status == 200, answer
            assert await sign_in(machine, PASSWORD)

        self._live(script, {})

    def update(self, folder: Path) -> str:
        """Leave the unit on until it has confirmed the release in `folder`. Return the version that its owner reads."""
        release = Release.load(folder)
        content = Content(load_product(self._folder / "product.toml").class_id, lambda request: None)
        content.put_release(release)

        async def script(machine: Machine) -> str:
            async def confirmed() -> str | None:
                session = await sign_in(machine, PASSWORD)
                found = (await machine.request("GET", "/status.json", session=session)).json()
                version = str(found["version"])
                is_new = version.startswith(f"{release.sequence_number}.")
                return version if is_new and not found["is_trial"] else None

            return await machine.until("the release", confirmed, _CHECK_S, 30.0)

        return self._live(script, content.published)

    def _live(self, script: Callable[[Machine], Awaitable[T]], published: dict[str, bytes]) -> T:
        ring = KeyRing(self._folder / "maker" / "keys")
        product = load_product(self._folder / "product.toml")
        bench: Any = SimpleNamespace(
            folder=self._folder / "units",
            key_hashes=tuple(key_hash(path) for path in ring.image_key_paths),
            product=product,
            ring=ring,
            now_s=int(time.time()),
        )
        world = World(bench, published=published, has_coap=False)
        self._flash.power_on()
        machine = Machine(self._flash, world)
        machine._layout = MPS2
        try:
            return machine.live(script)
        finally:
            self._flash.cut_now()
            log = ReportLog(self._folder / "state" / "tracker-reports.jsonl")
            tracker = Tracker(
                ring.signer("tracker"),
                {product.class_id: Newest()},
                log=log,
                share=ReportShare(burst=UNBOUNDED),
            )
            for fact in world.history:
                if fact.what == "report":
                    tracker.take_report(self.identity.device_id.hex(), "mqtt", cast(bytes, fact.value))
