"""Installing a verified manifest: fetches, writes and refusals."""

from collections import namedtuple
from hashlib import sha256

from memory_flash import SMALL, MemoryFlash

from device.errors import DigestMismatchError, ImageFormatError, LimitError, LinkError, SecurityCounterError
from device.limits import CHUNK_LIST_BYTES
from device.update import flow
from device.update.appset import AppSets
from device.update.slots import BootState

Component = namedtuple("Component", ("digest", "size", "uri"))
_Manifest = namedtuple(
    "Manifest", ("sequence_number", "chunks", "firmware", "app_chunks", "app", "delta", "envelope_digest")
)


def Manifest(sequence_number, chunks, firmware, app_chunks, app, delta, envelope_digest=b"e" * 32):
    """The part of a verified manifest that an install needs."""
    return _Manifest(sequence_number, chunks, firmware, app_chunks, app, delta, envelope_digest)


def image(body_bytes=9000, counter=1):
    """Return an image with a well-formed header and TLV areas; only the boot ROM checks its signature."""
    header = (0x96F3B83D).to_bytes(4, "little") + (0x100000).to_bytes(4, "little")
    header += (0x200).to_bytes(2, "little") + (12).to_bytes(2, "little") + body_bytes.to_bytes(4, "little")
    header += (0x20).to_bytes(4, "little") + bytes((2, 0, 0, 0, 2, 0, 0, 0))
    data = header + bytes(0x200 - len(header)) + bytes([n % 251 for n in range(body_bytes)])
    data += bytes((0x08, 0x69, 12, 0, 0x50, 0, 4, 0)) + counter.to_bytes(4, "little")
    digest = sha256(data).digest()
    entries = bytes((0x10, 0, 32, 0)) + digest
    entries += bytes((0x02, 0, 91, 0)) + bytes(91) + bytes((0x22, 0, 70, 0)) + bytes(70)
    return data + b"\x07\x69" + (4 + len(entries)).to_bytes(2, "little") + entries


def manifest_of(payload):
    chunks = [payload[at : at + 4096] for at in range(0, len(payload), 4096)]
    chunk_list = b"".join([sha256(chunk).digest() for chunk in chunks])
    made = Manifest(
        2,
        Component(sha256(chunk_list).digest(), len(chunk_list), ""),
        Component(sha256(payload).digest(), len(payload), ""),
        None,
        None,
        None,
    )
    return made, chunk_list, chunks


def drive(running, chunk_list, chunks, asked=None, break_after=None, steps=None):
    """Answer the effects of install(); return its result. `asked`, `steps`: lists for chunk numbers and progress."""
    answer = None
    fetched = 0
    while True:
        try:
            effect = running.send(answer)
        except StopIteration as done:
            return done.value
        answer = None
        if isinstance(effect, flow.FetchObject):
            answer = chunk_list
        elif isinstance(effect, flow.FetchChunk):
            if fetched == break_after:
                running.throw(LinkError(reason="gone"))
            fetched += 1
            if asked is not None:
                asked.append(effect.index)
            answer = chunks[effect.index]
        elif steps is not None and isinstance(effect, flow.Progress):
            steps.append((effect.done, effect.total))


def refused(error, manifest, boot, chunk_list, chunks):
    try:
        drive(flow.install(manifest, boot, 1), chunk_list, chunks)
    except error as found:
        assert not boot.marks(1).is_staged
        return found
    raise AssertionError("installed")


def test_a_good_release_is_stored_read_back_and_staged():
    payload = image()
    manifest, chunk_list, chunks = manifest_of(payload)
    boot = BootState(MemoryFlash(), SMALL)
    info = drive(flow.install(manifest, boot, 1), chunk_list, chunks)
    assert info.version == (2, 0, 0, 2)
    assert boot.read(1, 0, len(payload)) == payload
    assert boot.marks(1) == (True, False, False, 0)
    assert boot.is_blank_trailer(0)


