"""Application sets: which one runs with which image, what is never run, and how a release brings one."""

from collections import namedtuple
from hashlib import sha256

from memory_flash import SMALL, MemoryFlash
from memory_unit import MemoryRecords
from test_flow import Component, Manifest, drive, image

from device.codec import bundle
from device.errors import (
    AppSetError,
    BundleError,
    DigestMismatchError,
    FlashError,
    ImageFormatError,
    LimitError,
    TrialFailedError,
    UnsupportedError,
)
from device.records.store import DEVICE, Store
from device.update import flow, trial_state
from device.update.appset import AppSets, Binding, decode_binding, encode_binding
from device.update.slots import BootState
from device.update.trial import Trials

FILES = {"__init__.py": b"async def run(context):\n    pass\n", "data.bin": bytes(5000)}
IMAGE = b"i" * 32
Boot = namedtuple(
    "Boot", ("slot", "image_digest", "is_trial", "version", "reset_reason", "image_key", "image_key_count")
)


def booted(slot=0, image_digest=IMAGE, is_trial=False, reset_reason=1):
    return Boot(slot, image_digest, is_trial, (1, 0, 0, 1), reset_reason, 0, 1)


class Bench:
    """A unit's NVM and records; `trials` is a start of it."""

    def __init__(self):
        self.flash = MemoryFlash()
        self.boot_state = BootState(self.flash, SMALL)
        self.sets = AppSets(self.flash, SMALL)
        self.store = Store(MemoryRecords(), DEVICE)

    def start(self, boot=None):
        trials = Trials(boot or booted(), self.boot_state, self.store, self.sets)
        self.errors = trials.choose_set()
        self.reverted = trials.reconcile()
        return trials

    def put(self, slot, data, sequence=1, image_digest=IMAGE, is_alone=False):
        self.sets.drop(slot)
        for at in range(0, len(data), 4096):
            self.sets.rewrite_sector(slot, at, data[at : at + 4096])
        self.sets.bind(slot, Binding(sequence, image_digest, sha256(data).digest(), len(data), is_alone))

    def install(self, manifest, objects):
        trials = self.start()
        install = flow.install(manifest, self.boot_state, trials.begin(manifest), trials.place())
        return answer(install, objects)


def answer(running, objects):
    """Drive install() with `objects` by digest."""
    reply, plan = None, None
    while True:
        try:
            effect = running.send(reply)
        except StopIteration as done:
            return done.value
        reply = None
        if isinstance(effect, flow.FetchObject):
            reply = objects[effect.digest]
        elif isinstance(effect, flow.PlanPayload):
            plan = effect
        elif isinstance(effect, flow.FetchChunk):
            reply = objects[plan.chunk_digests[effect.index]]


def release(sequence=2, payload=None, files=None, set_bytes=None):
    """A manifest and every object that it names; `payload` None: the firmware runs already."""
    objects = {}

    def targets(data):
        chunks = [data[at : at + 4096] for at in range(0, len(data), 4096)]
        digests = b"".join([sha256(chunk).digest() for chunk in chunks])
        objects.update({sha256(chunk).digest(): chunk for chunk in chunks})
        objects[sha256(digests).digest()] = digests
        return Component(sha256(digests).digest(), len(digests), ""), Component(
            sha256(data).digest(), len(data), ""
        )

    chunks, firmware = (None, Component(b"f" * 32, 9000, "")) if payload is None else targets(payload)
    app_chunks, app = targets(bundle.encode(files or FILES) if set_bytes is None else set_bytes)
    return Manifest(sequence, chunks, firmware, app_chunks, app, None), objects


def digest_of(payload):
    """The digest of an image as the boot ROM hands it over."""
    return flow.parse_image(lambda offset, length: payload[offset : offset + length], len(payload)).digest


def test_a_binding_is_whole_or_none():
    data = encode_binding(Binding(7, IMAGE, b"d" * 32, 300, True))
    assert decode_binding(data) == (7, IMAGE, b"d" * 32, 300, True)
    for at in range(0, len(data), 5):
        assert decode_binding(data[:at] + bytes((data[at] ^ 4,)) + data[at + 1 :]) is None
    assert decode_binding(b"\xff" * 128) is None


def test_a_set_runs_with_the_image_that_it_names_and_with_no_other():
    bench = Bench()
    bench.put(0, bundle.encode(FILES))
    assert bench.start().app.slot == 0
    assert bench.start(booted(image_digest=b"x" * 32)).app is None
    assert bench.errors == []


