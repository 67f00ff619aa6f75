"""Unit (Python) and boot ROM (C) refuse the same images and read the same lock."""

import itertools
import random
import shutil

import pytest

from device.codec.image import parse_image
from device.errors import ImageFormatError
from device.layout import (
    IMAGE_BODY_MIN_BYTES,
    IMAGE_PUBLIC_KEY_BYTES,
    IMAGE_SIGNATURE_MAX_BYTES,
    IMAGE_SIGNATURE_MIN_BYTES,
    IMAGE_TLV_AREA_BYTES,
    MPS2,
)
from device.update.slots import BootState
from provisioning.release.image import image_info
from tests.emulated.boot_on_host import BODY, TREE, build_decision, build_judge, put
from tests.emulated.boot_support import VECTORS, Recipe, new_tree

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


@pytest.fixture(scope="module")
def decision(tmp_path_factory):
    return build_decision(tmp_path_factory.mktemp("decision"))


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    return build_judge(tmp_path_factory.mktemp("image"))


STRUCTURE = {
    "empty",
    "header",
    "load address",
    "size",
    "tlv",
}  # verdicts of the ROM before it hashes anything
SLOT_BYTES = MPS2.slot_bytes - MPS2.sector_bytes


def is_refused_by_the_unit(image: bytes) -> bool:
    """Return whether parse_image refuses the image in an otherwise erased slot."""

    def read(offset: int, length: int) -> bytes:
        assert 0 <= offset and offset + length <= SLOT_BYTES, "read outside the slot"
        return image[offset : offset + length].ljust(length, b"\xff")

    try:
        parse_image(read, SLOT_BYTES)
    except ImageFormatError:
        return True
    return False


def with_value(recipe, kind: int, value: bytes) -> bytes:
    return recipe.but(left_out=(kind,), extra=((kind, value),)).signed()


def images_at_the_limits(key) -> dict[str, bytes]:
    recipe = Recipe(body=BODY, key=key, counter=2)
    images = {f"body of {size}": recipe.but(body=VECTORS[:size]).signed() for size in range(9)}
    images |= {
        f"body {size} by its header": recipe.but(body_bytes=size).signed()
        for size in (0, 1, 7, 8, SLOT_BYTES)
    }
    for kind, edges in (
        (0x02, (0, 1, IMAGE_PUBLIC_KEY_BYTES)),
        (0x10, (0, 32)),
        (0x22, (0, IMAGE_SIGNATURE_MIN_BYTES, IMAGE_SIGNATURE_MAX_BYTES)),
    ):
        for size in {max(0, edge + step) for edge in edges for step in (-1, 0, 1)}:
            images[f"TLV {kind:#x} of {size}"] = with_value(recipe, kind, bytes(size))
    rest = len(recipe.signed()) - image_info(recipe.signed()).body_bytes - 0x200 - 12 + 4
    for size in (0, 1, 2352, 4096, IMAGE_TLV_AREA_BYTES - rest - 8, IMAGE_TLV_AREA_BYTES, 0xF000):
        images[f"HSS of {size}"] = recipe.but(extra=((0xA0, bytes(size)),)).signed()
    for entries in ((), ((0x50, bytes(3)),), ((0x50, bytes(5)),), ((0x50, bytes(4)), (0xA1, b"x"))):
        images[f"protected {entries}"] = recipe.but(protected=entries).signed()
    for level, width in itertools.product((1, 2), (4, 8)):
        images[f"{level} levels, W{width}"] = recipe.but(key=key, hss=new_tree(level, width)).signed()
    return images


def test_unit_and_rom_agree_about_every_image_at_the_limits(verdicts):
    judge, keys = verdicts
    images = images_at_the_limits(keys[2])
    rom = dict(zip(images, judge(list(images.values())), strict=True))
    unit = {name: is_refused_by_the_unit(image) for name, image in images.items()}
    assert {name: verdict in STRUCTURE for name, verdict in rom.items()} == unit
    assert not unit["2 levels, W4"] and not unit[f"body of {IMAGE_BODY_MIN_BYTES}"]
    assert unit[f"body of {IMAGE_BODY_MIN_BYTES - 1}"] and unit["TLV 0x2 of 90"]


def test_unit_and_rom_agree_about_random_damage_to_the_structure(verdicts, is_nightly):
    judge, keys = verdicts
    chance = random.Random(386)
    good = Recipe(body=BODY, key=keys[2], counter=2, hss=TREE).signed()
    places = [*range(32), *range(0x200 + len(BODY), 0x200 + len(BODY) + 0x100)]
    images = []
    for _ in range(50_000 if is_nightly else 2000):
        damaged = bytearray(good)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.choice(places)] = chance.choice((0, 1, 4, 0x7F, 0xFF, chance.randrange(256)))
        images.append(bytes(damaged))
    rom = [verdict in STRUCTURE for verdict in judge(images)]
    assert rom == [is_refused_by_the_unit(image) for image in images]
    assert 0 < sum(rom) < len(rom)


@pytest.mark.parametrize("copy", [0, 1])
@pytest.mark.parametrize("at", [0, 31, 32, 2048, MPS2.sector_bytes - 1])
def test_unit_and_rom_read_the_lock_in_the_same_bytes(decision, copy, at):
    library, nvm = decision
    offset = MPS2.lock_offsets[copy] + at

    class Flash:
        def read(self, start: int, length: int) -> bytes:
            return bytes(nvm[start : start + length])

    assert not library.host_facts() & 1 and not BootState(Flash(), MPS2).is_locked()
    put(nvm, offset, b"\x7f")
    try:
        assert library.host_facts() & 1 and BootState(Flash(), MPS2).is_locked()
    finally:
        put(nvm, offset, b"\xff")
