"""The emulated board's ports: what device.interfaces promises, on the C module `_mps2` and MicroPython's own modules.

Rules:
1. OSError numbers and the libraries' ValueError stop here; policy sees typed errors.
2. No file system is mounted into MicroPython's own tree: records are reached through this module alone, so no
   import can ever find a file among them.
3. A region is opened once; whoever asks again gets the same Records, since two littlefs instances on one region
   would destroy it.
4. Nothing formats by itself, and the `device` region of a locked unit not at all.
"""

import asyncio
from collections import namedtuple

import _mps2
import vfs

from device.compat import const
from device.errors import (
    EntropyError,
    FlashError,
    LinkError,
    StorageError,
    StorageFullError,
)
from device.layout import MPS2
from device.ports.sockets import SocketNetwork, SocketStream

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Sequence

    gc: Any = None  # MicroPython's own have ticks and mem_free, which CPython's types do not know
    time: Any = None
else:
    import gc
    import time

_EPERM = const(1)
_ENOENT = const(2)
_EEXIST = const(17)
_ENOSPC = const(28)

_LFS_UNIT_BYTES = const(32)  # read, program and lookahead size (docs/reference/memory-map.md, NVM map)
_NAME_MAX = const(32)
_NAME_CHARS = "abcdefghijklmnopqrstuvwxyz0123456789._-"
_NEW = ".new"
_FACTORY_UART = const(2)

layout = MPS2


class Mps2Flash:
    """interfaces.Flash: the whole NVM. The driver keeps the NOR rules and reads back what it wrote.

    It refuses to erase boot facts (layout.py, rule 3) and to touch the entropy state in any way.
    """

    size_bytes = MPS2.size_bytes
    sector_bytes = MPS2.sector_bytes
    unit_bytes = MPS2.unit_bytes

    def read(self, offset: int, length: int) -> bytes:
        """Give `length` bytes at `offset`. Raises FlashError."""
        try:
            data: bytes = _mps2.nvm_read(offset, length)
        except (OSError, ValueError, OverflowError) as error:
            raise _flash_error(error, offset) from None
        return data

    def write(self, offset: int, data: bytes) -> None:
        """Program whole erased units. Raises FlashError; a refused write changed nothing."""
        try:
            _mps2.nvm_write(offset, data)
        except (OSError, ValueError, OverflowError) as error:
            raise _flash_error(error, offset) from None

    def erase(self, offset: int) -> None:
        """Erase the sector at `offset` to 0xFF. Raises FlashError."""
        try:
            _mps2.nvm_erase(offset)
        except (OSError, ValueError, OverflowError) as error:
            raise _flash_error(error, offset) from None


def _flash_error(error: "Exception", offset: int) -> "FlashError":
    if isinstance(error, OSError):
        reason = {_EPERM: "forbidden", _EEXIST: "not erased"}.get(error.args[0], "read back")
    elif isinstance(error, OverflowError):
        reason = "range"
    else:
        reason = error.args[0]
    return FlashError(reason=reason, offset=offset)


class Mps2Records:
    """interfaces.Records on VfsLfs2. `open()` or `format()` first; both raise StorageError."""

    def __init__(self, region: str, offset: int, length: int) -> None:
        self._region = region
        self._block = _mps2.NvmBlock(offset, length)
        self._fs: "Any" = None

    def open(self) -> None:
        """Mount; writes nothing. Raises StorageError where there is no file system."""
        try:
            self._fs = vfs.VfsLfs2(
                self._block,
                readsize=_LFS_UNIT_BYTES,
                progsize=_LFS_UNIT_BYTES,
                lookahead=_LFS_UNIT_BYTES,
                mtime=False,  # there is no clock whose time would mean anything
            )
        except OSError:
            raise StorageError(reason="does not mount", region=self._region) from None

    def format(self) -> None:
        """Make an empty file system and mount it. Raises StorageError."""
        self._fs = None
        try:
            vfs.VfsLfs2.mkfs(
                self._block,
                readsize=_LFS_UNIT_BYTES,
                progsize=_LFS_UNIT_BYTES,
                lookahead=_LFS_UNIT_BYTES,
            )
        except OSError:
            raise StorageError(reason="format", region=self._region) from None
        self.open()

    def read(self, name: str) -> "bytes | None":
        """Give the content of a record as it was written, None when absent. Raises StorageError."""
        try:
            with self._opened(name).open(name, "rb") as file:
                data: bytes = file.read()
        except OSError as error:
            if error.args[0] == _ENOENT:
                return None
            raise _storage_error(error, name) from None
        return data

    def write(self, name: str, data: bytes) -> None:
        """Store durably, old or new and never neither. Raises StorageFullError, StorageError."""
        fs = self._opened(name)
        try:
            with fs.open(name + _NEW, "wb") as file:
                if file.write(data) != len(data):
                    raise OSError(_ENOSPC)
            fs.rename(name + _NEW, name)
        except OSError as error:
            self._drop_new(name)
            raise _storage_error(error, name) from None

    def delete(self, name: str) -> None:
        """Remove a record; an absent one stays absent. Raises StorageError."""
        try:
            self._opened(name).remove(name)
        except OSError as error:
            if error.args[0] != _ENOENT:
                raise _storage_error(error, name) from None

    def names(self) -> "Sequence[str]":
        """Give the names of all records, sorted. Raises StorageError."""
        try:
            found = [entry[0] for entry in self._mounted().ilistdir("/")]
        except OSError as error:
            raise _storage_error(error, "") from None
        return sorted([name for name in found if not name.endswith(_NEW)])

    def _mounted(self) -> "Any":
        if self._fs is None:
            raise StorageError(reason="not mounted", region=self._region)
        return self._fs

    def _opened(self, name: str) -> "Any":
        """The file system, for a name that may stand in it: ".new" at the end is the port's own."""
        is_good = 0 < len(name) <= _NAME_MAX and not name.endswith(_NEW)
        if not is_good or any([char not in _NAME_CHARS for char in name]):
            raise StorageError(reason="bad name")
        return self._mounted()

    def _drop_new(self, name: str) -> None:
        try:
            self._fs.remove(name + _NEW)
        except OSError:
            pass  # what is left of it is hidden, and the next write of that name replaces it


