"""The ports of BOARD_NAME: the promises of device/interfaces.py, kept with this board's hardware.

Each part below is one step of the checklist: `firstboot board check .` shows what is missing. Write the parts in this
order, from the top. The ports in device/ports/ are examples, and some serve every board: littlefs.py, sockets.py,
blocks.py, slots.py, fuses.py, appfiles.py.
"""

from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable

HAS_BUTTON = const(1)  # 0: the board has none (step 9)


# Step 1: clock -----------------------------------------------------------------------------------------------------
class Clock:
    """interfaces.Clock."""

    def ticks_ms(self) -> int:
        raise NotImplementedError("Clock.ticks_ms")

    def ticks_diff(self, later: int, earlier: int) -> int:
        raise NotImplementedError("Clock.ticks_diff")

    def set_trusted_time(self, unix_s: "int | None") -> None:
        raise NotImplementedError("Clock.set_trusted_time")


def clock() -> "Any":
    return Clock()


# Step 2: random numbers --------------------------------------------------------------------------------------------
class Entropy:
    """interfaces.Entropy."""

    def is_ready(self) -> bool:
        raise NotImplementedError("Entropy.is_ready")

    def random_bytes(self, length: int) -> bytes:
        raise NotImplementedError("Entropy.random_bytes")


def entropy() -> "Any":
    return Entropy()


# Step 3: flash and slots, step 7: lock and counter ------------------------------------------------------------------
class Flash:
    """interfaces.Flash, with `layout` (device.layout.NvmLayout) and the slot that runs."""

    layout: "Any" = None
    size_bytes = sector_bytes = unit_bytes = 0
    running_slot = 0  # the checks write to the other one

    def read(self, offset: int, length: int) -> bytes:
        raise NotImplementedError("Flash.read")

    def write(self, offset: int, data: bytes) -> None:
        raise NotImplementedError("Flash.write")

    def erase(self, offset: int) -> None:
        raise NotImplementedError("Flash.erase")


def flash() -> "Any":
    if Flash.layout is None:
        raise NotImplementedError(
            "Flash.layout: a device.layout.NvmLayout with the regions of your flash chip"
        )
    return Flash()


# Step 4: settings and other records ---------------------------------------------------------------------------------
def regions(flash: "Any") -> "Any":
    """Return an object with mount(region) and format(region), as device.ports.littlefs.Regions."""
    raise NotImplementedError(
        "regions: the block devices of the regions `device` and `user` for littlefs.Regions"
    )


# Step 5: boot loader, step 6: watchdog, step 9: button ---------------------------------------------------------------
class Boot:
    """interfaces.Boot. start() reads the handover and arms the watchdog."""

    slot = 0
    image_digest = b""
    image_key = image_key_count = 0
    version = (0, 0, 0, 0)
    is_trial = is_button_held = is_test_seed = False
    reset_reason = 0
    hardware_id = b""

    def start(self) -> "Boot":
        raise NotImplementedError(
            "Boot.start: slot, digest, version, trial, reset reason and id of this start"
        )

    def parse_image(self, read: "Callable[[int, int], bytes]", limit: int) -> "Any":
        raise NotImplementedError("Boot.parse_image: device.codec.image.parse_image reads MCUboot's format")

    def is_button_pressed(self) -> bool:
        raise NotImplementedError("Boot.is_button_pressed")

    def reset(self) -> None:
        raise NotImplementedError("Boot.reset")

    def watchdog_feed(self) -> None:
        raise NotImplementedError("Boot.watchdog_feed")


def boot(flash: "Any") -> "Any":
    return Boot().start()


# Step 8: key store --------------------------------------------------------------------------------------------------
def key_store() -> "Any":
    """Return an interfaces.KeyStore; None if the chip has no key that its firmware cannot read."""
    raise NotImplementedError("key_store: an object with keyed_digest(data), or None")


# Step 10: light -----------------------------------------------------------------------------------------------------
class Indicator:
    """interfaces.Indicator."""

    def set(self, is_on: bool) -> None:
        raise NotImplementedError("Indicator.set")


def indicator() -> "Any":
    return Indicator()


# Step 11: network ---------------------------------------------------------------------------------------------------
def network() -> "Any":
    """Return an interfaces.Network; a subclass of device.ports.sockets.SocketNetwork has the most of it."""
    raise NotImplementedError("network: TLS, UDP and the unit's addresses")


# Step 12: radio -----------------------------------------------------------------------------------------------------
def wifi() -> "Any":
    """Return an interfaces.Wifi; None on a board without a radio."""
    raise NotImplementedError("wifi: an object for the radio, or None")


# Step 13: the parts together ----------------------------------------------------------------------------------------
def factory_stream() -> "Any":
    """Return the factory port as interfaces.Stream: a serial line that only the factory reaches."""
    raise NotImplementedError("factory_stream: device.ports.sockets.SocketStream over a serial line")


def memory() -> "dict[str, int]":
    """Return what the memory is used for, at least heap_bytes and heap_free_bytes."""
    raise NotImplementedError("memory: gc.mem_free() and gc.mem_alloc()")


def is_development() -> bool:
    """Return whether this firmware has an open console."""
    raise NotImplementedError("is_development: False only in a build without a prompt")
