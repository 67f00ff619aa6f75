"""Verdicts on releases: which failures count, how long a verdict is remembered, and what ends it (UP-04)."""

from memory_flash import SMALL
from memory_unit import MemoryRecords
from test_appset import FILES, IMAGE, Bench, booted, release
from test_flow import image

from device.codec import bundle
from device.errors import StorageFullError
from device.layout import RESET_EXTERNAL, RESET_POWER_ON, RESET_SOFTWARE, RESET_WATCHDOG
from device.limits import FAILED_RELEASES, RENEWED_OFFERS
from device.records.store import DEVICE, Store
from device.update import trial_state
from device.update.failures import Failures


def test_a_set_above_the_confirmed_number_does_not_run():
    # The roots lowered the number after a thief's set was confirmed: the previous set runs, then none.
    bench = Bench()
    bench.put(0, bundle.encode(FILES), 3)
    bench.put(1, bundle.encode(FILES), 900_000, IMAGE, True)
    bench.sets.confirm(1)
    bench.confirmed(900_000)
    assert bench.start().application.running.slot == 1
    bench.confirmed(3)
    assert bench.start().application.running.slot == 0
    bench.confirmed(2)
    assert bench.start().application.running is None


def test_a_set_that_only_missed_its_server_is_tried_again_without_end():
    bench = Bench()
    manifest, objects = release(2)
    bench.install(manifest, objects)
    for attempt in range(6):
        found = bench.start()
        assert found.pending.is_trial, attempt
        found.pending.record_outcome(trial_state.NO_SERVER)
        found = bench.start()
        assert found.application.running is None
        assert found.pending.is_retry_wanted and found.pending.is_waiting(manifest)
        assert found.pending.verdict(manifest, False) == 0
        found.pending.retry()
    assert found.pending.read().attempts == 7


def test_a_power_cut_on_trial_says_nothing_about_the_release():
    for reason in (RESET_POWER_ON, RESET_EXTERNAL):
        bench = Bench()
        manifest, objects = release(2)
        bench.install(manifest, objects)
        assert bench.start().pending.is_trial
        found = bench.start(booted(reset_reason=reason))
        assert bench.reverted.fields["reset"] == "power lost on trial"
        assert found.pending.is_retry_wanted and found.pending.verdict(manifest, False) == 0


def test_two_releases_that_fail_in_turn_are_both_remembered():
    bench = Bench()
    first, objects = release(2)
    second, more = release(3, files={"__init__.py": b"other"})
    objects.update(more)
    for manifest in (first, second):
        bench.install(manifest, objects)
        bench.start()
        found = bench.start(booted(reset_reason=RESET_WATCHDOG))
    assert found.pending.verdict(first, True) == trial_state.WATCHDOG
    assert found.pending.verdict(second, True) == trial_state.WATCHDOG


def test_a_newer_release_with_the_same_firmware_and_another_set_is_a_release_of_its_own():
    bench = Bench()
    firmware = image()
    old, objects = release(2, firmware, {"__init__.py": b"old"})
    new, more = release(3, firmware, {"__init__.py": b"new"})
    objects.update(more)
    bench.install(old, objects)
    found = bench.start()
    found.pending.begin(new)
    assert found.pending.read().sequence == 3
    assert not found.pending.is_waiting(old)


def test_a_verdict_about_the_stored_copy_is_lifted_by_the_owner_or_a_renewed_offer():
    bench = Bench()
    manifest, objects = release(2)
    bench.install(manifest, objects)
    bench.flash.data[SMALL.set_offsets[0] + 90] ^= 1
    found = bench.start()
    assert found.pending.verdict(manifest, False) == trial_state.SET_CHANGED
    assert found.pending.verdict(manifest, True) == 0
    renewed = manifest._replace(envelope_digest=b"n" * 32) if hasattr(manifest, "_replace") else None
    if renewed is not None:  # MicroPython's namedtuple has no _replace
        assert found.pending.verdict(renewed, False) == 0