def test_a_transfer_continues_from_the_stored_chunks():
    payload = image()
    manifest, chunk_list, chunks = manifest_of(payload)
    boot = BootState(MemoryFlash(), SMALL)
    try:
        drive(flow.install(manifest, boot, 1), chunk_list, chunks, break_after=2)
        raise AssertionError("not broken")
    except LinkError:
        pass
    asked, steps = [], []
    drive(flow.install(manifest, boot, 1), chunk_list, chunks, asked, None, steps)
    assert asked == [2]
    assert steps == [(0, 3)] * 3 + [(3, 3)]  # three chunks are compared, one is fetched


def test_a_chunk_list_that_is_not_the_signed_one_is_refused_before_any_write():
    manifest, chunk_list, chunks = manifest_of(image())
    flash = MemoryFlash()
    other = bytes([chunk_list[0] ^ 1]) + chunk_list[1:]
    assert refused(DigestMismatchError, manifest, BootState(flash, SMALL), other, chunks).fields == {
        "component": "chunks"
    }
    assert not flash.erased


def refusals(manifest, chunk_list, chunks, boot=None):
    """Return the errors for which the flow tells the runner that the release itself is at fault."""
    running = flow.install(manifest, boot or BootState(MemoryFlash(), SMALL), 1)
    answer, found = None, []
    try:
        while True:
            effect = running.send(answer)
            answer = chunk_list if isinstance(effect, flow.FetchObject) else None
            if isinstance(effect, flow.FetchChunk):
                answer = chunks[effect.index]
            elif isinstance(effect, flow.Refused):
                found.append(effect.error)
    except StopIteration:
        pass
    except DigestMismatchError as error:
        assert found in ([], [error])
    except (ImageFormatError, SecurityCounterError, LimitError) as error:
        assert found == [error]
    return found


def test_what_no_other_source_can_mend_is_a_fault_of_the_release():
    payload = image()
    manifest, chunk_list, chunks = manifest_of(payload)
    other = payload[:5000] + b"other" + payload[5005:]
    _, other_list, other_chunks = manifest_of(other)
    no_image, no_image_list, no_image_chunks = manifest_of(bytes(5000))
    counted = BootState(MemoryFlash(), SMALL)
    counted.raise_security_counter(2)
    short = chunk_list[:-32]
    for made, served, sent, boot, error in (
        (no_image, no_image_list, no_image_chunks, None, ImageFormatError),
        (manifest, chunk_list, chunks, counted, SecurityCounterError),
        (listed(short, payload), short, chunks, None, DigestMismatchError),
        (listed(other_list, payload), other_list, other_chunks, None, DigestMismatchError),
    ):
        found = refusals(made, served, sent, boot)
        assert len(found) == 1 and isinstance(found[0], error), error


def test_what_another_source_or_the_next_check_can_mend_is_no_fault_of_the_release():
    manifest, chunk_list, chunks = manifest_of(image())
    assert refusals(manifest, chunk_list, chunks) == []
    assert refusals(manifest, chunk_list[:-1] + b"?", chunks) == []
    assert refusals(manifest, chunk_list, [b"other"] + chunks[1:]) == []
    flash = ForgetfulFlash(SMALL.slot_offsets[1] + 0x250, SMALL.slot_offsets[1] + 0x2000)
    assert refusals(manifest, chunk_list, chunks, BootState(flash, SMALL)) == []


def test_a_wrong_chunk_is_named_and_not_written():
    manifest, chunk_list, chunks = manifest_of(image())
    chunks[1] = bytes([chunks[1][0] ^ 1]) + chunks[1][1:]
    flash = MemoryFlash()
    found = refused(DigestMismatchError, manifest, BootState(flash, SMALL), chunk_list, chunks)
    assert found.fields == {"component": "firmware", "chunk": 1}
    assert SMALL.slot_offsets[1] + 4096 not in flash.erased


def listed(chunk_list, payload):
    """Return a manifest whose author signed this chunk list for this payload."""
    chunks = Component(sha256(chunk_list).digest(), len(chunk_list), "")
    return Manifest(2, chunks, Component(sha256(payload).digest(), len(payload), ""), None, None, None)


