"""Image keys in the simulator's boot ROM: both signatures, and revocation with a power cut at every operation."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.errors import ImageFormatError
from device.update.running_image import RunningImage
from device.update.slots import BootState
from provisioning.keys.hss_signer import FORMS, HssSigner
from provisioning.keys.key_ring import KeyRing
from provisioning.release.image import ImageKey, image_key, sign_image
from simulator import boot as boot_rom
from simulator.ports.flash import SimFlash
from simulator.ports.records import device_records
from simulator.powercut.engine import cuts
from tests.dual.memory_flash import SMALL as LAYOUT


class Bench:
    """Images of one body: `images[k]` is signed with key k; key 2 also requires HSS/LMS."""

    def __init__(self, folder: Path) -> None:
        self.ring = KeyRing.generate_development(folder / "keys")
        self.tree = HssSigner.create(folder / "tree", FORMS["H5/W4"], folder / "witness")
        (folder / "body.bin").write_bytes(bytes(range(256)) * 4)
        self.folder = folder
        self.images = [self.sign(0), self.sign(1), self.sign(2, self.tree)]
        paths = self.ring.image_key_paths
        publics = (b"", b"", self.tree.public)
        self.keys: tuple[ImageKey, ...] = tuple(
            image_key(path, public) for path, public in zip(paths, publics, strict=True)
        )

    def sign(self, key: int, tree: HssSigner | None = None) -> bytes:
        out = self.folder / "out.img"
        path = self.ring.image_key_paths[key]
        sign_image(self.folder / "body.bin", path, version="1.0.0", security_counter=0, out=out, hss=tree)
        return out.read_bytes()

    def flash(self, first: bytes, second: bytes | None = None) -> SimFlash:
        """Return a flash with both images confirmed, the second one last."""
        flash = SimFlash(LAYOUT)
        state = BootState(flash, LAYOUT)
        for slot, image in enumerate(one for one in (first, second) if one is not None):
            for at in range(0, len(image), 4096):
                state.rewrite_sector(slot, at, image[at : at + 4096])
            state.confirm(slot)
        device_records(flash, LAYOUT).format()
        return flash


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("keys"))


def verdict(bench: Bench, image: bytes) -> str:
    try:
        boot_rom.verify_slot(BootState(bench.flash(image), LAYOUT), 0, bench.keys)
    except ImageFormatError as error:
        return str(error.fields["reason"])
    return "ok"


def test_the_keys_entry_says_which_signatures_an_image_needs(bench: Bench, tmp_path: Path) -> None:
    stranger = HssSigner.create(tmp_path / "tree", FORMS["H5/W4"], tmp_path / "witness")
    cases = [*bench.images, bench.sign(2), bench.sign(2, stranger), bench.sign(0, bench.tree)]
    assert [verdict(bench, case) for case in cases] == [
        "ok",
        "ok",
        "ok",
        "no hss signature",
        "hss signature",
        "tlv",
    ]


def test_no_change_of_a_byte_of_the_hss_signature_is_accepted(bench: Bench) -> None:
    image = bench.images[2]
    for at in range(len(image) - 2000, len(image), 97):
        damaged = bytearray(image)
        damaged[at] ^= 4
        assert verdict(bench, bytes(damaged)) == "hss signature"


def test_a_revoked_key_does_not_start_and_the_other_slot_does(bench: Bench) -> None:
    flash = bench.flash(bench.images[1], bench.images[0])
    BootState(flash, LAYOUT).revoke_image_key(0, 1, 3)
    said: list[str] = []
    handover = boot_rom.start(flash, LAYOUT, bench.keys, said.append)
    assert handover is not None
    assert (handover.slot, handover.image_key, handover.image_key_count) == (0, 1, 3)
    assert said[0] == "rom: slot 1 refused: revoked key"


class Started:
    """One start, with what RunningImage needs of it."""

    def __init__(self, bench: Bench, flash: SimFlash) -> None:
        handover = boot_rom.start(flash, LAYOUT, bench.keys, lambda _: None)
        assert handover is not None, "bricked: nothing boots"
        self.version, self.slot, self.is_trial = handover.info.version, handover.slot, handover.is_trial
        self.reset_reason = 0
        self.image_key, self.image_key_count = handover.image_key, handover.image_key_count
        self.boot_state = BootState(flash, LAYOUT)
        self.image = RunningImage(self, self.boot_state)


@pytest.mark.parametrize("running", [0, 1, 2])
def test_a_power_cut_at_any_operation_of_a_revocation_leaves_a_unit_that_boots(
    bench: Bench, running: int
) -> None:
    """The roots revoke all keys but the running image's, as many as they can; the other slot has a revoked one."""
    others = tuple(number for number in range(3) if number != running)
    start = bench.flash(bench.images[others[0]], bench.images[running])

    def revoke(flash: SimFlash) -> None:
        Started(bench, flash).image.revoke_keys((0, 1, 2), False)

    count = 0
    for _, flash in cuts(start.snapshot(), LAYOUT, revoke):
        count += 1
        flash.power_on()
        after = Started(bench, flash)
        assert after.image_key == running
        after.image.revoke_keys((0, 1, 2), False)
        assert after.boot_state.revoked_image_keys() == others
    assert count >= 6  # two units, each cut before, inside and after
