"""Application sets: which set runs with which image, which sets never run, and how a release installs one."""

from collections import namedtuple
from hashlib import sha256

from memory_flash import SMALL, MemoryFlash
from memory_unit import MemoryRecords
from test_flow import Component, Manifest, drive, image

from device.codec import bundle
from device.codec.image import parse_image
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
from device.update import flow, releases, trial_state
from device.update.appset import AppSets, Binding, decode_binding, encode_binding
from device.update.slots import BootState

FILES = {"__init__.py": b"async def run(context):\n    pass\n", "data.bin": bytes(5000)}
IMAGE = b"i" * 32
Boot = namedtuple(
    "Boot", ("slot", "image_digest", "is_trial", "version", "reset_reason", "image_key", "image_key_count")
)


def booted(slot=0, image_digest=IMAGE, is_trial=False, reset_reason=1):
    return Boot(slot, image_digest, is_trial, (1, 0, 0, 1), reset_reason, 0, 1)


class Bench:
    """A unit's NVM and records; `start` returns the releases of one start."""

    def __init__(self):
        self.flash = MemoryFlash()
        self.boot_state = BootState(self.flash, SMALL)
        self.sets = AppSets(self.flash, SMALL)
        self.store = Store(MemoryRecords(), DEVICE)

    def confirmed(self, sequence):
        """Let the unit have confirmed releases up to this number."""
        self.store.write("progress", trial_state.encode_progress(trial_state.Progress(sequence, 0, 0)))

    def start(self, boot=None):
        found = self.load(boot)
        self.errors = found.application.choose(found.pending.read())
        self.reverted = found.pending.reconcile()
        return found

    def load(self, boot=None):
        return releases.load(boot or booted(), self.boot_state, self.store, self.sets)

    def put(self, slot, data, sequence=1, image_digest=IMAGE, is_alone=False):
        self.sets.drop(slot)
        for at in range(0, len(data), 4096):
            self.sets.rewrite_sector(slot, at, data[at : at + 4096])
        self.sets.bind(slot, Binding(sequence, image_digest, sha256(data).digest(), len(data), is_alone))

    def install(self, manifest, objects):
        found = self.start()
        slot = found.pending.begin(manifest)
        return answer(flow.install(manifest, self.boot_state, slot, found.application.next_slot()), objects)


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
    """Return a manifest and every object that it names; `payload` None: the firmware runs already."""
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
    """Return the digest of an image as the boot ROM hands it over."""
    return parse_image(lambda offset, length: payload[offset : offset + length], len(payload)).digest


def test_a_torn_binding_does_not_count():
    data = encode_binding(Binding(7, IMAGE, b"d" * 32, 300, True))
    assert decode_binding(data) == (7, IMAGE, b"d" * 32, 300, True)
    for at in range(0, len(data), 5):
        assert decode_binding(data[:at] + bytes((data[at] ^ 4,)) + data[at + 1 :]) is None
    assert decode_binding(b"\xff" * 128) is None
    for change in (
        (0, 0),
        (0, 255),
        (28, 0),
        (28, 2),
        (29, 1),
    ):  # with the right digest: magic, form of the flag
        body = bytearray(data[:96])
        body[change[0]] = change[1]
        found = decode_binding(bytes(body) + sha256(bytes(body)).digest())
        assert found is None if change[0] == 0 else found.is_alone is False, change


def test_a_set_runs_with_the_image_that_it_names_and_with_no_other():
    bench = Bench()
    bench.put(0, bundle.encode(FILES))
    assert bench.start().application.running.slot == 0
    assert bench.start(booted(image_digest=b"x" * 32)).application.running is None
    assert bench.errors == []


def test_a_set_that_came_without_its_image_counts_after_it_is_confirmed():
    bench = Bench()
    bench.confirmed(2)
    bench.put(0, bundle.encode(FILES), 1)
    bench.put(1, bundle.encode(FILES), 2, IMAGE, True)
    assert bench.start().application.running.slot == 0
    bench.sets.stage(1)
    assert bench.start().application.running.slot == 0  # staged for an unknown release
    bench.sets.mark_tried(1)
    bench.sets.confirm(1)
    assert bench.start().application.running.slot == 1


