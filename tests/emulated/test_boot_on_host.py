"""The ROM's C code compiled for the host: the decision against a model, the image parser under the sanitizers."""

import itertools
import random
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.layout import (
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
from provisioning.release.image import image_info
from renode.nvm import confirmed_unit, trailer_offset
from tests.emulated.boot_on_host import BODY, TREE, build_decision, build_judge, put
from tests.emulated.boot_support import (
    Recipe,
    new_tree,
)

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")

ERASED = b"\xff" * 32
FOUND, SLOT_1, TRIAL, IMAGE_1 = 1, 2, 4, 8


# -- the decision ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def decision(tmp_path_factory):
    return build_decision(tmp_path_factory.mktemp("decision"))


def model(slots, good_slots: int) -> int:
    """Apply the rules of docs/design.md, Boot, in Python. A slot is (staged, tried, confirm sequence or None)."""
    refusals = 0
    trials = [(slot, TRIAL) for slot in (0, 1) if slots[slot][0] and not slots[slot][1]]
    confirmed = sorted((slot for slot in (0, 1) if slots[slot][2] is not None), key=lambda s: -slots[s][2])
    for slot, trial in trials + [(slot, 0) for slot in confirmed]:
        if good_slots >> slot & 1:
            return FOUND | trial | slot * (SLOT_1 | IMAGE_1) | refusals << 8
        refusals += 1
    return refusals << 8


def torn(unit: bytes):
    """Return every state in which a cut can leave a unit: some bytes programmed, the rest erased."""
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


def place(nvm, slot, staged=ERASED, tried=ERASED, confirmed=ERASED) -> None:
    trailer = trailer_offset(slot)
    for offset, unit in ((MARK_STAGED, staged), (MARK_TRIED, tried), (MARK_CONFIRMED, confirmed)):
        put(nvm, trailer + offset, unit)


def test_a_mark_that_a_cut_tore_is_read_on_the_safe_side(decision):
    library, nvm = decision
    for programmed, torn_slot in itertools.product(range(1, 32), (0, 1)):
        staged, tried, confirmed = (
            unit[:programmed].ljust(32, b"\xff") for unit in (UNIT_STAGED, UNIT_TRIED, confirmed_unit(9))
        )
        other = FOUND | (0 if torn_slot else SLOT_1 | IMAGE_1)
        for marks in ((staged, ERASED, ERASED), (UNIT_STAGED, tried, ERASED), (ERASED, ERASED, confirmed)):
            place(nvm, torn_slot, *marks)
            place(nvm, 1 - torn_slot, confirmed=confirmed_unit(1))
            assert library.host_decide(3, 0) == other, (programmed, torn_slot, marks)


def test_the_slot_that_was_confirmed_last_starts_and_the_other_one_in_its_place(decision):
    library, nvm = decision
    only = [FOUND, FOUND | SLOT_1 | IMAGE_1]
    for first, second, chosen in (
        (1, 2, 1),
        (2, 1, 0),
        (2, 2, 0),
        (0, 0xFFFFFFFF, 1),
        (0xFF, 0x100, 1),
        (0x10000, 0xFFFF, 0),
        (0x1000000, 0xFFFFFF, 0),
    ):
        place(nvm, 0, confirmed=confirmed_unit(first))
        place(nvm, 1, confirmed=confirmed_unit(second))
        assert library.host_decide(3, 0) == only[chosen], (first, second)
        assert library.host_decide(1 << (1 - chosen), 0) == only[1 - chosen] | 1 << 8, (first, second)
        assert library.host_decide(0, 0) & FOUND == 0


def test_a_trial_that_is_refused_leaves_the_confirmed_slot(decision):
    library, nvm = decision
    place(nvm, 0, staged=UNIT_STAGED)
    place(nvm, 1, confirmed=confirmed_unit(1))
    assert library.host_decide(2, 0) == FOUND | SLOT_1 | IMAGE_1 | 1 << 8
    assert bytes(nvm[trailer_offset(0) + MARK_TRIED :][:32]) == ERASED
    assert library.host_decide(3, 0) == FOUND | TRIAL
    assert library.host_decide(3, 0) == FOUND | SLOT_1 | IMAGE_1


def test_any_programmed_byte_makes_a_unit_count(decision):
    library, nvm = decision
    places = (
        (MPS2.lock_offsets[0], 1),
        (MPS2.lock_offsets[1] + 4096 - 32, 1),
        (MPS2.counter_offset, 1 << 8),
        (MPS2.counter_offset + 4 * 4096 - 32, 1 << 8),
        (MPS2.revocation_offset, 2),
        (MPS2.revocation_offset + 2 * 32, 8),
        (MPS2.revocation_offset + 3 * 32, 0),  # a key that this boot ROM does not have
        (MPS2.entropy_offset, 0),
    )
    for byte, (offset, expected) in itertools.product(range(32), places):
        put(nvm, 0, b"\xff" * 0x20000)
        put(nvm, offset + byte, b"\xfe")
        assert library.host_facts() == expected, (byte, hex(offset))


# -- the image parser -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    return build_judge(tmp_path_factory.mktemp("image"))


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
        both.but(hss=new_tree(1, 4)),  # a tree of an unknown key
        both.but(left_out=(0x22,)),  # only HSS
        both.but(key=keys[0]),  # not required
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
    # an erased byte after the cut reads 0xFF, so a cut changes the image unless the byte was 0xFF
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