def test_a_set_that_came_alone_counts_when_it_is_confirmed():
    bench = Bench()
    bench.put(0, bundle.encode(FILES), 1)
    bench.put(1, bundle.encode(FILES), 2, IMAGE, True)
    assert bench.start().app.slot == 0
    bench.sets.stage(1)
    assert bench.start().app.slot == 0  # staged for a release that nobody knows of
    bench.sets.mark_tried(1)
    bench.sets.confirm(1)
    assert bench.start().app.slot == 1


def test_a_changed_file_is_named_and_the_set_is_not_run():
    bench = Bench()
    data = bundle.encode(FILES)
    bench.put(0, data)
    place = SMALL.set_offsets[0] + data.index(bytes(5000)) + 4990
    bench.flash.data[place] ^= 1
    trials = bench.start()
    assert trials.app is None and trials.is_set_broken
    assert bench.errors[0].fields == {"reason": "changed", "file": "data.bin"}
    bench.flash.data[SMALL.set_offsets[0] + 4] ^= 1
    bench.start()
    assert bench.errors[0].fields == {"reason": "changed", "file": "index"}


def test_an_older_set_of_the_same_image_steps_in_for_a_changed_one():
    bench = Bench()
    bench.put(0, bundle.encode(FILES), 1)
    bench.put(1, bundle.encode(FILES), 2, IMAGE, True)
    bench.sets.confirm(1)
    bench.flash.data[SMALL.set_offsets[1] + 100] ^= 1
    assert bench.start().app.slot == 0
    assert isinstance(bench.errors[0], AppSetError)


def test_a_place_that_cannot_be_read_leaves_the_firmware_alone():
    bench = Bench()

    def fail(offset, length):
        raise FlashError(reason="read back", offset=offset)

    bench.flash.read = fail
    trials = Trials(booted(), bench.boot_state, bench.store, bench.sets)
    assert trials.choose_set()[0].fields["reason"] == "read back"
    assert trials.app is None


def test_content_is_checked_again_as_it_is_read():
    bench = Bench()
    bench.put(0, bundle.encode(FILES))
    app = bench.start().app
    assert bench.sets.content(0, app.files[0]) == FILES["__init__.py"]
    bench.flash.data[SMALL.set_offsets[0] + app.files[0].offset] ^= 1
    try:
        bench.sets.content(0, app.files[0])
        raise AssertionError("read")
    except DigestMismatchError:
        pass


def test_firmware_and_set_are_staged_together():
    bench = Bench()
    payload = image()
    manifest, objects = release(2, payload)
    assert bench.install(manifest, objects).version == (2, 0, 0, 2)
    assert bench.boot_state.marks(1).is_staged
    assert bench.sets.candidates(IMAGE, False) == []  # the old image runs without it
    trials = bench.start(booted(1, digest_of(payload), True))
    assert trials.is_trial and trials.app.binding.sequence == 2
    bench.boot_state.mark_tried(1)
    trials.confirm()
    assert trials.progress.manifest_sequence == 2 and bench.store.read("pending") is None
    assert bench.start(booted(1, digest_of(payload))).app.binding.sequence == 2


def test_nothing_is_staged_where_the_set_is_no_bundle():
    for data in (b"no bundle", bundle.encode(FILES) + b"\0"):
        bench = Bench()
        manifest, objects = release(2, image(), set_bytes=data)
        try:
            bench.install(manifest, objects)
            raise AssertionError("installed")
        except BundleError:
            pass
        assert not bench.boot_state.marks(1).is_staged and bench.sets.binding(0) is None


def test_a_set_alone_is_staged_tried_and_confirmed():
    bench = Bench()
    bench.put(0, bundle.encode({"__init__.py": b""}), 1)
    manifest, objects = release(2)
    assert bench.install(manifest, objects) is None
    assert bench.boot_state.is_blank_trailer(1)
    trials = bench.start()
    assert trials.is_trial and trials.app.slot == 1 and bench.sets.marks(1).is_tried
    trials.confirm()
    assert trials.progress.manifest_sequence == 2 and not trials.is_trial
    again = bench.start()
    assert again.app.slot == 1 and not again.is_trial


def test_a_set_alone_reverts_after_a_trial_that_did_not_confirm():
    for outcome, text in ((0, "watchdog"), (trial_state.APP_FAILED, "application failed")):
        bench = Bench()
        bench.put(0, bundle.encode({"__init__.py": b""}), 1)
        manifest, objects = release(2)
        bench.install(manifest, objects)
        trials = bench.start()
        if outcome:
            trials.window_over(outcome)
        trials = bench.start(booted(reset_reason=2))
        assert trials.app.slot == 0 and not trials.is_trial
        assert isinstance(bench.reverted, TrialFailedError) and bench.reverted.fields["reset"] == text
        assert trials.progress.failed_sequence == 2


