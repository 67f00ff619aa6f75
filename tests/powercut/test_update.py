"""Power cuts at every flash operation of an update (fetch, stage, trial, confirm): no unit is bricked (UP-04)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from device.errors import FirstbootError
from device.layout import RESET_POWER_ON, RESET_WATCHDOG
from device.records.store import DEVICE, Store
from device.trust.verify import Target, VerifiedManifest
from device.update import flow, releases
from device.update.flow import install
from device.update.slots import BootState
from device.update.trial_state import NO_SERVER, Progress
from provisioning.keys.key_ring import KeyRing
from provisioning.release.image import key_hash, sign_image
from simulator import boot as boot_rom
from simulator.ports.flash import SimFlash
from simulator.ports.records import device_records
from simulator.powercut.engine import cuts
from tests.dual.memory_flash import SMALL as LAYOUT


@dataclass(frozen=True)
class Bench:
    """Two signed releases, their keys, and a flash that runs the first."""

    first: bytes
    second: bytes
    key_hashes: tuple[bytes, ...]

    def manifest(self) -> tuple[VerifiedManifest, bytes]:
        digests = b"".join(hashlib.sha256(chunk).digest() for chunk in self.chunks())
        chunks = Target(hashlib.sha256(digests).digest(), len(digests), "")
        firmware = Target(hashlib.sha256(self.second).digest(), len(self.second), "")
        return VerifiedManifest(2, chunks, firmware, None, bytes(32), None, None, None), digests

    def chunks(self) -> list[bytes]:
        return [self.second[at : at + 4096] for at in range(0, len(self.second), 4096)]

    def new_flash(self) -> SimFlash:
        flash = SimFlash(LAYOUT)
        boot = BootState(flash, LAYOUT)
        for at in range(0, len(self.first), 4096):
            boot.rewrite_sector(0, at, self.first[at : at + 4096])
        boot.stage(0)
        boot.mark_tried(0)
        boot.confirm(0)
        device_records(flash, LAYOUT).format()
        return flash


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("images")
    ring = KeyRing.generate_development(folder / "keys")
    (folder / "body.bin").write_bytes(bytes(range(256)) * 36)
    images = [
        sign_image(
            folder / "body.bin",
            ring.image_key_paths[0],
            version=f"{n}.0.0+{n}",
            security_counter=n,
            out=folder / f"{n}.img",
        )
        for n in (1, 2)
    ]
    first, second = (Path(image).read_bytes() for image in images)
    return Bench(first, second, (key_hash(ring.image_key_paths[0]),))


class Started:
    """One start of the unit: the boot ROM's handover, and the update records."""

    def __init__(self, bench: Bench, flash: SimFlash, reset_reason: int = RESET_POWER_ON) -> None:
        handover = boot_rom.start(flash, LAYOUT, bench.key_hashes, lambda _: None)
        assert handover is not None, "bricked: nothing boots"
        self.version = handover.info.version
        self.slot = handover.slot
        self.is_trial = handover.is_trial
        self.reset_reason = reset_reason
        records = device_records(flash, LAYOUT)
        records.mount()
        self.boot_state = BootState(flash, LAYOUT)
        self.releases = releases.load(self, self.boot_state, Store(records, DEVICE))
        self.pending = self.releases.pending
        self.reverted = self.pending.reconcile()

    @property
    def progress(self) -> Progress:
        found: Progress = self.releases.progress.value
        return found


def fetch(bench: Bench, started: Started) -> None:
    manifest, digests = bench.manifest()
    running = install(manifest, started.boot_state, started.pending.begin(manifest))
    answer = None
    try:
        while True:
            effect = running.send(answer)
            answer = None
            if isinstance(effect, flow.FetchObject):
                answer = digests
            elif isinstance(effect, flow.FetchChunk):
                answer = bench.chunks()[effect.index]
    except StopIteration:
        pass


def update(bench: Bench, flash: SimFlash) -> None:
    """Run the whole update from the present state of the flash: fetch, restart, trial, confirm."""
    started = Started(bench, flash)
    if started.pending.is_retry_wanted:
        started.pending.retry()
        started = Started(bench, flash)
    elif started.version[0] == 1 and started.progress.manifest_sequence < 2:
        fetch(bench, started)
        started = Started(bench, flash)
    started.pending.confirm()


def check_after_cut(bench: Bench, flash: SimFlash) -> str:
    """Return the state of the unit after the power came back; assert that the design allows it."""
    flash.power_on()
    started = Started(bench, flash)
    marks = started.boot_state.marks(started.slot)
    assert started.is_trial or marks.is_confirmed, "an unconfirmed image runs without being on trial"
    assert started.boot_state.security_counter() in (0, 1, 2)
    if started.boot_state.security_counter() == 2:
        assert started.boot_state.marks(1).is_confirmed, "the counter was raised before the confirm"
    return "trial" if started.is_trial else str(started.version[0])


def test_a_power_cut_at_any_flash_operation_of_an_update_leaves_a_unit_that_boots_and_continues(
    bench: Bench,
) -> None:
    seen = set()
    for case, flash in cuts(bench.new_flash().snapshot(), LAYOUT, lambda flash: update(bench, flash)):
        seen.add(check_after_cut(bench, flash))
        for _ in range(3):  # a trial that was cut is reverted once; then the release is tried again
            try:
                flash.power_on()
                update(bench, flash)
            except FirstbootError as error:
                raise AssertionError(f"{case}: {error}") from error
        ended = Started(bench, flash)
        assert ended.version[0] == 2, "a power cut burned a good release"
        assert ended.progress.manifest_sequence == 2
        assert ended.boot_state.security_counter() == 2
    assert {"1", "2"} <= seen


def test_the_trial_that_never_confirms_is_reverted_and_named(bench: Bench) -> None:
    flash = bench.new_flash()
    fetch(bench, Started(bench, flash))
    assert Started(bench, flash).is_trial
    after = Started(bench, flash, RESET_WATCHDOG)
    assert (after.version[0], after.is_trial) == (1, False)
    assert after.reverted is not None
    assert after.reverted.fields["sequence"] == 2
    assert after.reverted.fields["reset"] == "watchdog"
    assert not after.pending.is_retry_wanted


def test_a_release_that_missed_its_server_is_tried_again_each_time(bench: Bench) -> None:
    flash = bench.new_flash()
    fetch(bench, Started(bench, flash))
    for _ in range(5):
        started = Started(bench, flash)
        assert started.is_trial
        started.pending.record_outcome(NO_SERVER)
        reverted = Started(bench, flash)
        assert reverted.version[0] == 1 and reverted.pending.is_retry_wanted
        reverted.pending.retry()
    assert Started(bench, flash).is_trial
