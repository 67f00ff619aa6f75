"""The trusted state: key sets that it remembers, and values that other parts of a unit get from it."""

import asyncio

import test_keyset as base
import test_update_contact as contacts
from test_update_keys import END_DAY, NOW_S, Bench, record

from device.errors import FreshnessError
from device.limits import NONCE_LIFE_S, STALE_GRACE_S
from device.records import support
from device.trust import keyset
from device.update import trusted_state
from device.update.withheld import ABOVE_ALL


def with_keys(bench, data=None):
    """Let the source offer a key set, a good one without `data`, and make one check."""
    bench.source.offered_keys = base.signed() if data is None else data
    bench.source.tracker = b"tracker-2"
    return bench.check()


def refreshed(bench):
    """Fetch the offered key set and nothing else; return whether the keys changed."""
    return asyncio.run(bench.trusted.refresh_keys(bench.source, lambda number: None))


def test_a_good_set_is_taken_after_any_refused_one():
    for refused in (b"\x00", b"\xff"):  # before and after the good one in the order of bytes
        bench = Bench()
        with_keys(bench, refused)
        assert bench.store.read("keyset") is None
        assert with_keys(bench) is None
        assert bench.store.read("keyset") == bench.source.offered_keys


def test_a_refused_set_changes_no_keys_at_the_first_check_or_at_the_next():
    bench = Bench()
    bench.source.offered_keys = base.signed((b"root-a",))
    for _ in range(2):
        assert refreshed(bench) is False


def test_neither_a_source_without_a_key_set_nor_the_set_in_force_changes_the_keys():
    bench = Bench()
    assert refreshed(bench) is False
    bench.source.offered_keys = base.signed()
    assert [refreshed(bench), refreshed(bench)] == [True, False]


def test_a_source_without_a_key_set_is_no_error_after_one_was_taken():
    bench = Bench()
    with_keys(bench)
    bench.source.offered_keys = None
    assert bench.check() is None
    assert bench.store.has("keyset")


def test_the_set_in_force_is_not_verified_again():
    bench = Bench()
    with_keys(bench)
    whole, verified = trusted_state.keyset.verify, []
    trusted_state.keyset.verify = lambda *arguments: verified.append(arguments)
    try:
        assert bench.check() is None
    finally:
        trusted_state.keyset.verify = whole
    assert verified == []


def test_before_the_first_contact_there_is_none():
    trusted = Bench().trusted
    assert trusted.last_contact is None and trusted.fresh is None


def test_without_a_support_record_its_number_is_0():
    bench = Bench()
    bench.store.delete("support")
    assert bench.trusted.numbers() == (0, 1)


def test_the_image_learns_which_of_its_keys_are_revoked():
    bench = Bench()
    assert with_keys(bench, base.signed(images=(0,))) is None
    assert bench.trusted.revoked_images() == (0,)
    assert bench.service.releases.image.revoked == (0,)


def test_the_first_trusted_time_opens_the_link_again():
    bench = Bench()
    assert bench.check() is None
    assert bench.source.asked.count("open") == 2  # TLS checks dates now
    assert bench.check() is None
    assert bench.source.asked.count("open") == 3
    assert bench.time.now_s() == NOW_S


def test_a_key_set_without_a_ceiling_gives_up_no_release_and_one_with_a_ceiling_names_it():
    for changes, expected in (
        ({}, [None]),
        ({"ceilings": keyset.Ceilings(41, None)}, [41]),
        ({"ceilings": keyset.Ceilings(0, None)}, [0]),
    ):
        bench, given_up = Bench(), []
        bench.source.offered_keys = base.signed(**changes)
        assert asyncio.run(bench.trusted.refresh_keys(bench.source, given_up.append)) is True
        assert given_up == expected


def test_a_key_set_forgets_what_a_tracker_named():
    bench = Bench()
    assert bench.check() is None
    assert bench.trusted.fresh.time_s == NOW_S
    bench.trusted.withheld.numbers, bench.trusted.withheld.seconds = [9, 9, 9], [60, 60, 60]
    bench.source.offered_keys = base.signed()
    assert refreshed(bench) is True
    assert bench.trusted.withheld.numbers == bench.trusted.withheld.seconds == [0, 0, 0]
    assert bench.trusted.fresh is None


def test_a_key_set_raises_no_end_date_without_a_support_record():
    bench = Bench()
    bench.store.delete("support")
    bench.source.offered_keys = base.signed()
    assert refreshed(bench) is True
    assert bench.progress.value.support_end_day == 0 and bench.events.entries == []


def test_a_key_set_beside_a_damaged_support_record_raises_no_end_date_and_notes_the_damage():
    bench = Bench()
    bench.records.damage("support")
    bench.restart()
    bench.source.offered_keys = base.signed()
    assert refreshed(bench) is True
    assert bench.progress.value.support_end_day == 0
    assert len(bench.events.entries) == 1 and "RecordDamagedError" in bench.events.entries[0]


def test_a_record_of_the_tracker_is_a_contact_and_ends_the_count_of_silence():
    bench = Bench()
    bench.clock.ms += (STALE_GRACE_S + 1) * 1000
    bench.trusted.staleness.tick()
    assert bench.trusted.staleness.charged_s > 0
    assert bench.check() is None
    assert bench.trusted.staleness.charged_s == 0
    assert bench.trusted.last_contact == ("fake", NOW_S)


