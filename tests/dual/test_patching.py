"""Firmware built from the running release: use of the patch, fallback to the full payload, power cuts."""

from collections import namedtuple
from hashlib import sha256

from memory_flash import SMALL, MemoryFlash
from test_delta import patch
from test_flow import Component, Manifest, image

from device.errors import DeltaError, DigestMismatchError, LinkError, LinkTimeoutError
from device.update import flow, patching
from device.update.slots import BootState

Delta = namedtuple("Delta", ("source_digest", "source_size", "chunks", "patch"))

SOURCE = image(counter=1)
TARGET = image(counter=2)


def difference(old, new):
    return bytes([(new[at] - old[at]) % 256 for at in range(len(new))])


PATCH = patch([(difference(SOURCE, TARGET), b"", 0)], len(TARGET), 8, 7)


class Cut(Exception):
    """The power is cut."""


class Bench:
    """A unit with SOURCE in slot 0, a server with all objects of the release, and the requests to it."""

    def __init__(self, data=PATCH, source=SOURCE, target=TARGET, layout=SMALL):
        self.flash = MemoryFlash(layout)
        self.boot = BootState(self.flash, layout)
        for at in range(0, len(source), 4096):
            self.boot.rewrite_sector(0, at, source[at : at + 4096])
        self.objects = {}
        chunks, firmware = self._publish(target)
        listed, delta = self._publish(data)
        self.delta = Delta(sha256(source).digest(), len(source), listed, delta)
        self.manifest = Manifest(2, chunks, firmware, None, None, self.delta)
        self.asked = []
        self.outcomes = []
        self.missing = {}
        self.is_refused = False
        self.cut_after = None
        self.applied = []

    def _publish(self, data):
        chunks = [data[at : at + 4096] for at in range(0, len(data), 4096)]
        chunk_list = b"".join([sha256(chunk).digest() for chunk in chunks])
        self.objects[sha256(data).digest()] = data
        self.objects[sha256(chunk_list).digest()] = chunk_list
        return (
            Component(sha256(chunk_list).digest(), len(chunk_list), ""),
            Component(sha256(data).digest(), len(data), ""),
        )

    def _answer(self, effect):
        if isinstance(effect, flow.FetchObject):
            if effect.digest in self.missing:
                raise self.missing[effect.digest]
            return self.objects[effect.digest]
        if isinstance(effect, flow.PlanPayload):
            self.planned = effect.digest
        elif isinstance(effect, flow.FetchChunk):
            if self.planned in self.missing:
                raise self.missing[self.planned]
            self.asked.append((self.planned, effect.index))
            return self.objects[self.planned][effect.index * 4096 : (effect.index + 1) * 4096]
        elif isinstance(effect, patching.TryDelta):
            return not self.is_refused
        elif isinstance(effect, patching.DeltaDone):
            self.outcomes.append(effect)
        elif isinstance(effect, patching.Applied):
            self.applied.append((effect.done, effect.total))
            if effect.done == self.cut_after:
                raise Cut
        return None

    def install(self):
        running = flow.install(self.manifest, self.boot, 1)
        try:
            effect = running.send(None)
            while True:
                try:
                    answer = self._answer(effect)
                except LinkError as error:
                    effect = running.throw(error)
                else:
                    effect = running.send(answer)
        except StopIteration:
            return
        finally:
            running.close()

    def is_target_staged(self):
        size = self.manifest.firmware.size
        whole = sha256(self.boot.read(1, 0, size)).digest() == self.manifest.firmware.digest
        return whole and self.boot.marks(1).is_staged

    def fetched(self):
        """Return (chunks of the patch, chunks of the firmware) that were fetched."""
        patches = [one for one in self.asked if one[0] == self.delta.patch.digest]
        return len(patches), len(self.asked) - len(patches)

    def is_source_whole(self):
        return sha256(self.boot.read(0, 0, self.delta.source_size)).digest() == self.delta.source_digest