def newer_release_on_trial():
    """A unit that refused release 2, because its trial hung, and that tries release 3: its bench, and its start."""
    bench = Bench()
    bad, objects = release(2)
    good, more = release(3, files={"__init__.py": b"good"})
    objects.update(more)
    bench.install(bad, objects)
    bench.start()
    bench.start(booted(reset_reason=RESET_WATCHDOG))
    bench.install(good, objects)
    found = bench.start()
    return bench, found


def test_a_confirmed_release_ends_the_verdicts_on_older_ones():
    bench, found = newer_release_on_trial()
    assert found.pending.confirm() is None
    assert bench.store.read("failed") is None


def test_a_damaged_pending_record_closes_no_unit():
    bench = Bench()
    bench.store.write("pending", b"damaged")
    found = bench.start()
    assert bench.reverted is None and found.pending.read() is None


def test_a_factory_reset_on_trial_says_nothing_about_the_release():
    bench = Bench()
    manifest, objects = release(2)
    bench.install(manifest, objects)
    bench.start().pending.record_outcome(trial_state.INTERRUPTED)
    found = bench.start(booted(reset_reason=RESET_SOFTWARE))
    assert bench.reverted.fields["reset"] == "factory reset on trial"
    assert found.pending.is_retry_wanted and found.pending.verdict(manifest, False) == 0


def test_envelopes_that_anyone_can_make_lift_a_verdict_only_a_few_times():
    failures = Failures(Store(MemoryRecords(), DEVICE))
    name = b"r" * 32
    envelopes = [bytes([number]) * 32 for number in range(RENEWED_OFFERS + 2)]
    tried = 0
    for _ in range(3):  # a broker offers all of them in turn, again and again
        for envelope in envelopes:
            if not failures.cause(2, name, envelope, False):
                failures.add(2, name, trial_state.REFUSED_BY_ROM, envelope)
                tried += 1
    assert tried == 1 + RENEWED_OFFERS
    assert failures.cause(2, name, envelopes[0], True) == 0, "the owner can always try again"


def stored_verdicts(stored):
    store = Store(MemoryRecords(), DEVICE)
    store.write_map("failed", {1: stored})
    return Failures(store)


def test_verdicts_of_another_form_count_as_none_and_stop_no_unit():
    name = b"r" * 32
    for stored in (
        5,
        [5],
        [[1, 2, 3, 4]],
        [["2", name, 1, b"e" * 32]],
        [[True, name, 1, b"e" * 32]],
        [[2, name, True, b"e" * 32]],
        [[2, name, 1, "e" * 32]],
        [[2, "r" * 32, 1, b"e" * 32]],
        [[2, name, 99, b"e" * 32]],
        [[2, name, len(trial_state.CAUSES), b"e" * 32]],
        [[2, name, 0, b"e" * 32]],
        [[2, name, -1, b"e" * 32]],
        [[2, name, 1]],
        [[2, name, 1, b"e" * 32, 5]],
        {},
    ):
        failures = stored_verdicts(stored)
        assert failures.cause(2, name, b"e" * 32, False) == 0 and failures.newest(1 << 53) == 0, stored
        failures.forget(9)


def test_a_verdict_is_kept_with_every_cause_and_beside_ones_of_another_form():
    name = b"r" * 32
    for cause in range(1, len(trial_state.CAUSES)):
        failures = stored_verdicts([5, [2, name, cause, b"e" * 32], [3, name, 99, b""]])
        assert failures.cause(2, name, b"e" * 32, False) == cause and failures.newest(1 << 53) == 2


def test_each_release_has_its_own_verdict_and_its_own_envelopes():
    store = Store(MemoryRecords(), DEVICE)
    failures = Failures(store)
    names = [bytes([at]) * 32 for at in (1, 2, 3)]
    for at in (0, 1, 2):
        failures.add(2 + at, names[at], 3 + at, bytes([10 + at]) * 32)
    for read in (failures, Failures(store)):  # as remembered, and as read at the next start
        assert [read.cause(2, name, b"", True) for name in names] == [3, 4, 5]
        assert read.cause(2, b"\0" * 32, b"", True) == read.cause(2, b"\xff" * 32, b"", True) == 0
        assert read.newest(1 << 53) == 4
    failures.add(3, names[1], 5, bytes([20]) * 32)
    assert store.read_map("failed") == {
        1: [
            [2, names[0], 3, bytes([10]) * 32],
            [4, names[2], 5, bytes([12]) * 32],
            [3, names[1], 5, bytes([11]) * 32 + bytes([20]) * 32],
        ]
    }


