"""An emulated unit of a campaign, its servers, and the NVM images that its flows begin with."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

from device.layout import MARK_STAGED, MARK_TRIED, MPS2, UNIT_STAGED, UNIT_TRIED, NvmLayout
from device.limits import CHUNK_BYTES
from device.records.store import DEVICE, Store
from device.update import trial_state
from firstboot.locations import source_root
from provisioning.firmware.build import build, build_rom
from provisioning.firmware.emulated import DEFAULT, EmulatedBoard
from provisioning.keys.key_ring import KeyRing
from provisioning.release.image import key_hash, sign_image
from provisioning.servers.report_share import UNBOUNDED, ReportShare
from provisioning.servers.tracker import MQTT, Newest, Tracker
from renode.nvm import trailer_offset
from renode.qemu import QemuBoard
from simulator.ports.flash import SimFlash
from simulator.ports.records import device_records
from simulator.story.images import Images
from simulator.story.inputs import Inputs
from simulator.story.product import CHECK_INTERVAL_S
from simulator.story.runner import wait_until
from simulator.story.world import World

T = TypeVar("T")
COUNTERS: Final = {
    1: 1,
    2: 2,
}  # release 2 fixes a vulnerability: once it is confirmed, release 1 never starts again
NEW_RELEASE: Final = 2
LEFT_CHUNKS: Final = 2  # of the payload; the slot contains the others, so that the flow takes seconds
SETTLE_S: Final = 1.5 * CHECK_INTERVAL_S["qemu"]
PATIENCE_S: Final = 60.0  # for a page; on an idle machine the board answers within one second
FACTORY, OWNED, BARE, UPDATING, TRIED = "factory", "owned", "bare", "updating", "tried"


def cut_images(ring: KeyRing, directory: Path, note: Callable[[str], None], board: EmulatedBoard) -> Images:
    """Build both releases as firmware that can cut its power, and the boot ROM."""
    hashes = tuple(key_hash(path) for path in ring.image_key_paths)
    rom = build_rom([digest.hex() for digest in hashes], root=source_root(), progress=note, board=board.name)
    firmware = build("cut", root=source_root(), progress=note, board=board.name)
    signed = {
        number: sign_image(
            firmware.image,
            ring.image_key_paths[0],
            version=f"{number}.0.0+{number}",
            security_counter=counter,
            out=directory / f"release-{number}.img",
        )
        for number, counter in COUNTERS.items()
    }
    return Images(rom.elf, signed, hashes, f"firmware {firmware.sha256[:16]}…")


class CutWorld(World):
    """The story's World with firmware of the variant `cut`."""

    machine: QemuBoard

    def make_images(self, directory: Path) -> Images:
        """As World.make_images."""
        return cut_images(self.keys.ring, directory, self.note, self.inputs.board)

    def make_tracker(self, class_id: bytes) -> Tracker:
        """As World.make_tracker."""
        return _NotingTracker(
            self.keys.ring.signer("tracker"),
            {class_id: Newest()},
            now=self.clock.now,
            share=ReportShare(burst=UNBOUNDED),
        )


