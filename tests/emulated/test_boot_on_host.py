"""The ROM's C code compiled for the host: the decision against a model, the image parser under the sanitizers."""

import ctypes
import itertools
import os
import random
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.codec.image import parse_image
from device.errors import ImageFormatError
from device.layout import (
    IMAGE_BODY_MIN_BYTES,
    IMAGE_PUBLIC_KEY_BYTES,
    IMAGE_SIGNATURE_MAX_BYTES,
    IMAGE_SIGNATURE_MIN_BYTES,
    IMAGE_TLV_AREA_BYTES,
    MARK_CONFIRMED,
    MARK_STAGED,
    MARK_TRIED,
    MPS2,
    UNIT_COUNTED,
    UNIT_LOCKED,
    UNIT_REVOKED,
    UNIT_STAGED,
    UNIT_TRIED,
)
from device.update.slots import BootState
from provisioning.firmware.header import write_headers
from provisioning.release.image import image_info, key_hash
from renode.nvm import confirmed_unit, trailer_offset
from tests.emulated.boot_support import (
    BOARD,
    HERE,
    VECTORS,
    Recipe,
    load_key,
    mbedtls_tree,
    new_key,
    new_tree,
    run,
)

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")

ERASED = b"\xff" * 32
FOUND, SLOT_1, TRIAL, IMAGE_1 = 1, 2, 4, 8
LIBRARY = (
    "asn1parse asn1write bignum bignum_core constant_time ecdsa ecp ecp_curves platform_util sha256".split()
)


# -- the decision ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def decision(tmp_path_factory):
    folder = tmp_path_factory.mktemp("decision")
    write_headers(folder)
    sources = [HERE / "stub" / "host_decision.c", BOARD / "rom" / "boot.c"]
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-I", folder, "-I", BOARD / "rom"]
    run("gcc", *flags, "-o", folder / "decision.so", *sources)
    library = ctypes.CDLL(str(folder / "decision.so"))
    library.host_nvm.restype = ctypes.POINTER(ctypes.c_uint8 * MPS2.size_bytes)
    nvm = library.host_nvm().contents
    ctypes.memset(nvm, 0xFF, MPS2.size_bytes)
    return library, nvm


def put(nvm, offset: int, data: bytes) -> None:
    ctypes.memmove(ctypes.byref(nvm, offset), data, len(data))


def model(slots, good_slots: int) -> int:
    """docs/design.md "Boot", said once more in Python. A slot is (staged, tried, confirm sequence or None)."""
    refusals = 0
    trials = [(slot, TRIAL) for slot in (0, 1) if slots[slot][0] and not slots[slot][1]]
    confirmed = sorted((slot for slot in (0, 1) if slots[slot][2] is not None), key=lambda s: -slots[s][2])
    for slot, trial in trials + [(slot, 0) for slot in confirmed]:
        if good_slots >> slot & 1:
            return FOUND | trial | slot * (SLOT_1 | IMAGE_1) | refusals << 8
        refusals += 1
    return refusals << 8


def torn(unit: bytes):
    """Every way a unit can be left by a cut: some bytes programmed, the rest erased."""
    return st.integers(1, 31).map(lambda count: unit[:count].ljust(32, b"\xff"))


slot_states = st.tuples(
    st.one_of(
        st.just((UNIT_STAGED, True)), st.just((ERASED, False)), torn(UNIT_STAGED).map(lambda u: (u, False))
    ),
    st.one_of(
        st.just((UNIT_TRIED, True)), st.just((ERASED, False)), torn(UNIT_TRIED).map(lambda u: (u, True))
    ),
    st.one_of(
        st.integers(0, 3).map(lambda n: (confirmed_unit(n), n)),
        st.integers(0, 0xFFFFFFFF).map(lambda n: (confirmed_unit(n), n)),
        st.just((ERASED, None)),
        st.integers(0, 0xFFFFFFFF).flatmap(lambda n: torn(confirmed_unit(n))).map(lambda u: (u, None)),
    ),
)


@given(st.tuples(slot_states, slot_states), st.integers(0, 3))
def test_the_decision_is_the_models_for_every_mix_of_whole_and_torn_marks(decision, slots, good_slots):
    library, nvm = decision
    for slot, (staged, tried, confirmed) in enumerate(slots):
        trailer = trailer_offset(slot)
        put(nvm, trailer + MARK_STAGED, staged[0])
        put(nvm, trailer + MARK_TRIED, tried[0])
        put(nvm, trailer + MARK_CONFIRMED, confirmed[0])
    facts = [tuple(mark[1] for mark in slot) for slot in slots]
    chosen = library.host_decide(good_slots, 0)
    expected = model(facts, good_slots)
    assert (chosen & (FOUND | TRIAL), chosen >> 8) == (expected & (FOUND | TRIAL), expected >> 8)
    if chosen & FOUND:
        assert chosen == expected
    if chosen & TRIAL:
        slot = 1 if chosen & SLOT_1 else 0
        assert bytes(nvm[trailer_offset(slot) + MARK_TRIED :][:32]) == UNIT_TRIED


