"""The record `progress`, and the floors that images, sets, support record and key set imply without it."""

import test_keyset as base
from test_appset import FILES, IMAGE, Bench, booted
from test_flow import image
from test_update_keys import END_DAY, FACTORY_SUPPORT

from device.codec import bundle
from device.errors import CounterLostError, FlashError, RecordDamagedError
from device.records import counters
from device.trust.keyset import Ceilings
from device.update import progress, trial_state
from device.update.trial_state import Progress

DATA = bundle.encode(FILES)
STORED = Progress(7, 20, 30)
KEYSET_S = base.BUILD_S + base.DAY


def load(bench, boot=None, sets=True):
    return progress.load(bench.store, boot or booted(), bench.boot_state, bench.sets if sets else None)


def version(build):
    """Return a boot whose image has this build number."""
    slot, digest, is_trial, _, reason, key, count = booted()
    return booted().__class__(slot, digest, is_trial, (9, 8, 7, build), reason, key, count)


def test_the_stored_record_counts_alone():
    bench = Bench()
    bench.store.write("progress", trial_state.encode_progress(STORED))
    bench.store.write("support", FACTORY_SUPPORT)
    bench.store._records.log = []
    found = load(bench, version(900))
    assert found.value == STORED and found.begin() == []
    assert bench.store._records.log == []


def test_the_first_start_stores_what_the_image_says():
    bench = Bench()
    found = load(bench, version(5))
    assert found.value == (5, 0, 0) and bench.store.read("progress") is None, "a load writes nothing"
    assert found.begin() == []
    assert trial_state.decode_progress(bench.store.read("progress")) == (5, 0, 0)
    assert load(bench, version(900)).value == (5, 0, 0)


def test_a_record_that_an_owned_unit_lost_or_that_is_damaged_is_reported_once():
    def lose(bench):
        bench.store.write_map("owned", {1: True, counters.COUNTED: True})

    def damage(bench):
        bench.store.write("progress", trial_state.encode_progress(STORED))
        bench.store._records.damage("progress")

    for spoil, kind in ((lose, CounterLostError), (damage, RecordDamagedError)):
        bench = Bench()
        spoil(bench)
        found = load(bench, version(5))
        assert found.value == (5, 0, 0)
        (error,) = found.begin()
        assert type(error) is kind and error.fields == {"name": "progress"}
        assert found.begin() == []
        assert load(bench).value == (5, 0, 0) and load(bench).begin() == []


def test_only_another_value_is_written():
    bench = Bench()
    found = load(bench)
    found.begin()
    bench.store._records.log = []
    found.save(found.value)
    assert bench.store._records.log == []
    for value in (Progress(8, 0, 0), Progress(2, 0, 0)):
        found.save(value)
        found.save(value)
        assert found.value == value == load(bench).value
    assert bench.store._records.log == ["write progress"] * 2


# the number of the confirmed release ------------------------------------------------------------------------------


def number(bench, boot=None, sets=True):
    return load(bench, boot, sets).value.manifest_sequence


def test_on_trial_the_number_is_that_of_the_confirmed_image_in_the_other_slot():
    for slot in (0, 1):
        bench = Bench()
        trial = booted(slot, b"t" * 32, True)
        assert number(bench, trial) == 0, "nothing is confirmed"
        payload = image(9000, 2)
        for at in range(0, len(payload), 4096):
            bench.boot_state.rewrite_sector(1 - slot, at, payload[at : at + 4096])
        assert number(bench, trial) == 0
        bench.boot_state.confirm(1 - slot)
        assert number(bench, trial) == 2
        bench.flash.data[bench.boot_state._offsets[1 - slot]] ^= 1
        assert number(bench, trial) == 0, "no image"


def test_a_set_that_came_by_itself_counts_after_it_is_confirmed():
    for slot in (0, 1):
        bench = Bench()
        bench.put(slot, DATA, 6, IMAGE, True)
        bench.sets.stage(slot)
        assert number(bench) == 1
        bench.sets.confirm(slot)
        assert number(bench) == 6 and number(bench, sets=False) == 1
        assert number(bench, booted(1, b"t" * 32, True)) == 6


def test_a_set_that_came_with_its_image_is_confirmed_with_it():
    bench = Bench()
    bench.put(0, DATA, 6)
    assert number(bench) == 6
    assert number(bench, booted(1, IMAGE, True)) == 0, "both are on trial"
    assert number(bench, booted(1, b"t" * 32, True)) == 6, "another image is on trial"
    for digest in (b"t" * 32, b"a" * 32):  # after and before the set's image in order
        assert number(bench, booted(1, digest)) == 1, "another image is confirmed"


def test_the_highest_number_counts():
    bench = Bench()
    bench.put(0, DATA, 4)
    bench.put(1, DATA, 6, IMAGE, True)
    bench.sets.confirm(1)
    assert number(bench) == 6 and number(bench, version(5)) == 6 and number(bench, version(7)) == 7


def test_sets_that_cannot_be_read_leave_the_number_of_the_image():
    bench = Bench()

    def fail(slot):
        raise FlashError(reason="read back", offset=0)

    bench.sets.binding = fail
    assert number(bench, version(5)) == 5


# the other floors -------------------------------------------------------------------------------------------------


def test_the_support_record_gives_the_end_date_and_a_damaged_one_none():
    bench = Bench()
    bench.store.write("support", FACTORY_SUPPORT)
    assert load(bench).value == (1, END_DAY, 0)
    bench.store._records.damage("support")
    assert load(bench).value == (1, 0, 0)


def test_the_key_set_gives_the_time_and_its_ceilings_and_a_damaged_one_nothing():
    for ceilings, expected in (
        (Ceilings(None, None), (9, END_DAY, KEYSET_S)),
        (Ceilings(4, None), (4, END_DAY, KEYSET_S)),
        (Ceilings(None, 100), (9, 100, KEYSET_S)),
        (Ceilings(10, END_DAY + 1), (9, END_DAY, KEYSET_S)),
    ):
        bench = Bench()
        bench.store.write("support", FACTORY_SUPPORT)
        bench.store.write("keyset", base.signed(ceilings=ceilings))
        assert load(bench, version(9)).value == expected
    bench.store._records.damage("keyset")
    assert load(bench, version(9)).value == (9, END_DAY, 0)
