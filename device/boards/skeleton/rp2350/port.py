"""The ports of BOARD_NAME: the promises of device/interfaces.py with an RP2350. NOT YET RUN ON HARDWARE.

The ports of the chip are in device/ports: rp2.py and rp2_otp.py. What depends on your board is in board.py and
below. `firstboot board check .` shows what is missing.
"""

import asyncio

import _fbrp2
import board
import machine

from device.boards.rp2350 import unit
from device.compat import const
from device.ports import rp2
from device.ports.littlefs import Regions
from device.ports.sockets import SocketStream

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    gc: Any = None  # MicroPython's own counts bytes, which CPython's does not
else:
    import gc

HAS_BUTTON = const(1)  # 0: the board has none


def _pin(name: str) -> int:
    number = getattr(board, name)
    if number is None:
        raise NotImplementedError("board." + name + ": the number of the pin")
    return int(number)


class Light:
    """interfaces.Indicator on a pin."""

    def __init__(self, pin: int) -> None:
        self._pin = machine.Pin(pin, machine.Pin.OUT)

    def set(self, is_on: bool) -> None:
        """Switch the light."""
        self._pin.value(1 if is_on else 0)


def indicator() -> "Any":
    return Light(_pin("LIGHT_PIN"))


def factory_stream() -> "Any":
    pins = {"tx": machine.Pin(_pin("FACTORY_TX_PIN")), "rx": machine.Pin(_pin("FACTORY_RX_PIN"))}
    return SocketStream(asyncio.StreamReader(machine.UART(1, baudrate=115200, **pins)))


def memory() -> "dict[str, int]":
    free = gc.mem_free()
    return {"heap_bytes": free + gc.mem_alloc(), "heap_free_bytes": free}


def is_development() -> bool:
    return not _fbrp2.is_product()


def clock() -> "Any":
    return rp2.Rp2Clock()


def entropy() -> "Any":
    return rp2.Rp2Entropy()


def flash() -> "Any":
    return unit.flash(not is_development())


def regions(flash: "Any") -> "Any":
    return Regions(rp2.record_devices(), flash.is_unit_locked(), rp2.PAGE_BYTES)


def boot(flash: "Any") -> "Any":
    made = rp2.Rp2Boot(flash, _pin("BUTTON_PIN"))
    made.start()
    return made


def key_store() -> "Any":
    return None  # the chip has no key that its firmware cannot read


def network() -> "Any":
    """Return the network. A Pico 2 W takes that of device.ports.rp2_wifi (see device/boards/rp2350w/main.py)."""
    raise NotImplementedError(
        "network: rp2.Rp2Network(interface) with the interface of your board's Ethernet chip"
    )


def wifi() -> "Any":
    """Return the radio: a device.ports.rp2_wifi.Rp2Wifi that is switched on, or None."""
    raise NotImplementedError("wifi: Rp2Wifi of a Pico 2 W, or None")