def test_a_changed_file_is_named_and_the_set_is_not_run():
    bench = Bench()
    data = bundle.encode(FILES)
    bench.put(0, data)
    place = SMALL.set_offsets[0] + data.index(bytes(5000)) + 4990
    bench.flash.data[place] ^= 1
    found = bench.start()
    assert found.application.running is None and found.application.is_broken
    assert bench.errors[0].fields == {"reason": "changed", "file": "data.bin"}
    bench.flash.data[SMALL.set_offsets[0] + 4] ^= 1
    bench.start()
    assert bench.errors[0].fields == {"reason": "changed", "file": "index"}


def test_an_older_set_of_the_same_image_steps_in_for_a_changed_one():
    bench = Bench()
    bench.confirmed(2)
    bench.put(0, bundle.encode(FILES), 1)
    bench.put(1, bundle.encode(FILES), 2, IMAGE, True)
    bench.sets.confirm(1)
    bench.flash.data[SMALL.set_offsets[1] + 100] ^= 1
    assert bench.start().application.running.slot == 0
    assert isinstance(bench.errors[0], AppSetError)


def test_slots_that_cannot_be_read_leave_the_firmware_without_an_application():
    bench = Bench()

    def fail(offset, length):
        raise FlashError(reason="read back", offset=offset)

    bench.flash.read = fail
    found = bench.load()
    assert found.application.choose(None)[0].fields["reason"] == "read back"
    assert found.application.running is None


def test_content_is_checked_again_as_it_is_read():
    bench = Bench()
    bench.put(0, bundle.encode(FILES))
    running = bench.start().application.running
    assert bench.sets.content(0, running.files[0]) == FILES["__init__.py"]
    bench.flash.data[SMALL.set_offsets[0] + running.files[0].offset] ^= 1
    try:
        bench.sets.content(0, running.files[0])
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
    found = bench.start(booted(1, digest_of(payload), True))
    assert found.pending.is_trial and found.application.running.binding.sequence == 2
    bench.boot_state.mark_tried(1)
    found.pending.confirm()
    assert found.progress.value.manifest_sequence == 2 and bench.store.read("pending") is None
    assert bench.start(booted(1, digest_of(payload))).application.running.binding.sequence == 2


def test_a_release_without_a_set_installs_firmware_alone_on_a_unit_with_application_slots():
    bench = Bench()
    manifest, objects = release(2, image())
    plain = Manifest(2, manifest.chunks, manifest.firmware, None, None, None)
    assert bench.install(plain, objects).version == (2, 0, 0, 2)
    assert bench.boot_state.marks(1).is_staged
    assert bench.sets.binding(0) is None and bench.sets.binding(1) is None


def test_nothing_is_staged_if_the_set_is_not_a_bundle():
    for data in (b"no bundle", bundle.encode(FILES) + b"\0"):
        bench = Bench()
        manifest, objects = release(2, image(), set_bytes=data)
        try:
            bench.install(manifest, objects)
            raise AssertionError("installed")
        except BundleError:
            pass
        assert not bench.boot_state.marks(1).is_staged and bench.sets.binding(0) is None


def test_a_set_without_a_new_image_is_staged_tried_and_confirmed():
    bench = Bench()
    bench.put(0, bundle.encode({"__init__.py": b""}), 1)
    manifest, objects = release(2)
    assert bench.install(manifest, objects) is None
    assert bench.boot_state.is_blank_trailer(1)
    found = bench.start()
    assert found.pending.is_trial and found.application.running.slot == 1 and bench.sets.marks(1).is_tried
    found.pending.confirm()
    assert found.progress.value.manifest_sequence == 2 and not found.pending.is_trial
    again = bench.start()
    assert again.application.running.slot == 1 and not again.pending.is_trial