def outcome(bench):
    assert len(bench.outcomes) == 1
    return bench.outcomes[0]


def test_a_unit_on_the_source_release_fetches_only_the_patch():
    bench = Bench()
    bench.missing[bench.manifest.chunks.digest] = LinkError(
        reason="the list of the full payload was asked for"
    )
    bench.install()
    assert bench.is_target_staged() and bench.is_source_whole()
    assert bench.fetched() == (1, 0)
    assert outcome(bench) == (None, True)


def test_a_patch_with_room_to_spare_is_used():
    small = image(3000, 2)
    bench = Bench(data=patch([(b"", small, 0)], len(small), 8, 7), target=small)
    bench.install()
    assert bench.is_target_staged() and bench.is_source_whole()
    assert outcome(bench) == (None, True) and bench.fetched()[1] == 0


def test_each_chunk_of_a_long_patch_has_its_place_and_is_fetched_once():
    target = image(6000, 2)
    bench = Bench(data=patch([(b"", target, 0)], len(target), 8, 7), target=target)
    bench.cut_after = 1
    try:
        bench.install()
        raise AssertionError("installed")
    except Cut:
        pass
    bench.cut_after = None
    bench.install()
    assert bench.is_target_staged() and outcome(bench) == (None, True)
    assert bench.fetched() == (2, 0)


def test_a_patch_with_more_behind_its_end_is_refused_although_its_result_is_right():
    bench = Bench(data=PATCH + b"\0")
    bench.install()
    assert bench.is_target_staged()
    assert outcome(bench).error.fields == {"reason": "more behind the end"} and outcome(bench).is_final


def test_a_unit_on_another_release_fetches_the_full_payload():
    bench = Bench()
    bench.boot.rewrite_sector(0, 4096, bytes(4096))
    bench.install()
    assert bench.is_target_staged()
    assert bench.fetched() == (0, 3)
    assert outcome(bench).error.fields == {"reason": "made from another release"}
    assert not outcome(bench).is_final


def test_a_patch_that_is_refused_once_is_not_tried_again():
    bench = Bench(data=PATCH[:-9] + bytes(9))
    bench.install()
    assert bench.is_target_staged() and bench.is_source_whole()
    assert outcome(bench).is_final
    again = Bench(data=PATCH[:-9] + bytes(9))
    again.is_refused = True
    again.install()
    assert again.is_target_staged()
    assert again.fetched() == (0, 3)
    assert again.outcomes == []


def test_a_patch_that_makes_something_else_leads_to_the_full_payload():
    other = bytearray(TARGET)
    other[5000] ^= 1
    bench = Bench(data=patch([(difference(SOURCE, other), b"", 0)], len(TARGET), 8, 7))
    bench.install()
    assert bench.is_target_staged() and bench.is_source_whole()
    assert isinstance(outcome(bench).error, DigestMismatchError)
    assert outcome(bench).is_final
    assert bench.fetched()[0] == 1


def test_a_patch_that_is_not_published_leads_to_the_full_payload_and_may_come_later():
    for what in ("chunks", "patch"):
        bench = Bench()
        digest = getattr(bench.delta, what).digest
        bench.missing[digest] = LinkTimeoutError(reason="chunk not published")
        bench.install()
        assert bench.is_target_staged()
        assert bench.fetched() == (0, 3)
        assert not outcome(bench).is_final


def test_a_changed_patch_is_not_applied():
    bench = Bench()
    bench.objects[bench.delta.patch.digest] = bytes((PATCH[0] ^ 1,)) + PATCH[1:]
    bench.install()
    assert bench.is_target_staged()
    assert outcome(bench).error.fields == {"component": "delta", "chunk": 0}


def test_a_lost_link_ends_the_check_and_the_next_check_continues_the_patch():
    bench = Bench()
    bench.missing[bench.delta.patch.digest] = LinkError(reason="closed by the broker")
    try:
        bench.install()
        raise AssertionError("installed")
    except LinkError:
        pass
    assert bench.outcomes == [] and not bench.boot.marks(1).is_staged
    bench.missing.clear()
    bench.install()
    assert bench.is_target_staged()
    assert bench.fetched() == (1, 0)