def test_a_set_that_only_missed_its_server_is_tried_three_times():
    bench = Bench()
    manifest, objects = release(2)
    bench.install(manifest, objects)
    for attempt in range(3):
        trials = bench.start()
        assert trials.is_trial, attempt
        trials.window_over()
        trials = bench.start()
        assert trials.app is None
        assert trials.is_retry_wanted == (attempt < 2)
        trials.retry()
    assert bench.start().progress.failed_sequence == 2


def test_a_set_that_was_changed_before_its_trial_is_given_up():
    bench = Bench()
    manifest, objects = release(2)
    bench.install(manifest, objects)
    bench.flash.data[SMALL.set_offsets[0] + 90] ^= 1
    bench.start()
    assert bench.reverted.fields["reset"] == "application set changed"


def test_a_confirm_that_was_cut_is_completed():
    bench = Bench()
    manifest, objects = release(2)
    bench.install(manifest, objects)
    bench.start()
    bench.sets.confirm(0)
    trials = bench.start()
    assert trials.progress.manifest_sequence == 2 and bench.store.read("pending") is None


def test_the_next_set_never_goes_over_the_one_that_runs():
    bench = Bench()
    for sequence in (2, 3, 4, 5):
        before = bench.start().app
        manifest, objects = release(sequence, None, {"__init__.py": str(sequence).encode()})
        bench.install(manifest, objects)
        trials = bench.start()
        assert before is None or trials.app.slot != before.slot
        trials.confirm()
    assert bench.start().app.binding.sequence == 5


def test_a_newer_release_takes_the_place_of_a_staged_one():
    bench = Bench()
    manifest, objects = release(2)
    bench.install(manifest, objects)
    trials = Trials(booted(), bench.boot_state, bench.store, bench.sets)  # before any restart
    newer, _ = release(3, image())
    trials.begin(newer)
    assert bench.sets.binding(0) is None and bench.start().app is None


def test_a_set_that_vanished_is_reported():
    bench = Bench()
    manifest, objects = release(2)
    bench.install(manifest, objects)
    bench.start().confirm()
    bench.sets.drop(0)
    trials = bench.start()
    assert trials.app is None and bench.errors[0].fields["reason"] == "missing"
    assert trials.lacks_set(manifest)
    bench.start(booted(image_digest=b"x" * 32))
    assert bench.errors == []


def test_an_older_set_that_runs_in_place_of_a_vanished_one_is_reported():
    bench = Bench()
    for sequence in (2, 3):
        manifest, objects = release(sequence, None, {"__init__.py": str(sequence).encode()})
        bench.install(manifest, objects)
        trials = bench.start()
        trials.confirm()
    assert bench.start().app.binding.sequence == 3 and bench.errors == []
    bench.sets.drop(trials.app.slot)
    trials = bench.start()
    assert trials.app.binding.sequence == 2 and bench.errors[0].fields["reason"] == "missing"
    assert trials.lacks_set(manifest)


def test_a_set_that_is_lost_is_fetched_again_and_one_that_runs_is_not():
    bench = Bench()
    manifest, objects = release(2)
    bench.install(manifest, objects)
    bench.start().confirm()
    assert not bench.start().lacks_set(manifest)
    bench.flash.data[SMALL.set_offsets[0] + 90] ^= 1
    assert bench.start().lacks_set(manifest)
    bench.install(manifest, objects)
    trials = bench.start()
    trials.confirm()
    assert bench.start().app.binding.sequence == 2 and bench.errors == []


def test_an_image_may_be_older_than_its_set_and_never_newer():
    payload = image()  # build 2
    bench = Bench()
    manifest, objects = release(3, payload)
    bench.install(manifest, objects)
    assert bench.boot_state.marks(1).is_staged
    manifest, objects = release(1, payload)
    try:
        Bench().install(manifest, objects)
        raise AssertionError("installed")
    except ImageFormatError as error:
        assert error.fields["reason"] == "build number"


def test_a_board_without_a_place_refuses_a_set_and_one_that_is_too_large_is_refused():
    manifest, _ = release(2, image())
    boot = BootState(MemoryFlash(), SMALL)
    try:
        drive(flow.install(manifest, boot, 1), b"", [])
        raise AssertionError("installed")
    except UnsupportedError:
        pass
    large = Component(b"l" * 32, SMALL.set_bytes - 2 * 4096 + 1, "")
    manifest = Manifest(2, None, manifest.firmware, manifest.app_chunks, large, None)
    place = flow.Place(AppSets(MemoryFlash(), SMALL), 0, IMAGE)
    try:
        drive(flow.install(manifest, boot, 1, place), b"", [])
        raise AssertionError("installed")
    except LimitError:
        pass