def test_a_set_without_a_new_image_reverts_after_a_trial_that_did_not_confirm():
    for outcome, text in ((0, "watchdog"), (trial_state.APP_FAILED, "application failed")):
        bench = Bench()
        bench.put(0, bundle.encode({"__init__.py": b""}), 1)
        manifest, objects = release(2)
        bench.install(manifest, objects)
        found = bench.start()
        if outcome:
            found.pending.record_outcome(outcome)
        found = bench.start(booted(reset_reason=2))
        assert found.application.running.slot == 0 and not found.pending.is_trial
        assert isinstance(bench.reverted, TrialFailedError) and bench.reverted.fields["reset"] == text
        assert found.pending.verdict(manifest, False) > 0


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
    found = bench.start()
    assert found.progress.value.manifest_sequence == 2 and bench.store.read("pending") is None


def test_the_next_set_never_overwrites_the_running_one():
    bench = Bench()
    for sequence in (2, 3, 4, 5):
        before = bench.start().application.running
        manifest, objects = release(sequence, None, {"__init__.py": str(sequence).encode()})
        bench.install(manifest, objects)
        found = bench.start()
        assert before is None or found.application.running.slot != before.slot
        found.pending.confirm()
    assert bench.start().application.running.binding.sequence == 5


def test_a_newer_release_replaces_a_staged_one():
    bench = Bench()
    manifest, objects = release(2)
    bench.install(manifest, objects)
    found = bench.load()  # before any restart
    newer, _ = release(3, image())
    found.pending.begin(newer)
    assert bench.sets.binding(0) is None and bench.start().application.running is None


def test_a_missing_set_is_reported():
    bench = Bench()
    manifest, objects = release(2)
    bench.install(manifest, objects)
    bench.start().pending.confirm()
    bench.sets.drop(0)
    found = bench.start()
    assert found.application.running is None and bench.errors[0].fields["reason"] == "missing"
    assert found.application.lacks(manifest)
    bench.start(booted(image_digest=b"x" * 32))
    assert bench.errors == []


def test_an_older_set_that_replaces_a_missing_one_is_reported():
    bench = Bench()
    for sequence in (2, 3):
        manifest, objects = release(sequence, None, {"__init__.py": str(sequence).encode()})
        bench.install(manifest, objects)
        found = bench.start()
        found.pending.confirm()
    assert bench.start().application.running.binding.sequence == 3 and bench.errors == []
    bench.sets.drop(found.application.running.slot)
    found = bench.start()
    assert found.application.running.binding.sequence == 2 and bench.errors[0].fields["reason"] == "missing"
    assert found.application.lacks(manifest)


def test_a_lost_set_is_fetched_again_and_a_running_one_is_not():
    bench = Bench()
    manifest, objects = release(2)
    bench.install(manifest, objects)
    bench.start().pending.confirm()
    assert not bench.start().application.lacks(manifest)
    bench.flash.data[SMALL.set_offsets[0] + 90] ^= 1
    assert bench.start().application.lacks(manifest)
    bench.install(manifest, objects)
    found = bench.start()
    found.pending.confirm()
    assert bench.start().application.running.binding.sequence == 2 and bench.errors == []


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


def test_a_board_without_application_slots_refuses_a_set_and_a_set_that_is_too_large_is_refused():
    manifest, _ = release(2, image())
    boot = BootState(MemoryFlash(), SMALL)
    try:
        drive(flow.install(manifest, boot, 1), b"", [])
        raise AssertionError("installed")
    except UnsupportedError:
        pass
    large = Component(b"l" * 32, SMALL.set_bytes - 2 * 4096 + 1, "")
    manifest = Manifest(2, None, manifest.firmware, manifest.app_chunks, large, None)
    app_slot = flow.AppSlot(AppSets(MemoryFlash(), SMALL), 0, IMAGE)
    try:
        drive(flow.install(manifest, boot, 1, app_slot), b"", [])
        raise AssertionError("installed")
    except LimitError:
        pass