def test_a_chunk_of_another_length_is_refused_even_if_the_list_names_it():
    payload = image()
    _, chunk_list, chunks = manifest_of(payload)
    for other in (chunks[1][:-1], chunks[1] + b"\x00"):
        named = chunk_list[:32] + sha256(other).digest() + chunk_list[64:]
        boot = BootState(MemoryFlash(), SMALL)
        sent = [chunks[0], other, chunks[2]]
        found = refused(DigestMismatchError, listed(named, payload), boot, named, sent)
        assert found.fields == {"component": "firmware", "chunk": 1}, len(other)


def on_both_sides(data, at):
    """Return two changes of `data` at byte `at`: one has a higher SHA-256 than `data`, one has a lower."""
    right = sha256(data).digest()
    found = {}
    for change in range(1, 256):
        other = data[:at] + bytes([data[at] ^ change]) + data[at + 1 :]
        found[sha256(other).digest() > right] = other
    return found[True], found[False]


def test_every_wrong_digest_is_refused_whether_it_is_above_or_below_the_signed_one():
    payload = image()
    manifest, chunk_list, chunks = manifest_of(payload)
    for other in on_both_sides(chunk_list, 0):
        found = refused(DigestMismatchError, manifest, BootState(MemoryFlash(), SMALL), other, chunks)
        assert found.fields == {"component": "chunks"}
    for other in on_both_sides(chunks[1], 7):
        sent = [chunks[0], other, chunks[2]]
        found = refused(DigestMismatchError, manifest, BootState(MemoryFlash(), SMALL), chunk_list, sent)
        assert found.fields == {"component": "firmware", "chunk": 1}
    for other in on_both_sides(payload, 5000):  # the author's list is that of another payload
        _, other_list, sent = manifest_of(other)
        made = listed(other_list, payload)
        found = refused(DigestMismatchError, made, BootState(MemoryFlash(), SMALL), other_list, sent)
        assert found.fields == {"component": "firmware"}


def test_a_list_that_does_not_cover_the_payload_is_refused():
    payload = image()
    _, chunk_list, chunks = manifest_of(payload)
    for other in (chunk_list[:-32], chunk_list[:-1], chunk_list + b"\x00", chunk_list + bytes(32)):
        boot = BootState(MemoryFlash(), SMALL)
        found = refused(DigestMismatchError, listed(other, payload), boot, other, chunks)
        assert found.fields == {"component": "chunks", "reason": "length"}


def test_a_list_has_one_digest_for_each_begun_chunk():
    for size, count in ((1, 1), (4095, 1), (4096, 1), (4097, 2), (8192, 2)):
        found = flow.ChunkDigests(bytes(32 * count), size)
        assert [found[at] for at in range(len(found))] == [bytes(32)] * count
        for outside in (-1, count, count + 1):
            try:
                found[outside]
            except IndexError:
                continue
            raise AssertionError("accepted")


def first_effect(size=9000, list_bytes=96, app_bytes=None):
    """Return the first effect of an install of payloads of these sizes."""
    app, app_slot = None, None
    if app_bytes is not None:
        app, app_slot = (
            Component(b"a" * 32, app_bytes, ""),
            flow.AppSlot(AppSets(MemoryFlash(), SMALL), 0, b""),
        )
    chunks = Component(b"c" * 32, list_bytes, "")
    made = Manifest(2, chunks, Component(b"f" * 32, size, ""), chunks, app, None)
    return next(flow.install(made, BootState(MemoryFlash(), SMALL), 1, app_slot))


def test_payloads_and_lists_of_exactly_the_largest_size_are_fetched():
    for name, limit in (
        ("size", 4 * 4096),
        ("list_bytes", CHUNK_LIST_BYTES),
        ("app_bytes", 3 * 4096),
    ):
        assert isinstance(first_effect(**{name: limit}), flow.FetchObject)
        found = first_effect(**{name: limit + 1})
        assert isinstance(found, flow.Refused) and found.error.fields["limit"] == limit


