"""Key sets in the whole update service: accepted before anything that their keys sign, and kept (UP-11)."""

import asyncio

import memory_unit
import test_keyset as base
import test_trust

from device.codec import cose
from device.crypto import backend
from device.errors import FreshnessError, LinkError, SignatureError, StorageError
from device.records import freshness, support
from device.records.store import DEVICE, Store
from device.records.timekeeper import TimeKeeper
from device.suit import report
from device.trust import keyset
from device.update import trial_state
from device.update.journal import Journal
from device.update.releases import Releases
from device.update.service import Hooks, Profile, UpdateService
from device.update.trusted_state import TrustedState

NOW_S = base.BUILD_S + 10 * base.DAY


class Clock(memory_unit.MemoryClock):
    def __init__(self):
        super().__init__()
        self.trusted_s = None

    def set_trusted_time(self, unix_s):
        self.trusted_s = unix_s


class FakeProgress:
    """The progress in memory."""

    def __init__(self):
        self.value = trial_state.NO_PROGRESS

    def save(self, progress):
        self.value = progress


class FakeImage:
    digest = b"i" * 32

    def is_payload(self, digest, size):
        return False

    def revoke_keys(self, numbers, is_trial):
        self.revoked = numbers


class NoApplication:
    running = None


class NothingPending:
    is_trial = False
    is_void = False

    def renew_keys(self, ceiling):
        self.ceiling = ceiling

    def confirm(self):
        pass

    def read(self):
        return None

    def verdict(self, manifest, is_asked):
        return 0


async def pause():
    pass


class FakeEvents:
    def __init__(self):
        self.entries = []

    def add(self, error, now_s):
        self.entries.append(error.describe())


class FakeSource:
    """A server that returns the objects that a test stored; `tracker` is the name of the key that signs time."""

    name = "fake"
    is_down = False

    def __init__(self):
        self.tracker = b"tracker"
        self.time_s = NOW_S
        self.offered_keys = None
        self.offered_support = None
        self.offered_contact = None
        self.reports = []
        self.asked = []

    async def open(self):
        self.asked.append("open")
        if self.is_down:
            raise LinkError(reason="down")

    async def close(self):
        pass

    async def keyset(self):
        self.asked.append("keyset")
        return self.offered_keys

    async def freshness(self, request):
        self.asked.append("freshness")
        asked = freshness.decode_request(request)
        payload = freshness.encode_payload(base.CLASS, asked.nonce, self.time_s, 0, 0)
        return record(payload, freshness.TYP, self.tracker)

    async def support(self):
        self.asked.append("support")
        return self.offered_support

    async def contact(self):
        self.asked.append("contact")
        return self.offered_contact

    async def envelope(self):
        self.asked.append("envelope")

    async def report(self, data):
        self.reports.append(report.decode(data))


def record(payload, typ, name):
    private = base.PRIVATES[name]
    return cose.sign1_encode(
        payload,
        algorithm=-9,
        key_id=name,
        sign=lambda message: backend.p256_sign(private, backend.sha256(message)),
        typ=typ,
        external_aad=typ.encode(),
    )


def support_record(sequence, end_day, name=b"support"):
    content = support.SupportRecord(base.CLASS, end_day, sequence, base.BUILD_S, 30)
    return record(support.encode(content), support.TYP, name)


END_DAY = NOW_S // base.DAY + 500
FACTORY_SUPPORT = support_record(1, END_DAY)  # signed once: a signature is slow on the board
base.key(b"support-2", base.ROLE_SUPPORT)


