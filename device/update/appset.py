"""Application sets in NVM: two application slots, the image that each set belongs to, and the check of its bytes.

Rules (docs/design.md, Application sets):
1. An application slot holds a bundle (device/codec/bundle.py), in the sector after it the Binding (which image the
   bundle belongs to), and in the last sector the three marks of a slot.
2. A set runs only with the image whose digest its binding names. A binding is written once, after bundle and image are
   complete and before anything is staged. It is erased before either is changed. A torn or changed binding does not
   count.
3. A set that came with its image uses the image's marks, so both are on trial, confirmed and reverted together. A set
   that came by itself, for an image that was already running, has its own marks: it runs once, on trial, if it is
   staged and not tried, and always once it is confirmed.
4. If one image has several sets, the one with the highest manifest sequence runs. If its bytes are not those that the
   author signed, it is reported and never runs, and the next set is checked.
"""

from collections import namedtuple
from hashlib import sha256

from device.codec import bundle
from device.compat import const
from device.errors import AppSetError, CodecError, DigestMismatchError
from device.update.slots import Slots

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.codec.bundle import File
    from device.interfaces import Flash
    from device.layout import NvmLayout

# manifest sequence; digest of the set's image, as the boot ROM hands it over; digest and size of the bundle; whether it
# came without its image.
Binding = namedtuple("Binding", ("sequence", "image_digest", "digest", "size", "is_alone"))
# A set that may run: its application slot, its binding, whether running it is its trial.
Candidate = namedtuple("Candidate", ("slot", "binding", "is_trial"))

_MAGIC = b"firstboot:appset"
_HEAD_BYTES = const(32)
_DIGEST_BYTES = const(32)
_BINDING_BYTES = const(128)  # head, two digests, SHA-256 over the three


def encode_binding(binding: "Binding") -> bytes:
    """Return the 128 bytes of a binding."""
    body: bytes = _MAGIC + binding.sequence.to_bytes(8, "little") + binding.size.to_bytes(4, "little")
    body += (1 if binding.is_alone else 0).to_bytes(4, "little") + binding.image_digest + binding.digest
    return body + sha256(body).digest()


def decode_binding(data: bytes) -> "Binding | None":
    """Return the binding in 128 bytes, None if they are blank, torn or changed."""
    body = data[: _BINDING_BYTES - _DIGEST_BYTES]
    if data[: len(_MAGIC)] != _MAGIC or sha256(body).digest() != data[len(body) :]:
        return None
    return Binding(
        int.from_bytes(body[16:24], "little"),
        body[_HEAD_BYTES : _HEAD_BYTES + _DIGEST_BYTES],
        body[_HEAD_BYTES + _DIGEST_BYTES :],
        int.from_bytes(body[24:28], "little"),
        body[28:32] == b"\x01\0\0\0",
    )


class AppSets(Slots):
    """The application slots of one unit; `count` is 0 on a board without any. Every method may raise FlashError."""

    def __init__(self, flash: "Flash", layout: "NvmLayout") -> None:
        super().__init__(flash, layout, layout.set_offsets, layout.set_bytes)
        self._binding_offset = self._marks_offset - layout.sector_bytes
        self.slot_limit_bytes = self._binding_offset
        self.count = len(layout.set_offsets)

    def binding(self, slot: int) -> "Binding | None":
        """Return the binding of the set in `slot`, None if there is no complete set."""
        found = decode_binding(self._flash.read(self._offsets[slot] + self._binding_offset, _BINDING_BYTES))
        if found is None or found.size > self.slot_limit_bytes:
            return None
        return found

    def bind(self, slot: int, binding: "Binding") -> None:
        """Write the binding of the bundle in `slot`. `drop` was called before the bundle was written."""
        self._flash.write(self._offsets[slot] + self._binding_offset, encode_binding(binding))

    def drop(self, slot: int) -> None:
        """Erase the marks, then the binding of the set in `slot`. An empty slot is not erased again."""
        if not self.is_blank_trailer(slot):
            self.clear_marks(slot)
        offset = self._offsets[slot] + self._binding_offset
        if self._flash.read(offset, _BINDING_BYTES) != b"\xff" * _BINDING_BYTES:
            self._flash.erase(offset)

    def candidates(self, image_digest: bytes, is_image_trial: bool) -> "list[Candidate]":
        """Return the sets that may run with this image, the first choice first (rules 3 and 4)."""
        found = []
        for slot in range(self.count):
            binding = self.binding(slot)
            if binding is None or binding.image_digest != image_digest:
                continue
            if not binding.is_alone:
                found.append(Candidate(slot, binding, False))
                continue
            marks = self.marks(slot)
            if marks.is_confirmed:
                found.append(Candidate(slot, binding, False))
            elif marks.is_staged and not marks.is_tried and not is_image_trial:
                found.append(Candidate(slot, binding, True))
        # In one release, a set that came by itself is a repair of the one that came with the image, so it comes first.
        return sorted(found, key=lambda one: (-one.binding.sequence, not one.binding.is_alone))

    def files(self, slot: int, binding: "Binding") -> "tuple[File, ...]":
        """Return the files of the set in `slot`, after every byte was checked (SE-09).

        Raises AppSetError with the name of the first file that differs, or "index" if the index cannot be read.
        """
        if self.digest(slot, binding.size) != binding.digest:
            raise AppSetError(reason="changed", file=self._changed(slot, binding))
        try:
            return bundle.decode(lambda offset, length: self.read(slot, offset, length), binding.size)
        except CodecError as error:  # the author signed a bad bundle, and no check before staging found it
            raise AppSetError(reason=error.describe(), file="")

    def _changed(self, slot: int, binding: "Binding") -> str:
        try:
            files = bundle.decode(lambda offset, length: self.read(slot, offset, length), binding.size)
        except CodecError:
            return "index"
        for file in files:
            if self.digest(slot, file.size, file.offset) != file.digest:
                return str(file.name)
        return "index"

    def content(self, slot: int, file: "File") -> bytes:
        """Return a file's bytes, checked again as they are read. Raises DigestMismatchError."""
        data = self.read(slot, file.offset, file.size)
        if sha256(data).digest() != file.digest:
            raise DigestMismatchError(component="app", file=file.name)
        return data