class _NotingTracker(Tracker):
    """Keeps every request, so that a repeated nonce is found."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.requests: list[bytes] = []

    def answer(self, request: bytes, source: str = MQTT) -> bytes:
        """As Tracker.answer."""
        self.requests.append(request)
        return super().answer(request, source)


class BoardBench:
    """Implements checks.Maker. Use as a context manager; `prepare()` first."""

    counters = COUNTERS

    def __init__(
        self,
        directory: Path,
        note: Callable[[str], None] = lambda text: None,
        board: EmulatedBoard = DEFAULT,
    ) -> None:
        self.world = CutWorld("qemu", ("mqtt", "coap"), directory, note, inputs=Inputs(board=board))
        self.directory = directory
        self.tried: set[bytes] = set()  # digests of the access state of units that were tried (cases.py)
        self._keys_published = 0
        self._on_mqtt = self._on_coap = 1

    def __enter__(self) -> BoardBench:
        self.world.__enter__()
        return self

    def __exit__(self, *about: Any) -> None:
        self.world.__exit__(*about)

    # the maker's knowledge ------------------------------------------------------------------------------------
    @cached_property
    def images(self) -> dict[int, bytes]:
        """Signed images by release number."""
        return {number: path.read_bytes() for number, path in self.world.images.signed.items()}

    @property
    def key_hashes(self) -> tuple[bytes, ...]:
        """The SHA-256 of each image key that the boot ROM accepts."""
        return self.world.images.key_hashes

    def fresh_user_region(self, layout: NvmLayout) -> bytes:
        """Return the user region as the board itself formatted it in the factory."""
        return self.flash_of(FACTORY).read(layout.user_offset, layout.user_bytes)

    @property
    def requests(self) -> list[bytes]:
        """The number of freshness requests so far."""
        found: list[bytes] = self.world.servers.tracker.requests  # type: ignore[attr-defined]
        return found

    # NVM images ----------------------------------------------------------------------------------------------
    def prepare(self) -> None:
        """Keep the NVM images that flows begin with: bare, factory, owned, updating, tried."""
        world = self.world
        world.build()
        if world.images.rom is None:
            raise ValueError("an emulated board without a boot ROM")
        world.machine.program(world.images.rom, world.images.signed[1])
        self._keep(BARE)
        world.provision()
        self.wait_for_pages()
        world.machine.cut_power()
        self._keep(FACTORY)
        world.publish(1, "mqtt")
        world.publish(1, "coap")
        world.machine.power_on()
        self.wait_for_pages()
        world.owner.set_up(world.unit.setup_code, world.password)
        world.owner.sign_in(world.password)
        self.until("trusted time", lambda: world.status()["time"] or None)
        self.until("a settled unit", lambda: self._is_settled() or None)
        world.machine.cut_power()
        self._keep(OWNED)
        self._put_update()
        self._put_failed_trial()

    def _is_settled(self) -> bool:
        """Return whether the unit wrote nothing during more than one check interval."""
        before = self.operations
        time.sleep(SETTLE_S)
        return self.operations == before

    def _put_update(self) -> None:
        """Build the image of a unit that is about to fetch the last chunks of release 2."""
        image = self.images[NEW_RELEASE]
        kept = (len(image) // CHUNK_BYTES - LEFT_CHUNKS + 1) * CHUNK_BYTES
        flash = self.flash_of(OWNED)
        flash.corrupt(MPS2.slot_offsets[1], image[:kept])
        self._path(UPDATING).write_bytes(flash.image())

    def _put_failed_trial(self) -> None:
        """Build the image of a unit that tried release 2 and did not confirm it."""
        flash = self.flash_of(OWNED)
        image = self.images[NEW_RELEASE]
        flash.corrupt(MPS2.slot_offsets[1], image)
        flash.corrupt(trailer_offset(1) + MARK_STAGED, UNIT_STAGED)
        flash.corrupt(trailer_offset(1) + MARK_TRIED, UNIT_TRIED)
        records = device_records(flash)
        records.mount()
        digest = self.world.releases.release(NEW_RELEASE).payload_digest
        identity = digest + bytes(len(digest))  # payload, then envelope: a stored copy of any envelope
        pending = trial_state.Pending(NEW_RELEASE, 1, identity, len(image), 1, 0)
        Store(records, DEVICE).write("pending", trial_state.encode_pending(pending))
        self._path(TRIED).write_bytes(flash.image())

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}.bin"

    def _keep(self, name: str) -> None:
        """Keep the NVM of the board, which is off, as image `name`."""
        _copy(self.world.machine.nvm.path, self._path(name))

    def flash_of(self, name: str) -> SimFlash:
        """Return a prepared NVM image."""
        return _flash(self._path(name))

    def put(self, name: str) -> None:
        """Load a prepared NVM image into the board, which is off."""
        _copy(self._path(name), self.world.machine.nvm.path)

    def nvm(self) -> SimFlash:
        """Return the board's NVM as its file contains it now."""
        return _flash(self.world.machine.nvm.path)

    # the unit ------------------------------------------------------------------------------------------------
    def stored(self, name: str) -> bytes | None:
        """Return a record of the unit from the NVM file. The unit may be running."""
        records = device_records(self.nvm())
        records.mount()
        return Store(records, DEVICE).read(name)

    @property
    def operations(self) -> int:
        """The flash operations that the running firmware counted since power-on."""
        return self.world.machine.operation_count()

    def until(self, what: str, probe: Callable[[], T | None]) -> T:
        """Return the first result of `probe` that is not None. Raises StepFailed."""
        return wait_until(what, probe, PATIENCE_S, 0.05)

    def wait_for_pages(self) -> None:
        """Wait until the unit answers. Raises StepFailed."""
        owner = self.world.owner
        self.until("the pages", lambda: owner.request("GET", "/").status < 500 or None)

    # servers -------------------------------------------------------------------------------------------------
    @cached_property
    def key_sets(self) -> tuple[bytes, bytes]:
        """The key set that the station published, and the next one."""
        world = self.world
        changed = world.keys.plan.changed()
        next_one = world.keys.key_set(world.product.class_id, world.clock.now(), changed)
        return world.servers.store.read("keyset"), next_one

    def publish(self, *, keys: int = 0, on_mqtt: int = 1, on_coap: int = 1) -> None:
        """Publish this key set (0 or 1) and these releases, if they are not published."""
        world = self.world
        if keys != self._keys_published:
            world.servers.publish_key_set(self.key_sets[keys])
        if on_mqtt != self._on_mqtt:
            world.publish(on_mqtt, "mqtt")
        if on_coap != self._on_coap:
            world.publish(on_coap, "coap")
        # The unit is older than the one that the server knows, so the server must forget it and challenge it with Echo.
        world.servers.coap.stop()
        world.servers.coap.start()
        self._keys_published, self._on_mqtt, self._on_coap = keys, on_mqtt, on_coap


def _copy(source: Path, target: Path) -> None:
    """Copy an image to a file that only its owner can read, because it contains the unit's secrets."""
    target.touch(mode=0o600)
    shutil.copyfile(source, target)


def _flash(path: Path) -> SimFlash:
    flash = SimFlash(MPS2)
    flash.load_image(path.read_bytes())
    return flash
