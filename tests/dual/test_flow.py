"""Installing a verified manifest: fetches, writes and refusals."""

from collections import namedtuple
from hashlib import sha256

from memory_flash import SMALL, MemoryFlash

from device.errors import DigestMismatchError, ImageFormatError, LimitError, LinkError, SecurityCounterError
from device.update import flow
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


def drive(running, chunk_list, chunks, asked=None, break_after=None):
    """Answer the effects of install(); return its result."""
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
    asked = []
    drive(flow.install(manifest, boot, 1), chunk_list, chunks, asked)
    assert asked == [2]


def test_a_chunk_list_that_is_not_the_signed_one_is_refused_before_any_write():
    manifest, chunk_list, chunks = manifest_of(image())
    flash = MemoryFlash()
    other = bytes([chunk_list[0] ^ 1]) + chunk_list[1:]
    assert refused(DigestMismatchError, manifest, BootState(flash, SMALL), other, chunks).fields == {
        "component": "chunks"
    }
    assert not flash.erased


def test_a_wrong_chunk_is_named_and_not_written():
    manifest, chunk_list, chunks = manifest_of(image())
    chunks[1] = bytes([chunks[1][0] ^ 1]) + chunks[1][1:]
    flash = MemoryFlash()
    found = refused(DigestMismatchError, manifest, BootState(flash, SMALL), chunk_list, chunks)
    assert found.fields == {"component": "firmware", "chunk": 1}
    assert SMALL.slot_offsets[1] + 4096 not in flash.erased


def test_a_short_chunk_is_refused():
    manifest, chunk_list, chunks = manifest_of(image())
    chunks[0] = chunks[0][:-1]
    refused(DigestMismatchError, manifest, BootState(MemoryFlash(), SMALL), chunk_list, chunks)


def test_a_list_that_does_not_cover_the_payload_is_refused():
    manifest, chunk_list, chunks = manifest_of(image())
    short = chunk_list[:-32]
    made = Manifest(2, Component(sha256(short).digest(), len(short), ""), manifest.firmware, None, None, None)
    refused(DigestMismatchError, made, BootState(MemoryFlash(), SMALL), short, chunks)


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

    def write(self, offset, data):
        super().write(offset, data)
        if offset - offset % self.sector_bytes == self._last_sector:
            self.data[self._offset] ^= 1


def test_a_sector_that_lost_a_bit_after_it_was_written_is_found_by_the_read_back():
    manifest, chunk_list, chunks = manifest_of(image())
    slot = SMALL.slot_offsets[1]
    flash = ForgetfulFlash(slot + 0x250, slot + 0x2000)  # in the body, which no other check reads
    found = refused(DigestMismatchError, manifest, BootState(flash, SMALL), chunk_list, chunks)
    assert found.fields == {"component": "firmware"}


def test_a_signed_list_of_another_payload_of_the_same_size_is_found_by_the_read_back():
    manifest, chunk_list, chunks = manifest_of(image())
    other = bytes([chunks[0][0x250] ^ 1]).join((chunks[0][:0x250], chunks[0][0x251:]))
    other_list = sha256(other).digest() + chunk_list[32:]
    made = Manifest(
        2, Component(sha256(other_list).digest(), len(other_list), ""), manifest.firmware, None, None, None
    )
    boot = BootState(MemoryFlash(), SMALL)
    found = refused(DigestMismatchError, made, boot, other_list, [other] + chunks[1:])
    assert found.fields == {"component": "firmware"}