def test_an_envelope_that_failed_twice_is_remembered_once():
    store = Store(MemoryRecords(), DEVICE)
    failures = Failures(store)
    for _ in range(2):
        failures.add(2, b"r" * 32, trial_state.REFUSED_BY_ROM, b"e" * 32)
    assert store.read_map("failed")[1][0][3] == b"e" * 32
    assert failures.cause(2, b"r" * 32, b"e" * 32, False) == trial_state.REFUSED_BY_ROM
    assert failures.cause(2, b"r" * 32, b"n" * 32, False) == 0
    failures.add(2, b"r" * 32, trial_state.REFUSED_BY_ROM, b"n" * 32)
    for tried in (b"e" * 32, b"n" * 32):
        assert failures.cause(2, b"r" * 32, tried, False) == trial_state.REFUSED_BY_ROM
    assert failures.cause(2, b"r" * 32, b"m" * 32, False) == 0


def test_a_confirm_forgets_what_is_not_above_its_number_and_writes_only_then():
    store = Store(MemoryRecords(), DEVICE)
    failures = Failures(store)
    for number in (2, 3, 4):
        failures.add(number, bytes([number]) * 32, trial_state.WATCHDOG, b"")
    writes = len(store._records.log)
    failures.forget(1)
    assert len(store._records.log) == writes
    failures.forget(3)
    assert [entry[0] for entry in store.read_map("failed")[1]] == [4] and failures.newest(1 << 53) == 4
    failures.forget(4)
    assert store.read("failed") is None and failures.newest(1 << 53) == 0


def test_a_record_that_cannot_be_read_is_one_without_verdicts():
    store = Store(MemoryRecords(), DEVICE)
    Failures(store).add(2, b"r" * 32, trial_state.WATCHDOG, b"")
    store._records.damage("failed")
    assert Failures(store).newest(1 << 53) == 0
    Failures(store).add(3, b"s" * 32, trial_state.WATCHDOG, b"")
    assert Failures(store).newest(1 << 53) == 3


def test_the_largest_record_of_verdicts_fits():
    failures = Failures(Store(MemoryRecords(), DEVICE))
    for number in range(40):
        for envelope in range(1 + RENEWED_OFFERS):
            failures.add((1 << 64) - 1, bytes([number]) * 32, 5, bytes([envelope]) * 32)
    assert failures.cause(2, b"\x27" * 32, b"", False) == trial_state.RESTARTED
    oldest = 40 - FAILED_RELEASES
    assert failures.cause(2, bytes([oldest]) * 32, b"", False) == trial_state.RESTARTED
    assert failures.cause(2, bytes([oldest - 1]) * 32, b"", False) == trial_state.TOO_MANY


def rounds(failures, numbers, times=3):
    """Offer failing releases in turn, several times; return how many trials that costs."""
    tried = 0
    for _ in range(times):
        for number in numbers:
            name = bytes([number]) * 32
            if not failures.cause(number, name, b"e" * 32, False):
                failures.add(number, name, trial_state.WATCHDOG, b"e" * 32)
                tried += 1
    return tried


def test_any_number_of_failing_releases_in_turn_costs_one_trial_each():
    for numbers in (
        list(range(2, 42)),
        list(range(41, 1, -1)),
        list(range(2, 42, 2)) + list(range(3, 42, 2)),
    ):
        store = Store(MemoryRecords(), DEVICE)
        assert rounds(Failures(store), numbers) <= len(numbers)
        restarted = Failures(store)
        assert rounds(restarted, numbers) == 0, "the floor is stored"
        assert restarted.cause(42, b"g" * 32, b"", False) == 0, "a newer release is installed"


