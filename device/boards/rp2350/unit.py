"""Join the RP2350's ports with the agent, for the boards with this chip. NOT YET RUN ON HARDWARE.

Rules:
1. A product's build starts only on a chip whose OTP has secure boot on and debug off (otp.json).
2. The network is the board's: `start_network(mount)` returns an interface of MicroPython's module `network` that is
   on, or `radio` is a ports.rp2_wifi.Rp2Wifi, over which the owner chooses the network (boards/rp2350w).
   boards/rp2350 has neither, so its unit runs without a network until you add one.
"""

import asyncio
from collections import namedtuple

import _fbrp2
import machine

from device.agent import agent
from device.compat import const
from device.errors import FlashError
from device.ports import appfiles, rp2, rp2_otp
from device.ports.littlefs import Regions
from device.ports.sockets import SocketStream

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable

    gc: Any = None  # MicroPython's own counts bytes, which CPython's does not
else:
    import gc

_FACTORY_UART = const(1)
_FACTORY_BAUD = const(115200)
_COLLECT_EVERY_BYTES = const(16 * 1024)  # as boards/mps2_an385/board.py; not measured on this chip

Board = namedtuple("Board", ("NAME", "PBKDF2_ITERATIONS", "IS_DEVELOPMENT", "HAS_BUTTON", "HOST_NAMES"))


class Light:
    """interfaces.Indicator on a pin."""

    def __init__(self, pin: int) -> None:
        self._pin = machine.Pin(pin, machine.Pin.OUT)

    def set(self, is_on: bool) -> None:
        """Switch the light."""
        self._pin.value(1 if is_on else 0)


def flash(is_product: bool) -> "rp2.Rp2Flash":
    """Return the flash; a product's has lock and counter in OTP. Raises FlashError (rule 1)."""
    is_signed, is_closed = _fbrp2.protection()
    if is_product and not (is_signed and is_closed):
        raise FlashError(reason="the chip is not protected", offset=0)
    return rp2.Rp2Flash(rp2_otp.OtpFuses() if is_product else None)


def memory() -> "dict[str, int]":
    """Return the Python heap; Mbed TLS allocates there too, since MicroPython's rp2 port has no other heap."""
    free = gc.mem_free()
    return {"heap_bytes": free + gc.mem_alloc(), "heap_free_bytes": free}


def ports(
    board: "Any", start_network: "Callable[[Any], Any] | None" = None, radio: "Any" = None
) -> "agent.Ports":
    """Return the ports of `board` (its module board.py). Raises FlashError, ImageFormatError, OSError."""
    is_product = bool(_fbrp2.is_product())
    nvm = flash(is_product)
    boot = rp2.Rp2Boot(nvm, board.BUTTON_PIN)
    boot.start()
    regions = Regions(rp2.record_devices(), nvm.is_unit_locked(), rp2.PAGE_BYTES)
    interface = None if start_network is None else start_network(regions.mount)
    network: "Any" = rp2.Rp2Network(interface)
    if radio is not None:
        radio.switch_on()
        network = radio.network()
        if board.HAS_BLUETOOTH:
            from device.ports import ble

            radio.bluetooth = ble.BleLine()
    uart = machine.UART(
        _FACTORY_UART,
        baudrate=_FACTORY_BAUD,
        tx=machine.Pin(board.FACTORY_TX_PIN),
        rx=machine.Pin(board.FACTORY_RX_PIN),
    )
    return agent.Ports(
        flash=nvm,
        layout=nvm.layout,
        boot=boot,
        clock=rp2.Rp2Clock(),
        entropy=rp2.Rp2Entropy(),
        network=network,
        factory_stream=SocketStream(asyncio.StreamReader(uart)),
        mount=regions.mount,
        format=regions.format,
        say=print,
        memory=memory,
        indicator=Light(board.LIGHT_PIN),
        key_store=None,  # the chip has none; page 58 of OTP could hold a key, which the firmware could then read
        load_app=appfiles.load,
        wifi=radio,
        improv=None,
        board=Board(board.NAME, board.PBKDF2_ITERATIONS, not is_product, board.HAS_BUTTON, board.HOST_NAMES),
    )


def run(board: "Any", start_network: "Callable[[Any], Any] | None" = None, radio: "Any" = None) -> None:
    """Run the unit. Returns only if the agent does; then main.py restarts the chip."""
    gc.threshold(_COLLECT_EVERY_BYTES)
    agent.run(ports(board, start_network, radio))
