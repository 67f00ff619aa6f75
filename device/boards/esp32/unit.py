"""Join the ESP32 ports with the agent, for the boards of the family. NOT YET RUN ON HARDWARE.

Rules:
1. A product's build (variant PRODUCT) starts only on a chip whose eFuses have secure boot and flash encryption on.
2. An ordinary build on a protected chip is as strict about images, so that it never stages one that cannot start.
"""

import asyncio
from collections import namedtuple

import _fbesp
import esp32 as chip
import machine

from device.agent import agent
from device.compat import const
from device.errors import FlashError
from device.ports import appfiles, esp32, esp32_fuses, esp32_wifi
from device.ports.littlefs import Regions
from device.ports.rtc import RtcClock
from device.ports.sockets import SocketStream

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    gc: Any = None  # MicroPython's own counts bytes, which CPython's does not
else:
    import gc

_FACTORY_UART = const(1)  # UART 0 is the console of a development build
_FACTORY_BAUD = const(115200)
_COLLECT_EVERY_BYTES = const(16 * 1024)  # as boards/mps2_an385/board.py; not measured on these chips

Board = namedtuple("Board", ("NAME", "PBKDF2_ITERATIONS", "IS_DEVELOPMENT", "HAS_BUTTON", "HOST_NAMES"))


class Light:
    """interfaces.Indicator on a pin."""

    def __init__(self, pin: int) -> None:
        self._pin = machine.Pin(pin, machine.Pin.OUT)

    def set(self, is_on: bool) -> None:
        """Switch the light."""
        self._pin.value(1 if is_on else 0)


def flash(is_product: bool) -> "esp32.Esp32Flash":
    """Return the flash; a product's has lock and counter in eFuses. Raises FlashError (rule 1)."""
    is_signed, is_encrypted = _fbesp.protection()
    if is_product and not (is_signed and is_encrypted):
        raise FlashError(reason="the chip is not protected", offset=0)
    return esp32.Esp32Flash(
        esp32_fuses.EspFuses() if is_product else None,
        esp32_fuses.EncryptedBlocks if is_encrypted else None,
    )


def memory() -> "dict[str, int]":
    """Return the Python heap, and what ESP-IDF has beside it: in total, free, and in its largest free block."""
    free = gc.mem_free()
    parts = chip.idf_heap_info(chip.HEAP_DATA)
    return {
        "heap_bytes": free + gc.mem_alloc(),
        "heap_free_bytes": free,
        "system_bytes": sum([part[0] for part in parts]),
        "system_free_bytes": sum([part[1] for part in parts]),
        "system_free_block_bytes": max([part[2] for part in parts]),
    }


def ports(board: "Any") -> "agent.Ports":
    """Return the ports of `board` (its module board.py). Raises FlashError, ImageFormatError, OSError."""
    is_product = bool(_fbesp.is_product())
    is_signed, is_encrypted = _fbesp.protection()
    nvm = flash(is_product)
    boot = esp32.Esp32Boot(nvm, board.BUTTON_PIN, bool(is_signed))
    boot.start()
    devices = {"device": esp32.find_partition(esp32.DEVICE), "user": esp32.find_partition(esp32.USER)}
    if is_encrypted:
        devices = {name: esp32_fuses.EncryptedBlocks(devices[name]) for name in devices}
    regions = Regions(devices, nvm.is_unit_locked())
    radio = esp32_wifi.Esp32Wifi()
    radio.switch_on()
    if board.HAS_BLUETOOTH:
        from device.ports import ble

        radio.bluetooth = ble.BleLine()
    uart = machine.UART(
        _FACTORY_UART, baudrate=_FACTORY_BAUD, tx=board.FACTORY_TX_PIN, rx=board.FACTORY_RX_PIN
    )
    return agent.Ports(
        flash=nvm,
        layout=nvm.layout,
        boot=boot,
        clock=RtcClock(board.BUILD_TIME_S),
        entropy=esp32.Esp32Entropy(radio.link),
        network=esp32_wifi.WlanNetwork(radio),
        factory_stream=SocketStream(asyncio.StreamReader(uart)),
        mount=regions.mount,
        format=regions.format,
        say=print,
        memory=memory,
        indicator=Light(board.LIGHT_PIN),
        key_store=esp32_fuses.key_store(),
        load_app=appfiles.load,
        wifi=radio,
        improv=None,
        board=Board(board.NAME, board.PBKDF2_ITERATIONS, not is_product, board.HAS_BUTTON, board.HOST_NAMES),
    )


def run(board: "Any") -> None:
    """Run the unit. Returns only if the agent does; then main.py restarts the chip."""
    gc.threshold(_COLLECT_EVERY_BYTES)
    agent.run(ports(board))