def test_a_payload_larger_than_the_slot_is_refused_before_it_is_fetched():
    manifest, chunk_list, chunks = manifest_of(image())
    made = Manifest(
        2, manifest.chunks, Component(manifest.firmware.digest, 4 * 4096 + 1, ""), None, None, None
    )
    assert refused(LimitError, made, BootState(MemoryFlash(), SMALL), chunk_list, chunks)


def test_an_image_whose_counter_the_unit_cannot_reach_is_never_staged():
    boot = BootState(MemoryFlash(), SMALL)
    most = boot.counter_capacity
    for counter, is_taken in ((most, True), (most + 1, False)):
        boot = BootState(MemoryFlash(), SMALL)
        manifest, chunk_list, chunks = manifest_of(image(counter=counter))
        try:
            drive(flow.install(manifest, boot, 1), chunk_list, chunks)
        except LimitError as error:
            assert not is_taken and error.fields == {"what": "security counter", "limit": most}
            assert boot.is_blank_trailer(1)
            continue
        assert is_taken and boot.marks(1).is_staged


def test_an_image_below_the_security_counter_is_refused():
    manifest, chunk_list, chunks = manifest_of(image(counter=1))
    boot = BootState(MemoryFlash(), SMALL)
    boot.raise_security_counter(2)
    assert refused(SecurityCounterError, manifest, boot, chunk_list, chunks).fields == {
        "have": 2,
        "offered": 1,
    }


def test_an_image_at_the_security_counter_is_staged():
    manifest, chunk_list, chunks = manifest_of(image(counter=2))
    boot = BootState(MemoryFlash(), SMALL)
    boot.raise_security_counter(2)
    drive(flow.install(manifest, boot, 1), chunk_list, chunks)
    assert boot.marks(1).is_staged


def test_a_signed_payload_that_is_no_image_is_refused():
    manifest, chunk_list, chunks = manifest_of(bytes(5000))
    refused(ImageFormatError, manifest, BootState(MemoryFlash(), SMALL), chunk_list, chunks)


def test_bytes_after_the_image_are_refused():
    manifest, chunk_list, chunks = manifest_of(image() + b"\x00")
    assert refused(
        ImageFormatError, manifest, BootState(MemoryFlash(), SMALL), chunk_list, chunks
    ).fields == {"reason": "size"}


def test_an_image_with_another_build_number_than_the_manifests_sequence_is_refused():
    manifest, chunk_list, chunks = manifest_of(image())
    made = Manifest(3, manifest.chunks, manifest.firmware, None, None, None)
    assert refused(ImageFormatError, made, BootState(MemoryFlash(), SMALL), chunk_list, chunks).fields == {
        "reason": "build number"
    }


def test_old_marks_are_erased_before_the_first_chunk():
    manifest, chunk_list, chunks = manifest_of(image())
    flash = MemoryFlash()
    boot = BootState(flash, SMALL)
    boot.confirm(1)
    drive(flow.install(manifest, boot, 1), chunk_list, chunks)
    assert flash.erased[0] == SMALL.slot_offsets[1] + boot.slot_limit_bytes


class ForgetfulFlash(MemoryFlash):
    """A flash that changes one byte of the stored payload after the last sector was written."""

    def __init__(self, offset, last_sector):
        super().__init__()
        self._offset = offset
        self._last_sector = last_sector
        self._is_changed = False

    def write(self, offset, data):
        super().write(offset, data)
        if offset - offset % self.sector_bytes == self._last_sector and not self._is_changed:
            self.data[self._offset] ^= 1
            self._is_changed = True


def test_a_sector_that_lost_a_bit_after_it_was_written_is_found_by_the_read_back():
    manifest, chunk_list, chunks = manifest_of(image())
    slot = SMALL.slot_offsets[1]
    flash = ForgetfulFlash(slot + 0x250, slot + 0x2000)  # in the body, which no other check reads
    found = refused(DigestMismatchError, manifest, BootState(flash, SMALL), chunk_list, chunks)
    assert found.fields == {"component": "firmware"}