def test_a_cut_while_it_is_applied_stages_nothing_and_fetches_nothing_again():
    for sector in (1, 2, 3):
        bench = Bench()
        bench.cut_after = sector
        try:
            bench.install()
            raise AssertionError("installed")
        except Cut:
            pass
        assert not bench.boot.marks(1).is_staged
        bench.cut_after = None
        bench.install()
        assert bench.is_target_staged() and bench.is_source_whole()
        assert bench.fetched() == (1, 0)


def test_without_room_for_patch_and_firmware_the_full_payload_is_fetched():
    # A list: ints of a constant tuple that is frozen are long ints, of which MicroPython makes no bytes.
    for size in [4097, 9000, 40_000]:
        bench = Bench(data=bytes(size))
        bench.install()
        assert bench.is_target_staged()
        assert bench.fetched() == (0, 3)
        assert outcome(bench).error.fields == {"reason": "no room"}


def test_a_source_larger_than_a_slot_is_never_read():
    bench = Bench()
    digest, _, chunks, data = bench.delta
    bench.manifest = Manifest(
        2, bench.manifest.chunks, bench.manifest.firmware, None, None, Delta(digest, 1 << 24, chunks, data)
    )
    bench.install()
    assert bench.is_target_staged()
    assert outcome(bench).error.fields == {"what": "source of a delta", "limit": SMALL.slot_bytes - 4096}


def test_the_error_of_a_delta_has_its_number():
    assert DeltaError(reason="no room").code == 245


def with_source(bench, digest, size):
    """Let the manifest say that the patch was made from `size` bytes with this digest."""
    _, _, chunks, data = bench.delta
    made = Delta(digest, size, chunks, data)
    bench.manifest = Manifest(2, bench.manifest.chunks, bench.manifest.firmware, None, None, made)


def test_another_release_is_noticed_whichever_digest_is_the_greater_one():
    for digest in (b"\0" * 32, b"\xff" * 32):
        bench = Bench()
        with_source(bench, digest, len(SOURCE))
        bench.install()
        assert bench.is_target_staged() and bench.fetched() == (0, 3)
        assert outcome(bench).error.fields == {"reason": "made from another release"}


def test_a_wrong_result_is_noticed_whichever_digest_is_the_greater_one():
    found = {}
    right = sha256(TARGET).digest()
    for value in range(1, 256):
        other = bytearray(TARGET)
        other[5000] ^= value
        found[sha256(bytes(other)).digest() > right] = bytes(other)
        if len(found) == 2:
            break
    for other in found.values():
        bench = Bench(data=patch([(difference(SOURCE, other), b"", 0)], len(TARGET), 8, 7))
        bench.install()
        assert bench.is_target_staged()
        assert outcome(bench).error.fields == {"component": "firmware", "reason": "made from a delta"}
        assert outcome(bench).is_final


def test_each_sector_that_is_made_is_counted():
    bench = Bench()
    bench.install()
    assert bench.applied == [(1, 3), (2, 3), (3, 3)]


def test_a_patch_that_fills_the_rest_of_the_slot_has_room():
    bench = Bench(data=bytes(4096))
    bench.install()
    assert outcome(bench).error.fields == {"reason": "patch type"} and outcome(bench).is_final
    assert bench.fetched() == (1, 3) and bench.is_target_staged()


def test_a_source_that_fills_its_slot_is_read():
    limit = SMALL.slot_bytes - 4096
    bench = Bench()
    with_source(bench, sha256(bench.boot.read(0, 0, limit)).digest(), limit)
    bench.install()
    assert outcome(bench) == (None, True) and bench.is_target_staged()
    bench = Bench()
    with_source(bench, bytes(32), limit + 1)
    bench.install()
    assert outcome(bench).error.fields == {"what": "source of a delta", "limit": limit}