def _storage_error(error: "OSError", name: str) -> "StorageError":
    if error.args[0] == _ENOSPC:
        return StorageFullError(name=name)
    return StorageError(reason="littlefs", number=error.args[0], name=name)


class Mps2Boot:
    """interfaces.Boot from the ROM's handover page and the machine's power-on page.

    `start()` raises OSError where the firmware was not started by the ROM: there is nothing to run on then.
    """

    def start(self) -> "Mps2Boot":
        """Read both pages once; gives itself."""
        page = _mps2.handover()
        self.slot: int = page["slot"]
        self.image_digest: bytes = page["image_digest"]
        self.image_key: int = page["image_key"]
        self.image_key_count: int = page["image_key_count"]
        self.version: "tuple[int, int, int, int]" = page["version"]
        self.is_trial: bool = page["is_trial"]
        self.reset_reason: int = page["reset_reason"]
        power_on = _mps2.power_on()
        self.hardware_id: bytes = power_on["hardware_id"]
        self.is_button_held: bool = power_on["is_button_held"]
        self.is_test_seed: bool = power_on["is_test_seed"]
        return self

    def is_button_pressed(self) -> bool:
        """Whether the machine says so in the power-on page now."""
        pressed: bool = _mps2.power_on()["is_button_held"]
        return pressed

    def reset(self) -> None:
        """Restart through the boot ROM; does not return."""
        _mps2.reset()

    def watchdog_feed(self) -> None:
        """Ten more seconds."""
        _mps2.watchdog_feed()


class Mps2Clock:
    """interfaces.Clock on SysTick. Mbed TLS checks certificate dates against the time set here, or not at all."""

    def ticks_ms(self) -> int:
        now: int = time.ticks_ms()
        return now

    def ticks_diff(self, later: int, earlier: int) -> int:
        difference: int = time.ticks_diff(later, earlier)
        return difference

    def set_trusted_time(self, unix_s: "int | None") -> None:
        _mps2.set_time(unix_s)


class Mps2Entropy:
    """interfaces.Entropy: the generator of port/entropy.c."""

    def is_ready(self) -> bool:
        ready: bool = _mps2.has_entropy()
        return ready

    def random_bytes(self, length: int) -> bytes:
        """Give `length` random bytes, at most 65536. Raises EntropyError when the unit has no seed."""
        try:
            data: bytes = _mps2.random(length)
        except OSError:
            raise EntropyError(what="random bytes") from None
        return data


class Mps2Indicator:
    """interfaces.Indicator on LED 0 of the board."""

    def set(self, is_on: bool) -> None:
        _mps2.led(is_on)


class Mps2Network(SocketNetwork):
    """interfaces.Network on lwIP (address 10.0.2.15, the host is 10.0.2.2); up only where there is entropy."""

    def require_up(self) -> None:
        """Raises LinkError on a unit without entropy."""
        if not _mps2.is_network_up():
            raise LinkError(reason="no network without entropy")

    def addresses(self) -> "Sequence[str]":
        """The one address that network.c sets."""
        return ("10.0.2.15",)


Regions = namedtuple("Regions", ("mount", "format"))


def regions(is_locked: bool) -> "Regions":
    """Give mount(region) and format(region) for the regions "device" and "user"; both return Records.

    mount raises StorageError where nothing mounts; format also for `device` once the unit is locked.
    """
    places = {
        "device": (layout.device_offset, layout.device_bytes),
        "user": (layout.user_offset, layout.user_bytes),
    }
    known: "dict[str, Mps2Records]" = {}
    is_open: "dict[str, bool]" = {}

    def get(region: str) -> "Mps2Records":
        if region not in known:
            known[region] = Mps2Records(region, places[region][0], places[region][1])
        return known[region]

    def mount(region: str) -> "Mps2Records":
        records = get(region)
        if not is_open.get(region):
            records.open()
            is_open[region] = True
        return records

    def format_region(region: str) -> "Mps2Records":
        if is_locked and region == "device":
            raise StorageError(reason="locked", region=region)
        records = get(region)
        is_open[region] = False
        records.format()
        is_open[region] = True
        return records

    return Regions(mount, format_region)


def is_unit_locked() -> bool:
    """Whether the ROM found the factory lock at this start."""
    locked: bool = _mps2.handover()["is_locked"]
    return locked


def is_development() -> bool:
    """Whether this firmware was built with an open console."""
    is_open: bool = _mps2.is_console_open()
    return is_open


def factory_stream() -> "SocketStream":
    """The factory port (UART2) as interfaces.Stream."""
    return SocketStream(asyncio.StreamReader(_mps2.Uart(_FACTORY_UART)))


def heap() -> "tuple[int, int]":
    """(peak, free) bytes of the Python heap; the peak counts what lived after a collection."""
    return _mps2.heap_peak(), gc.mem_free()
