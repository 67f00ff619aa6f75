"""The emulated board's ports: device.interfaces on the C module `_mps2` and MicroPython's own modules.

OSError numbers and the libraries' ValueError stop here: policy sees typed errors.
"""

import asyncio

import _mps2

from device.codec.image import parse_image
from device.compat import const
from device.errors import EntropyError, FlashError, LinkError
from device.layout import MPS2
from device.ports.littlefs import Regions
from device.ports.sockets import SocketNetwork, SocketStream

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable, Sequence

    from device.codec.image import ImageInfo

    time: Any = None  # MicroPython's own has ticks, which CPython's type does not know
else:
    import time

_EPERM = const(1)
_EEXIST = const(17)
_FACTORY_UART = const(2)

layout = MPS2


class Mps2Flash:
    """interfaces.Flash: the whole NVM. The driver enforces the NOR rules and reads back each write.

    It refuses to erase boot facts (layout.py, rule 3) and to touch the entropy state in any way.
    """

    size_bytes = MPS2.size_bytes
    sector_bytes = MPS2.sector_bytes
    unit_bytes = MPS2.unit_bytes

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes at `offset`. Raises FlashError."""
        try:
            data: bytes = _mps2.nvm_read(offset, length)
        except (OSError, ValueError, OverflowError) as error:
            raise _flash_error(error, offset) from None
        return data

    def write(self, offset: int, data: bytes) -> None:
        """Program whole erased units. Raises FlashError; a refused write changed nothing."""
        if not data:
            raise FlashError(reason="range", offset=offset)
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


class Mps2Boot:
    """interfaces.Boot from the ROM's handover page and the machine's power-on page.

    `start()` raises OSError if the ROM did not start this firmware.
    """

    def start(self) -> "Mps2Boot":
        """Read both pages once and return this object."""
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

    def parse_image(self, read: "Callable[[int, int], bytes]", limit: int) -> "ImageInfo":
        """Return the facts of a MCUboot image. Raises ImageFormatError."""
        return parse_image(read, limit)

    def is_button_pressed(self) -> bool:
        """Return whether the power-on page has its button flag set now."""
        pressed: bool = _mps2.is_button_held()
        return pressed

    def reset(self) -> None:
        """Restart through the boot ROM; does not return."""
        _mps2.reset()

    def watchdog_feed(self) -> None:
        """Restart the watchdog's ten seconds."""
        _mps2.watchdog_feed()


class Mps2Clock:
    """interfaces.Clock on SysTick. Without a trusted time, Mbed TLS does not check certificate dates."""

    def ticks_ms(self) -> int:
        """Return milliseconds since the start; they wrap at 2**30."""
        now: int = time.ticks_ms()
        return now

    def ticks_diff(self, later: int, earlier: int) -> int:
        """Return the signed distance of two ticks in milliseconds."""
        difference: int = time.ticks_diff(later, earlier)
        return difference

    def set_trusted_time(self, unix_s: "int | None") -> None:
        """Set the time (Unix seconds) for certificate dates; None = do not check dates."""
        _mps2.set_time(unix_s)


class Mps2Entropy:
    """interfaces.Entropy: the generator of port/entropy.c."""

    def is_ready(self) -> bool:
        """Return whether the generator of this start was seeded."""
        ready: bool = _mps2.has_entropy()
        return ready

    def random_bytes(self, length: int) -> bytes:
        """Return `length` random bytes, at most 65536. Raises EntropyError if the unit has no seed."""
        try:
            data: bytes = _mps2.random(length)
        except OSError:
            raise EntropyError(what="random bytes") from None
        return data


class Mps2Indicator:
    """interfaces.Indicator on LED 0 of the board."""

    def set(self, is_on: bool) -> None:
        """Switch the light."""
        _mps2.led(is_on)


class Mps2Network(SocketNetwork):
    """interfaces.Network on lwIP (address 10.0.2.15, the host is 10.0.2.2). It is up only if there is entropy."""

    def require_up(self) -> None:
        """Raises LinkError on a unit without entropy."""
        if not _mps2.is_network_up():
            raise LinkError(reason="no network without entropy")

    def addresses(self) -> "Sequence[str]":
        """Return the one address that network.c sets."""
        return ("10.0.2.15",)

    async def open_group(self, group: str, port: int) -> None:
        """Return None: the board's network is a serial line to one host, without multicast (lwipopts.h)."""


def regions(is_locked: bool) -> "Regions":
    """Return mount(region) and format(region) for the regions "device" and "user" of this board."""
    devices = {
        "device": _mps2.NvmBlock(layout.device_offset, layout.device_bytes),
        "user": _mps2.NvmBlock(layout.user_offset, layout.user_bytes),
    }
    return Regions(devices, is_locked)


def is_unit_locked() -> bool:
    """Return whether the ROM found the factory lock at this start. Raises OSError if it did not start this firmware."""
    locked: bool = _mps2.handover()["is_locked"]
    return locked


def is_development() -> bool:
    """Return whether this firmware was built with an open console."""
    is_open: bool = _mps2.is_console_open()
    return is_open


def factory_stream() -> "SocketStream":
    """Return the factory port (UART2) as interfaces.Stream."""
    return SocketStream(asyncio.StreamReader(_mps2.Uart(_FACTORY_UART)))


_MEMORY = (
    "heap_bytes",
    "heap_peak_bytes",
    "heap_free_bytes",
    "heap_least_block_bytes",
    "tls_bytes",
    "tls_used_bytes",
    "tls_peak_bytes",
    "tls_free_block_bytes",
    "tls_refused",
    "stack_bytes",
    "stack_peak_bytes",
)


def memory() -> "dict[str, int]":
    """Return what the unit's memory is used for (docs/performance.md, Memory).

    Python heap: size, the most bytes in use after a collection, free now, the smallest that its largest free block
    ever was. Mbed TLS: size of its arena, in use, peak, largest free block, requests without room. Stack: size, deepest
    use since the start.
    """
    return {_MEMORY[at]: number for at, number in enumerate(_mps2.memory())}
