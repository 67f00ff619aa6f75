"""The content of a flash image: littlefs records by name, slots, marks and the facts of the boot ROM.

Rules:
1. Secrets are redacted: of a secret record, only name, size and state are shown. Of the entropy sectors, only whether
   they differ between two images.
2. The image is not changed, and nothing is formatted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from device.codec.image import parse_image
from device.errors import AppSetError, FirstbootError, ImageFormatError, StorageError
from device.layout import MPS2
from device.records import store
from device.update.appset import AppSets
from device.update.slots import BootState, Marks
from provisioning.counted import counted
from simulator.ports.flash import SimFlash
from simulator.ports.records import LfsRecords, device_records, user_records

# Keys, OSCORE secrets, the verifiers of the set-up code and of the password (docs/secrets.json).
SECRET: Final = frozenset({"device.key", "web.key", "oscore", "setup", "credential"})


@dataclass(frozen=True)
class Entry:
    """One thing in a flash image. `data` is empty if it is redacted or is not a record."""

    name: str  # region/record, or slot0, application-slot0, lock, counter
    size: int
    detail: str
    data: bytes = b""


class NvmImage:
    """The content of the flash image in `path`. Raises OSError, ValueError if the file has another size."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        if len(content) != MPS2.size_bytes:
            raise ValueError(f"{path} has {len(content)} bytes. A flash image has {MPS2.size_bytes}.")
        self._content = content
        self._flash = SimFlash()
        self._flash.load_image(content)

    def entries(self) -> list[Entry]:
        """Return everything in the image, secrets with their data: use `shown` before printing."""
        return [*self._boot_facts(), *self._slots(), *self._application_slots(), *self._records()]

    def region(self, offset: int, length: int) -> bytes:
        """Return the raw bytes of a region."""
        return self._content[offset : offset + length]

    def find(self, name: str) -> Entry | None:
        """Return the entry `region/record`, or None."""
        return next((one for one in self.entries() if one.name == name), None)

    def _boot_facts(self) -> Iterator[Entry]:
        boot = BootState(self._flash, MPS2)
        yield Entry("lock", 64, "locked" if boot.is_locked() else "open")
        yield Entry("counter", 4, str(boot.security_counter()))
        yield Entry(
            "revoked-image-keys", 32, ", ".join(map(str, sorted(boot.revoked_image_keys()))) or "none"
        )

    def _slots(self) -> Iterator[Entry]:
        boot = BootState(self._flash, MPS2)
        for slot in range(len(MPS2.slot_offsets)):
            marks = _words(boot.marks(slot))
            try:
                info = parse_image(partial(boot.read, slot), boot.slot_limit_bytes)
                image = f"image {'.'.join(map(str, info.version[:3]))}, counter {info.security_counter}"
                size = info.body_bytes
            except ImageFormatError as error:
                image, size = f"no valid image ({error.fields['reason']})", 0
            yield Entry(f"slot{slot}", size, f"{image}; marks: {marks}")

    def _application_slots(self) -> Iterator[Entry]:
        sets = AppSets(self._flash, MPS2)
        for slot in range(sets.count):
            name, found = f"application-slot{slot}", sets.binding(slot)
            if found is None:
                yield Entry(name, 0, f"no complete set; marks: {_words(sets.marks(slot))}")
                continue
            try:
                content = f"{counted(len(sets.files(slot, found)), 'file')}"
            except AppSetError as error:
                content = f"DAMAGED: {error.fields['reason']} {error.fields['file']}".rstrip()
            origin = f"marks: {_words(sets.marks(slot))}" if found.is_alone else "the image's marks count"
            image = found.image_digest.hex()[:16]
            yield Entry(
                name, found.size, f"set of release {found.sequence} for image {image}, {content}; {origin}"
            )

    def _records(self) -> Iterator[Entry]:
        for region, records in (
            (store.DEVICE, device_records(self._flash)),
            (store.USER, user_records(self._flash)),
        ):
            try:
                records.mount()
                names = records.names()
            except StorageError:
                yield Entry(f"{region}/", 0, "no file system")
                continue
            yield from (_entry(region, name, records) for name in names)


def _words(marks: Marks) -> str:
    names = [name for name in ("staged", "tried", "confirmed") if getattr(marks, f"is_{name}")]
    if marks.is_confirmed:
        names[-1] += f" (sequence {marks.confirm_sequence})"
    return ", ".join(names) or "none"


def _entry(region: str, name: str, records: LfsRecords) -> Entry:
    stored = records.read(name) or b""
    try:
        form, data = store.unwrap(name, stored)
        detail = f"form {form}, digest correct"
    except FirstbootError:
        data, detail = stored, "DAMAGED: the digest does not match"
    return Entry(f"{region}/{name}", len(data), detail, data)


def is_secret(entry: Entry) -> bool:
    """Return whether the data of an entry must not be printed. A record that this version does not know is secret."""
    _, _, name = entry.name.partition("/")
    return bool(name) and (name in SECRET or store.find(name) is None)


def differences(before: NvmImage, after: NvmImage) -> list[str]:
    """Return a line for each entry that was added (+), removed (-) or changed (~), and each region that differs (*).

    No line has content. It is empty only if both images have the same bytes.
    """
    return _entry_differences(before, after) + _byte_differences(before, after)


def _regions() -> list[tuple[str, int, int]]:
    """Return (name, offset, length) of the whole flash; what the layout gives to nothing is `unused`."""
    sector = MPS2.sector_bytes
    known = [(f"lock{number}", offset, sector) for number, offset in enumerate(MPS2.lock_offsets)]
    known += [("counter", MPS2.counter_offset, sector * MPS2.counter_sectors)]
    known += [
        ("revoked-image-keys", MPS2.revocation_offset, sector),
        ("entropy", MPS2.entropy_offset, 2 * sector),
    ]
    known += [(f"slot{number}", offset, MPS2.slot_bytes) for number, offset in enumerate(MPS2.slot_offsets)]
    known += [
        ("device/", MPS2.device_offset, MPS2.device_bytes),
        ("user/", MPS2.user_offset, MPS2.user_bytes),
    ]
    known += [(f"application-slot{number}", at, MPS2.set_bytes) for number, at in enumerate(MPS2.set_offsets)]
    found, end = [], 0
    for name, offset, length in [*sorted(known, key=lambda one: one[1]), ("", MPS2.size_bytes, 0)]:
        if offset > end:
            found.append(("unused", end, offset - end))
        found += [(name, offset, length)] if name else []
        end = offset + length
    return found


def _byte_differences(before: NvmImage, after: NvmImage) -> list[str]:
    lines = []
    for name, offset, length in _regions():
        old, new = before.region(offset, length), after.region(offset, length)
        if old != new:
            changed = [at for at, (one, other) in enumerate(zip(old, new, strict=True)) if one != other]
            lines.append(
                f"* {name}: {len(changed)} of {length} bytes differ, from 0x{offset + changed[0]:06x}"
            )
    return lines


def _entry_differences(before: NvmImage, after: NvmImage) -> list[str]:
    old = {one.name: one for one in before.entries()}
    new = {one.name: one for one in after.entries()}
    lines = []
    for name in sorted(old.keys() | new.keys()):
        one, other = old.get(name), new.get(name)
        if one is None and other is not None:
            lines.append(f"+ {name}: {other.size} bytes, {other.detail}")
        elif other is None and one is not None:
            lines.append(f"- {name}: {one.size} bytes, {one.detail}")
        elif one is not None and other is not None and one != other:
            lines.append(f"~ {name}: {one.size} bytes, {one.detail} -> {other.size} bytes, {other.detail}")
    return lines
