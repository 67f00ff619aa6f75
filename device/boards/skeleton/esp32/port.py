"""The ports of BOARD_NAME: the promises of device/interfaces.py with an ESP32. NOT YET RUN ON HARDWARE.

The ports of the chip are in device/ports: esp32.py, esp32_fuses.py and esp32_wifi.py. What depends on your board is in
board.py and below. `firstboot board check .` shows what is missing.
"""

import asyncio

import _fbesp
import board
import machine

from device.boards.esp32 import unit
from device.compat import const
from device.ports import esp32, esp32_fuses, esp32_wifi
from device.ports.littlefs import Regions
from device.ports.rtc import RtcClock
from device.ports.sockets import SocketStream

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    gc: Any = None  # MicroPython's own counts bytes, which CPython's does not
else:
    import gc

HAS_BUTTON = const(1)  # 0: the board has none
_radio: "list[Any]" = []


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
    return not _fbesp.is_product()


def clock() -> "Any":
    return RtcClock(board.BUILD_TIME_S)


def entropy() -> "Any":
    return esp32.Esp32Entropy(wifi().link)  # the chip's generator is a true one only while the radio is on


def flash() -> "Any":
    return unit.flash(not is_development())


def regions(flash: "Any") -> "Any":
    devices = {"device": esp32.find_partition(esp32.DEVICE), "user": esp32.find_partition(esp32.USER)}
    if _fbesp.protection()[1]:
        devices = {name: esp32_fuses.EncryptedBlocks(devices[name]) for name in devices}
    return Regions(devices, flash.is_unit_locked())


def boot(flash: "Any") -> "Any":
    made = esp32.Esp32Boot(flash, _pin("BUTTON_PIN"), bool(_fbesp.protection()[0]))
    made.start()
    return made


def key_store() -> "Any":
    return esp32_fuses.key_store()


def wifi() -> "Any":
    if not _radio:
        radio = esp32_wifi.Esp32Wifi()
        radio.switch_on()
        _radio.append(radio)
    return _radio[0]


def network() -> "Any":
    return esp32_wifi.WlanNetwork(wifi())
