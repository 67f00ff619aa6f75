"""The runner of the install flow: what it asks of a source, what it counts, and what it keeps of a delta."""

import asyncio
from hashlib import sha256

from test_appset import Bench, release
from test_flow import Component, Manifest, image
from test_patching import Delta

from device.errors import (
    DeltaError,
    DigestMismatchError,
    ImageFormatError,
    LinkError,
    PeerRefusedError,
    StorageError,
)
from device.update import flow, patching, trial_state
from device.update.installer import Installer


class Journal:
    def __init__(self):
        self.noted = []

    def note(self, error):
        self.noted.append(error)


class Source:
    """A server of `objects`; the link breaks after `chunks` chunks."""

    def __init__(self, objects, chunks=1000):
        self._objects = objects
        self._left = chunks
        self.plans = []

    async def object(self, digest, size):
        data = self._objects[digest]
        if isinstance(data, Exception):
            raise data
        assert len(data) == size
        return data

    def plan(self, digest, size, digests, wanted):
        self.plans.append((digest, size, list(digests), list(wanted)))

    async def chunk(self, index):
        if not self._left:
            raise LinkError(reason="gone")
        self._left -= 1
        return self._objects[self.plans[-1][2][index]]


class Unit:
    """An installer over the flash of a unit; `steps` are the counts at each pause."""

    def __init__(self):
        self.bench = Bench()
        self.found = self.bench.start()
        self.journal = Journal()
        self.steps = []
        self.installer = Installer(self.found, self.journal, self.pause)

    async def pause(self):
        self.steps.append((self.installer.done, self.installer.total))

    def install(self, manifest, source):
        asyncio.run(self.installer.install(manifest, source))


PAYLOAD = image()


def plain():
    manifest, objects = release(2, PAYLOAD)
    return Manifest(2, manifest.chunks, manifest.firmware, None, None, None), objects


def test_a_release_is_planned_fetched_and_staged_in_the_pending_slot():
    unit, (manifest, objects) = Unit(), plain()
    source = Source(objects)
    unit.install(manifest, source)
    assert unit.bench.boot_state.marks(1).is_staged and unit.found.pending.read().sequence == 2
    assert len(source.plans) == 1
    digest, size, digests, wanted = source.plans[0]
    assert (digest, size) == (manifest.firmware.digest, len(PAYLOAD))
    assert len(digests) == 3 and wanted == [0, 1, 2]
    assert unit.steps == [(0, 3)] * 3 + [(1, 3), (2, 3), (3, 3)]
    assert (unit.installer.done, unit.installer.total, unit.installer.fetched) == (3, 3, 3)
    assert unit.installer.delta is None and unit.journal.noted == []


def test_before_the_first_install_nothing_is_counted():
    installer = Unit().installer
    assert (installer.done, installer.total, installer.fetched, installer.delta) == (0, 0, 0, None)


def test_an_error_that_the_flow_does_not_handle_ends_the_flow():
    unit, (manifest, _) = Unit(), plain()
    ended = []

    def steps(*arguments):
        try:
            yield flow.FetchObject(b"d" * 32, 1)
        finally:
            ended.append(True)

    whole, flow.install = flow.install, steps
    try:
        unit.install(manifest, Source({b"d" * 32: StorageError(reason="full")}))
        raise AssertionError("installed")
    except StorageError:
        assert ended == [True]
    finally:
        flow.install = whole


def unfit(sequence, payload):
    """A signed release whose payload is not an image for this unit."""
    manifest, objects = release(sequence, payload)
    return Manifest(sequence, manifest.chunks, manifest.firmware, None, None, None), objects


def test_two_releases_that_cannot_be_installed_are_both_remembered_until_the_owner_asks():
    unit = Unit()
    offers = (unfit(2, bytes(9000)), unfit(3, b"?" * 9000))
    for manifest, objects in offers:
        try:
            unit.install(manifest, Source(objects))
            raise AssertionError("installed")
        except ImageFormatError:
            pass
        assert unit.found.pending.read() is None
    for manifest, _ in offers:
        for found in (unit.found, unit.bench.start()):  # now, and after a restart
            assert found.pending.verdict(manifest, False) == trial_state.UNFIT
            assert found.pending.verdict(manifest, True) == 0


def test_a_link_that_breaks_is_no_verdict():
    unit, (manifest, objects) = Unit(), plain()
    try:
        unit.install(manifest, Source(objects, chunks=1))
        raise AssertionError("installed")
    except LinkError:
        pass
    assert unit.found.pending.verdict(manifest, False) == 0 and unit.found.pending.read() is not None


def test_a_set_goes_into_its_own_slot():
    unit = Unit()
    manifest, objects = release(2)
    unit.install(manifest, Source(objects))
    assert unit.bench.sets.marks(0).is_staged and unit.found.pending.read().slot == trial_state.FIRST_SET


def test_only_the_chunks_of_this_install_are_counted():
    unit, (manifest, objects) = Unit(), plain()
    for chunks, fetched in ((2, 2), (0, 0), (1, 1)):
        source = Source(objects, chunks)
        try:
            unit.install(manifest, source)
            assert chunks == 1
        except LinkError:
            assert chunks != 1 and not unit.bench.boot_state.marks(1).is_staged
        assert unit.installer.fetched == fetched


def test_a_wrong_chunk_ends_the_install():
    unit, (manifest, objects) = Unit(), plain()
    for digest in list(objects):
        if len(objects[digest]) == 4096:
            objects[digest] = bytes(4096)
    try:
        unit.install(manifest, Source(objects))
        raise AssertionError("installed")
    except DigestMismatchError:
        assert not unit.bench.boot_state.marks(1).is_staged


class Effects:
    """A pending release that the tests of deltas ask."""

    def __init__(self):
        self.is_refused = False

    def may_try_delta(self):
        return not self.is_refused

    def refuse_delta(self):
        self.is_refused = True


def test_the_outcome_of_a_delta_is_kept_and_a_refused_patch_is_not_tried_again():
    for error, is_final, delta, is_refused in (
        (None, True, 0, False),
        (DeltaError(reason="no room"), False, DeltaError.code, False),
        (DeltaError(reason="size"), True, DeltaError.code, True),
    ):
        unit = Unit()
        effects = Effects()
        unit.installer._releases = unit.found.__class__(None, None, effects, None)

        def answer(effect, unit=unit):
            return asyncio.run(unit.installer._answer(effect, None))

        assert answer(patching.TryDelta(None)) is True
        assert answer(patching.DeltaDone(error, is_final)) is None
        assert unit.installer.delta == delta and effects.is_refused is is_refused
        assert answer(patching.TryDelta(None)) is not is_refused
        assert unit.journal.noted == ([error] if is_refused else [])
        assert answer(patching.Applied(2, 5)) is None
        assert unit.steps == [(2, 5)]


def test_an_object_that_is_not_published_is_the_flows_affair():
    unit, (manifest, objects) = Unit(), plain()
    running = sha256(b"\xff" * 4096).digest()  # the other slot is blank
    delta = Delta(running, 4096, Component(b"l" * 32, 32, ""), Component(b"p" * 32, 700, ""))
    manifest = Manifest(2, manifest.chunks, manifest.firmware, None, None, delta)
    objects[b"l" * 32] = PeerRefusedError(code="4.04")
    unit.install(manifest, Source(objects))
    assert unit.bench.boot_state.marks(1).is_staged, "from the full payload"
    assert unit.installer.delta == PeerRefusedError.code and unit.journal.noted == []
    unit.install(plain()[0], Source(objects))
    assert unit.installer.delta is None, "the result of this install"