class Bench:
    """One update service over memory; `restart` builds a new one from the stored records."""

    def __init__(self):
        self.records = memory_unit.MemoryRecords()
        self.store = Store(self.records, DEVICE)
        self.store.write("support", FACTORY_SUPPORT)
        self.progress = FakeProgress()
        self.events = FakeEvents()
        self.source = FakeSource()
        self.restart()

    def restart(self):
        self.clock = Clock()
        anchors = keyset.effective(base.ANCHORS, self.store.read("keyset"), 0)
        floor_s = max(base.BUILD_S, self.progress.value.time_floor_s)
        self.time = TimeKeeper(self.clock, floor_s)
        journal = Journal(self.events, self.time)
        self.trusted = TrustedState(
            self.store, anchors, self.time, memory_unit.CountingEntropy(), self.progress, journal
        )
        self.service = UpdateService(
            Profile(None, "1.0.0+1"),
            Releases(FakeImage(), NoApplication(), NothingPending(), self.progress),
            self.trusted,
            KeepsWaiting(),
            journal,
            Hooks(pause, lambda: True),
        )

    def check(self):
        return asyncio.run(self.service.check(self.source))


def test_the_key_set_comes_before_everything_else():
    bench = Bench()
    assert bench.check() is None
    assert bench.source.asked[:3] == ["open", "keyset", "freshness"]


def test_a_new_tracker_is_trusted_at_once_and_after_a_restart():
    bench = Bench()
    bench.source.offered_keys = base.signed(revoked=(b"tracker", b"author"))
    bench.source.tracker = b"tracker-2"
    assert bench.check() is None
    assert bench.trusted.last_contact == ("fake", NOW_S)
    bench.restart()
    assert bench.check() is None
    assert bench.records.log.count("write keyset") == 1


def test_the_old_tracker_is_worth_nothing_after_the_key_set():
    bench = Bench()
    bench.source.offered_keys = base.signed(revoked=(b"tracker", b"author"))
    error = bench.check()
    assert isinstance(error, SignatureError)
    assert bench.time.now_s() is None


def test_a_refused_key_set_changes_nothing_and_is_reported_once():
    bench = Bench()
    bench.source.offered_keys = base.signed((b"root-a",))
    for _ in range(3):
        assert bench.check() is None
    assert bench.store.read("keyset") is None
    assert len(bench.events.entries) == 1
    assert "need=2" in bench.events.entries[0]


def test_the_key_set_in_force_is_not_an_event():
    bench = Bench()
    bench.source.offered_keys = base.signed(keys=base.FIRST, sequence=1, revoked=())
    assert bench.check() is None
    assert bench.events.entries == []


def test_a_tracker_cannot_move_time_beyond_its_interval():
    bench = Bench()
    last_s = base.INTERVALS[0].last_s
    bench.source.time_s = last_s + 1
    assert isinstance(bench.check(), FreshnessError)
    assert bench.progress.value == trial_state.NO_PROGRESS
    bench.source.time_s = last_s
    assert bench.check() is None
    assert bench.progress.value.time_floor_s == last_s


def test_a_key_set_brings_back_a_unit_whose_time_was_moved():
    bench = Bench()
    bench.source.time_s = base.INTERVALS[0].last_s
    assert bench.check() is None
    bench.source.time_s = NOW_S
    bench.source.tracker = b"tracker-2"
    bench.source.offered_keys = base.signed(time_s=NOW_S - 60, revoked=(b"tracker", b"author"))
    assert bench.check() is None
    assert bench.time.now_s() == NOW_S
    assert bench.progress.value.time_floor_s == NOW_S - 60


def test_a_key_set_never_lowers_the_floor_below_the_build():
    bench = Bench()
    bench.source.time_s = base.BUILD_S + 100
    bench.source.offered_keys = base.signed(time_s=1, revoked=(b"author",))
    bench.source.tracker = b"tracker-2"
    assert bench.check() is None
    assert bench.progress.value.time_floor_s == base.BUILD_S


def test_a_cut_before_the_key_set_is_stored_is_made_good_at_the_next_check():
    bench = Bench()
    bench.source.offered_keys = base.signed(time_s=NOW_S - 60)
    bench.source.tracker = b"tracker-2"

    class Cut(Exception):
        pass

    def cut(name, data):
        raise Cut

    whole, bench.records.write = bench.records.write, cut
    try:
        bench.check()
    except Cut:
        pass
    else:
        raise AssertionError("stored")
    bench.records.write = whole
    bench.restart()
    assert bench.check() is None
    assert bench.store.read("keyset") == bench.source.offered_keys