def test_below_sixteen_failed_releases_only_the_owner_tries_one():
    failures = Failures(Store(MemoryRecords(), DEVICE))
    rounds(failures, range(10, 10 + FAILED_RELEASES))
    assert failures.cause(9, b"g" * 32, b"", False) == 0, (
        "all verdicts are remembered: nothing else is refused"
    )
    rounds(failures, [10 + FAILED_RELEASES])
    for number in (9, 10):
        assert failures.cause(number, b"g" * 32, b"", False) == trial_state.TOO_MANY
        assert failures.cause(number, b"g" * 32, b"", True) == 0
    assert failures.cause(11, b"g" * 32, b"", False) == 0
    assert failures.cause(11, bytes([11]) * 32, b"", True) == trial_state.WATCHDOG
    assert failures.newest(9) == 0 and failures.newest(10) == 10


def test_a_confirm_and_a_new_key_set_end_the_floor():
    for end in (
        lambda failures: failures.forget(10),
        lambda failures: failures.forget(11),
        lambda failures: failures.renew(None),
    ):
        store = Store(MemoryRecords(), DEVICE)
        rounds(Failures(store), range(10, 11 + FAILED_RELEASES))
        failures = Failures(store)
        failures.forget(9)
        assert failures.cause(9, b"g" * 32, b"", False) == trial_state.TOO_MANY
        end(failures)
        for read in (failures, Failures(store)):
            assert read.cause(9, b"g" * 32, b"", False) == 0
            assert read.cause(12, bytes([12]) * 32, b"", False) == trial_state.WATCHDOG
        assert store.read_map("failed").get(2) is None


def test_what_failed_above_the_ceiling_of_the_roots_is_forgotten():
    store = Store(MemoryRecords(), DEVICE)
    rounds(Failures(store), [3, 100, 101])
    Failures(store).renew(100)
    failures = Failures(store)
    assert failures.newest(1 << 53) == 100
    assert [failures.cause(number, bytes([number]) * 32, b"", False) for number in (3, 100, 101)] == [4, 4, 0]
    writes = len(store._records.log)
    failures.renew(100)
    failures.renew(None)
    assert len(store._records.log) == writes


def test_a_release_that_failed_above_the_newest_that_the_tracker_names_hides_no_withheld_one():
    failures = Failures(Store(MemoryRecords(), DEVICE))
    rounds(failures, [3, 200])
    assert [failures.newest(named) for named in (2, 3, 9, 199, 200)] == [0, 3, 3, 3, 200]
    rounds(failures, range(10, 10 + FAILED_RELEASES - 1))
    assert failures.newest(9) == 3, "the floor counts: that release was refused too"


def test_a_floor_of_another_form_is_none():
    name = b"r" * 32
    for floor in ("5", True, b"5", [5], None):
        store = Store(MemoryRecords(), DEVICE)
        store.write_map("failed", {1: [[2, name, 4, b"e" * 32]], 2: floor})
        failures = Failures(store)
        assert failures.cause(1, b"g" * 32, b"", False) == 0 and failures.newest(9) == 2


class FullOf(MemoryRecords):
    """Records of which one, `name`, cannot be changed."""

    def __init__(self, name, records):
        super().__init__()
        self.content = records.content
        self._name = name

    def write(self, name, data):
        self._refuse(name)
        super().write(name, data)

    def delete(self, name):
        self._refuse(name)
        super().delete(name)

    def _refuse(self, name):
        if name == self._name:
            raise StorageFullError


def test_a_write_that_fails_after_the_confirm_mark_closes_no_unit_and_is_made_good():
    for name in ("progress", "appset", "failed", "pending"):
        bench, found = newer_release_on_trial()
        records, bench.store._records = bench.store._records, FullOf(name, bench.store._records)
        error = found.pending.confirm()
        assert isinstance(error, StorageFullError) and not found.pending.is_trial, name
        started = bench.start()
        assert isinstance(bench.reverted, StorageFullError) and started.application.running is not None, name
        bench.store._records = records
        assert bench.start().progress.value.manifest_sequence == 3, name
        assert bench.reverted is None and bench.store.read("pending") is None, name
