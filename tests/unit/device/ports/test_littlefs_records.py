"""Records on littlefs, with a file system in memory in place of VfsLfs2; the emulated board runs the real one."""

import importlib
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

from device.errors import StorageError, StorageFullError

ENOENT, EIO, ENOSPC = 2, 5, 28


class Device:
    """A block device: the fake file system only reads whether it was formatted."""

    def __init__(self, is_formatted: bool = True) -> None:
        self.is_formatted = is_formatted
        self.files: dict[str, bytes] = {}
        self.room = 1 << 20
        self.is_cut_before_rename = False
        self.opened = 0


class MemoryFiles:
    """The part of VfsLfs2 that LittlefsRecords uses, with its OSErrors."""

    def __init__(self, device: Device, **_options: int) -> None:
        if not device.is_formatted:
            raise OSError(84)
        device.opened += 1
        self.device = device

    @staticmethod
    def mkfs(device: Device, **_options: int) -> None:
        device.is_formatted, device.files = True, {}

    def open(self, name: str, mode: str) -> "MemoryFile":
        if mode == "rb" and name not in self.device.files:
            raise OSError(ENOENT)
        return MemoryFile(self.device, name, mode)

    def rename(self, old: str, new: str) -> None:
        if self.device.is_cut_before_rename:
            raise OSError(EIO)
        self.device.files[new] = self.device.files.pop(old)

    def remove(self, name: str) -> None:
        if name not in self.device.files:
            raise OSError(ENOENT)
        del self.device.files[name]

    def ilistdir(self, path: str) -> Iterator[tuple[str, int, int, int]]:
        return iter([(name, 0x8000, 0, len(data)) for name, data in self.device.files.items()])


class MemoryFile:
    def __init__(self, device: Device, name: str, mode: str) -> None:
        self.device, self.name = device, name
        if mode == "wb":
            device.files[name] = b""

    def __enter__(self) -> "MemoryFile":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self) -> bytes:
        return self.device.files[self.name]

    def write(self, data: bytes) -> int:
        """Write as many bytes as fit, as littlefs may."""
        taken = data[: self.device.room]
        self.device.files[self.name] += taken
        return len(taken)


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    vfs = types.ModuleType("vfs")
    vfs.VfsLfs2 = MemoryFiles  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vfs", vfs)
    monkeypatch.delitem(sys.modules, "device.ports.littlefs", raising=False)
    return importlib.import_module("device.ports.littlefs")


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.fixture
def records(port: types.ModuleType, device: Device) -> Any:
    records = port.LittlefsRecords("device", device)
    records.open()
    return records


def test_a_record_comes_back_as_it_was_written(records: Any) -> None:
    records.write("identity", b"one")
    records.write("identity", b"two")
    assert records.read("identity") == b"two"
    assert records.names() == ["identity"]


def test_a_record_that_is_absent_reads_as_none_and_can_be_deleted(records: Any) -> None:
    records.delete("identity")
    assert records.read("identity") is None


def test_a_write_that_ends_before_the_rename_leaves_the_old_record(records: Any, device: Device) -> None:
    records.write("identity", b"old")
    device.is_cut_before_rename = True
    with pytest.raises(StorageError):
        records.write("identity", b"new")
    assert records.read("identity") == b"old"
    assert records.names() == ["identity"]


def test_a_short_write_is_a_full_region_and_leaves_the_old_record(records: Any, device: Device) -> None:
    records.write("identity", b"old")
    device.room = 2
    with pytest.raises(StorageFullError):
        records.write("identity", b"new")
    assert records.read("identity") == b"old"
    assert list(device.files) == ["identity"]


@pytest.mark.parametrize("name", ["", "a" * 33, "A", "a/b", "..\\x", "identity.new", "identität"])
def test_a_name_outside_the_agreed_characters_is_refused(records: Any, name: str) -> None:
    with pytest.raises(StorageError, match="name"):
        records.write(name, b"")


def test_a_region_that_is_not_open_is_refused(port: types.ModuleType, device: Device) -> None:
    with pytest.raises(StorageError, match="not mounted"):
        port.LittlefsRecords("device", device).names()


# Regions ------------------------------------------------------------------------------------------------------
def test_a_region_is_opened_once_however_often_it_is_mounted(port: types.ModuleType, device: Device) -> None:
    regions = port.Regions({"device": device, "user": Device()}, False)
    assert regions.mount("device") is regions.mount("device")
    assert device.opened == 1


def test_a_region_without_a_file_system_does_not_mount_and_is_not_formatted(port: types.ModuleType) -> None:
    blank = Device(is_formatted=False)
    with pytest.raises(StorageError, match="does not mount"):
        port.Regions({"device": blank}, False).mount("device")
    assert not blank.is_formatted


def test_a_formatted_region_is_empty_and_mounted(port: types.ModuleType, device: Device) -> None:
    regions = port.Regions({"user": device}, True)
    regions.mount("user").write("owner", b"x")
    assert regions.format("user").names() == []
    assert regions.mount("user").names() == []


def test_the_device_region_of_a_locked_unit_is_not_formatted(port: types.ModuleType, device: Device) -> None:
    regions = port.Regions({"device": device}, True)
    regions.mount("device").write("identity", b"x")
    with pytest.raises(StorageError, match="locked"):
        regions.format("device")
    assert regions.mount("device").names() == ["identity"]