def test_a_support_record_of_a_revoked_key_does_not_count():
    bench = Bench()
    bench.source.offered_support = support_record(9, END_DAY + 900)
    assert bench.check() is None
    assert bench.store.require("support") == bench.source.offered_support
    others = [one for one in base.SECOND if one.role != base.ROLE_SUPPORT]
    others.append(base.Key(b"support-2", -9, base.ROLE_SUPPORT, public_of(b"support-2")))
    bench.source.offered_keys = base.signed(
        keys=tuple(others), revoked=(b"support",), ceilings=keyset.Ceilings(None, END_DAY)
    )
    bench.source.tracker = b"tracker-2"
    assert bench.check() is None
    assert bench.trusted.support_status().state == support.UNKNOWN
    bench.source.offered_support = support_record(2, END_DAY, b"support-2")
    assert bench.check() is None
    assert bench.trusted.support_status().state == support.SUPPORTED


def public_of(name):
    return backend.p256_public(base.PRIVATES[name])


def test_a_report_names_what_runs_and_what_went_wrong():
    bench = Bench()
    assert bench.check() is None
    good = bench.source.reports[-1]
    assert (good.version, good.failure, good.error_code) == ("1.0.0+1", None, 0)
    assert good.image_digest == b"i" * 32
    bench.source.time_s = 1
    assert isinstance(bench.check(), FreshnessError)
    bad = bench.source.reports[-1]
    assert bad.error_code == FreshnessError.code
    assert bad.failure.reason == report.REASON_OPERATION


def test_a_lost_link_is_not_an_event():
    bench = Bench()

    async def lost():
        raise LinkError(reason="gone")

    bench.source.keyset = lost
    assert isinstance(bench.check(), LinkError)
    assert bench.events.entries == []


def test_the_floor_is_stored_before_the_key_set():
    """After a cut between the two writes the unit accepts the set again; the other order would keep an old floor."""
    bench = Bench()
    bench.source.offered_keys = base.signed(time_s=NOW_S - 60)
    bench.source.tracker = b"tracker-2"
    seen = []

    def save(progress):
        seen.append((progress.time_floor_s, bench.store.has("keyset")))
        bench.progress.value = progress

    bench.progress.save = save
    assert bench.check() is None
    assert seen[0] == (NOW_S - 60, False)


def test_a_floor_that_cannot_be_stored_leaves_the_old_keys_in_force():
    bench = Bench()
    bench.source.offered_keys = base.signed(time_s=NOW_S - 60)

    def fail(_progress):
        raise StorageError(reason="full")

    bench.progress.save = fail
    assert isinstance(bench.check(), StorageError)
    assert not bench.store.has("keyset")
    assert bench.trusted.anchors == base.ANCHORS


class KeepsWaiting:
    """The consent of an owner who has not agreed yet to an offered release."""

    def __init__(self):
        self.offered = []

    def allows(self, manifest):
        self.offered.append(manifest.sequence_number)
        return False

    def begin(self, _=None):
        pass

    is_asked = end = withdraw = begin


def test_a_release_of_a_new_author_is_tried_again_after_the_key_set_that_names_it():
    bench = Bench()
    bench.service.consent = consent = KeepsWaiting()
    pending = bench.service.releases.pending
    pending.is_waiting = pending.is_held = lambda manifest: False
    private = base.PRIVATES[b"author-2"]
    by_author = (lambda digest: test_trust.signature(digest, private, key_id=b"author-2"),)
    release = test_trust.signed(test_trust.content(), by_author)

    async def envelope():
        return release

    bench.source.envelope = envelope
    assert isinstance(bench.check(), SignatureError)
    assert bench.check() is None  # the refusal is remembered, not repeated
    assert consent.offered == []
    bench.source.offered_keys = base.signed()
    bench.source.tracker = b"tracker-2"
    assert bench.check() is None
    assert consent.offered == [7]