def test_an_answer_is_as_old_as_the_exchange_lasted():
    for passed_ms, is_taken in ((NONCE_LIFE_S * 1000, True), (NONCE_LIFE_S * 1000 + 1, False)):
        bench = Bench()
        whole = bench.source.freshness

        def slow(request, bench=bench, whole=whole, passed_ms=passed_ms):
            bench.clock.ms += passed_ms
            return whole(request)

        bench.clock.ms = 777
        bench.source.freshness = slow
        error = bench.check()
        assert (error is None) is is_taken
        if not is_taken:
            assert isinstance(error, FreshnessError) and error.fields == {"reason": "nonce expired"}


def test_the_floor_of_the_time_is_stored_when_it_moves_by_a_day():
    bench = Bench()
    assert bench.check() is None
    assert bench.progress.value.time_floor_s == NOW_S
    bench.source.time_s = NOW_S + 60
    assert bench.check() is None
    assert bench.progress.value.time_floor_s == NOW_S and bench.time.now_s() == NOW_S + 60


# what a source sent --------------------------------------------------------------------------------------------


def offered(bench, sequence, end_day=END_DAY, class_id=base.CLASS):
    """Let a source send a support record; return the number that counts as the unit's."""
    content = support.SupportRecord(class_id, end_day, sequence, base.BUILD_S, 30)
    bench.source.offered_support = record(support.encode(content), support.TYP, b"support")
    assert bench.check() is None
    return bench.trusted.numbers()[0]


def test_a_support_record_that_was_sent_counts_even_if_it_was_refused():
    bench = Bench()
    assert bench.trusted.numbers() == (1, 1)
    assert offered(bench, 5) == 5
    assert offered(bench, 9, END_DAY - 1) == 9 and "shortened" in bench.events.entries[-1]
    assert offered(bench, 6) == 6


def test_a_support_record_of_another_class_counts_for_nothing():
    for class_id in (b"\0" * 16, b"\xff" * 16):
        assert offered(Bench(), 9, class_id=class_id) == 1


def test_what_was_sent_under_the_keys_before_counts_for_nothing():
    bench = Bench()
    assert offered(bench, 9, END_DAY - 1) == 9
    bench.source.offered_support = None
    with_keys(bench)
    assert bench.trusted.numbers() == (1, 2)


def test_a_damaged_support_record_is_not_compared():
    bench = Bench()
    bench.records.damage("support")
    bench.restart()
    assert bench.trusted.numbers() == (ABOVE_ALL, 1)


# records that are lost -----------------------------------------------------------------------------------------


def unit():
    """Return a unit with key set 2 and contact 3 from the network."""
    bench = contacts.bench()
    bench.source.offered_contact = contacts.signed(3)
    assert with_keys(bench) is None
    assert bench.store.read_map("floors") == {1: 2, 2: 3}
    return bench


def missing(bench, *names):
    """Delete the records and start again; return the names of the records that the start misses."""
    for name in names:
        bench.store.delete(name)
    bench.restart()
    return [error.fields["name"] for error in bench.trusted.start()]


def test_a_start_with_every_record_misses_none_and_writes_nothing():
    bench = unit()
    bench.records.log = []
    assert missing(bench) == [] and bench.records.log == []


def test_a_lost_record_is_missed_and_lowers_no_number():
    for name in ("keyset", "contact.newest"):
        bench = unit()
        assert missing(bench, name) == [name]
        assert missing(bench) == [name] and bench.store.read_map("floors") == {1: 2, 2: 3}
    bench = unit()
    assert missing(bench, "support") == ["support"]


def test_a_unit_that_never_got_a_contact_misses_none():
    bench = contacts.bench()
    assert bench.check() is None
    assert missing(bench) == []


def test_the_first_contact_of_a_unit_without_one_of_the_factory_is_missed():
    bench = Bench()
    bench.source.offered_contact = contacts.signed(1)
    assert bench.check() is None
    assert bench.store.read_map("floors") == {1: 1, 2: 1}
    assert missing(bench, "contact.newest") == ["contact.newest"]


def test_an_older_contact_than_the_unit_had_is_missed_too():
    bench = unit()
    bench.store.write("contact.newest", contacts.signed(2))
    assert missing(bench) == ["contact.newest"]


def test_numbers_that_a_power_cut_left_low_are_raised_at_the_next_start():
    bench = unit()
    bench.store.write_map("floors", {1: 1, 2: 2})
    assert missing(bench) == [] and bench.store.read_map("floors") == {1: 2, 2: 3}


def test_lost_or_damaged_numbers_are_those_of_the_stored_records():
    bench = unit()
    assert missing(bench, "floors") == [] and bench.store.read_map("floors") == {1: 2, 2: 3}
    bench.records.damage("floors")
    assert missing(bench) == ["floors"] and bench.store.read_map("floors") == {1: 2, 2: 3}


def test_a_contact_whose_key_is_revoked_is_not_missed_and_its_number_is_forgotten():
    bench = unit()
    others = tuple([key for key in base.SECOND if key.role != base.ROLE_SUPPORT])
    with_keys(bench, base.signed(sequence=3, keys=others, revoked=(b"author", b"support")))
    assert bench.store.read_map("floors") == {1: 3, 2: 0}
    assert missing(bench) == []


def test_after_the_newest_contact_was_lost_no_older_one_takes_its_place():
    bench = unit()
    assert missing(bench, "contact.newest") == ["contact.newest"]
    bench.source.offered_keys = None
    bench.source.offered_contact = contacts.signed(2)
    assert bench.check() is None
    assert "have=3 offered=2 reason=sequence" in bench.events.entries[-1]
    assert bench.trusted.newest_contact() is None
    bench.source.offered_contact = contacts.signed(3)
    assert bench.check() is None and bench.trusted.newest_contact().sequence == 3