def test_a_trial_whose_tried_mark_cannot_be_written_does_not_start(decision):
    library, nvm = decision
    for slot, staged, confirmed in ((0, ERASED, confirmed_unit(1)), (1, UNIT_STAGED, ERASED)):
        trailer = trailer_offset(slot)
        put(nvm, trailer + MARK_STAGED, staged)
        put(nvm, trailer + MARK_TRIED, ERASED)
        put(nvm, trailer + MARK_CONFIRMED, confirmed)
    assert library.host_decide(3, 1) == FOUND | 1 << 8


@given(
    st.lists(st.integers(0, 4 * 128 - 1), max_size=20, unique=True),
    st.lists(st.integers(0, 2), max_size=3, unique=True),
    st.sampled_from([None, *MPS2.lock_offsets]),
    st.integers(1, 32),
)
def test_every_programmed_unit_counts_whole_or_torn(decision, counted, revoked, lock, programmed):
    library, nvm = decision
    put(nvm, 0, b"\xff" * 0x10000)
    for unit in counted:
        put(nvm, MPS2.counter_offset + unit * MPS2.unit_bytes, UNIT_COUNTED[:programmed])
    for key in revoked:
        put(nvm, MPS2.revocation_offset + key * MPS2.unit_bytes, UNIT_REVOKED[:programmed])
    if lock is not None:
        put(nvm, lock, UNIT_LOCKED[:programmed])
    expected = sum(2 << key for key in revoked) | len(counted) << 8 | (lock is not None)
    assert library.host_facts() == expected


# -- the image parser -----------------------------------------------------------------------------------


TREE = new_tree(1, 4)  # the third key asks for both signatures


def _bytes(data: bytes) -> str:
    return ",".join(map(str, data))


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """A function: slot contents in, verdicts out; the parser runs under address and undefined-behaviour checks."""
    folder = tmp_path_factory.mktemp("image")
    write_headers(folder)
    pems = [new_key(folder / f"{index}.pem") for index in range(3)]
    trees = [b"", b"", TREE.publicKey().serialize()]
    entries = [
        f"{{{{{_bytes(key_hash(pem))}}}, {int(bool(tree))}, {{{_bytes(tree or bytes(1))}}}}}"
        for pem, tree in zip(pems, trees, strict=True)
    ]
    (folder / "image_keys.h").write_text("#define IMAGE_KEYS_INIT " + ", ".join(entries) + "\n")
    mbedtls = mbedtls_tree()
    rom, port = BOARD / "rom", BOARD / "port"
    includes = [
        part for path in (folder, rom, port, BOARD / "include", mbedtls / "include") for part in ("-I", path)
    ]
    library = [mbedtls / "library" / f"{name}.c" for name in LIBRARY]
    checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    flags = ["-g", "-O1", "-w", "-std=gnu11", '-DMBEDTLS_CONFIG_FILE="rom_mbedtls.h"', *checks, *includes]
    own = [HERE / "stub" / "host_image.c", rom / "image.c", rom / "heap.c", port / "hss.c"]
    run("gcc", *flags, "-I", mbedtls / "library", "-o", folder / "image", *own, *library)

    def judge(contents: list[bytes]) -> list[str]:
        fed = b"".join(len(content).to_bytes(4, "little") + content for content in contents)
        environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1"}
        done = subprocess.run(
            [folder / "image"], input=fed, capture_output=True, env=environment, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().splitlines()

    return judge, [load_key(pem) for pem in pems]


BODY = VECTORS + bytes(300)


def test_a_good_image_passes_and_the_units_facts_count(verdicts):
    judge, keys = verdicts
    good = Recipe(body=BODY, key=keys[0], counter=2)
    cases = [good, good.but(counter=1), good.but(key=keys[1])]
    assert judge([case.signed() for case in cases] + [b""]) == [
        "ok",
        "security counter",
        "revoked key",
        "empty",
    ]


def test_the_keys_entry_says_which_signatures_an_image_needs(verdicts):
    judge, keys = verdicts
    both = Recipe(body=BODY, key=keys[2], counter=2, hss=TREE)
    cases = [
        both,
        both.but(hss=None),  # stripped
        both.but(hss=new_tree(1, 4)),  # a stranger's tree
        both.but(left_out=(0x22,)),  # HSS alone
        both.but(key=keys[0]),  # not asked for
        both.but(hss=None, extra=((0xA0, b""),)),
        both.but(hss=None, extra=((0xA0, bytes(2352)),)),
        both.but(extra=((0xA0, bytes(2352)),)),  # twice
    ]
    assert judge([case.signed() for case in cases]) == [
        "ok",
        "no hss signature",
        "hss signature",
        "tlv",
        "tlv",
        "tlv",
        "hss signature",
        "tlv",
    ]


def test_an_hss_signature_of_another_image_does_not_pass(verdicts):
    judge, keys = verdicts
    other = Recipe(body=BODY + b"other", key=keys[2], counter=2, hss=TREE).signed()
    stolen = image_info(other).hss_signature
    image = Recipe(body=BODY, key=keys[2], counter=2, extra=((0xA0, stolen),)).signed()
    assert judge([other, image]) == ["ok", "hss signature"]


@pytest.mark.parametrize("signed_by", [(0, None), (2, TREE)], ids=["P-256", "P-256 and HSS"])
def test_no_change_of_any_single_byte_is_accepted(verdicts, signed_by):
    judge, keys = verdicts
    number, tree = signed_by
    image = Recipe(body=BODY, key=keys[number], counter=2, hss=tree).signed()
    changed = []
    for at in range(len(image)):
        damaged = bytearray(image)
        damaged[at] ^= 1 << at % 8
        changed.append(bytes(damaged))
    assert "ok" not in judge(changed)


def test_no_cut_of_an_image_is_accepted(verdicts):
    judge, keys = verdicts
    image = Recipe(body=BODY, key=keys[0], counter=2).signed()
    # an erased byte behind the cut reads 0xFF, so a cut changes the image unless the byte was 0xFF
    assert "ok" not in judge([image[:cut] for cut in range(len(image) - 8)])


def test_the_sizes_that_meet_the_edges_are_refused_without_a_wrong_access(verdicts):
    judge, keys = verdicts
    edges = [0, 1, 7, 8, 0x1FF000 - 0x204, 0x1FF000 - 0x200, 0x1FF000, 0x200000, 0x7FFFFFFF, 0x80000000]
    edges += [0xFFFFFFFF - step for step in (0, 1, 0x1FF, 0x200, 0x203, 0x204, 0x20F, 0x210)]
    recipe = Recipe(body=BODY, key=keys[0], counter=2)
    contents = [recipe.but(body_bytes=size).signed() for size in edges]
    header = bytearray(recipe.signed())
    for protected, body in itertools.product(
        (0, 3, 4, 11, 13, 0xFFFF), (8, len(BODY), 0x1FF000 - 0xFFFF - 0x204)
    ):
        header[10:12], header[12:16] = protected.to_bytes(2, "little"), body.to_bytes(4, "little")
        contents.append(bytes(header))
    assert set(judge(contents)) <= {"size", "tlv"}


def test_a_value_that_reaches_beyond_its_area_is_refused_whatever_it_says(verdicts):
    judge, keys = verdicts
    image = bytearray(Recipe(body=BODY, key=keys[0], counter=2).signed())
    at = image.rindex(image_info(bytes(image)).signature) - 2
    length = int.from_bytes(image[at : at + 2], "little")
    contents = []
    for beyond in (1, 2, 1000, 0xFFFF - length):
        image[at : at + 2] = (length + beyond).to_bytes(2, "little")
        contents.append(bytes(image))
    assert set(judge(contents)) == {"tlv"}


def test_random_damage_to_the_structure_is_never_accepted_and_never_a_wrong_access(verdicts, is_nightly):
    judge, keys = verdicts
    chance = random.Random(385)
    image = Recipe(body=BODY, key=keys[0], counter=2).signed()
    places = [*range(32), *range(0x200 + len(BODY), len(image))]
    contents = []
    for _ in range(100_000 if is_nightly else 3000):
        damaged = bytearray(image)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.choice(places)] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        if damaged != image:
            contents.append(bytes(damaged))
    assert "ok" not in judge(contents)


# -- unit and ROM refuse the same images ------------------------------------------------------------------

STRUCTURE = {
    "empty",
    "header",
    "load address",
    "size",
    "tlv",
}  # verdicts of the ROM before it hashes anything
SLOT_BYTES = MPS2.slot_bytes - MPS2.sector_bytes


def is_refused_by_the_unit(image: bytes) -> bool:
    """Whether parse_image refuses the image in an otherwise erased slot."""

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
    images = {f"body of {size}": recipe.but(body=VECTORS[:size] + bytes(0)).signed() for size in range(9)}
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
