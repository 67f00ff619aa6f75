"""What a unit can hold and count: the one table that signing a release and signing an image ask.

A value beyond a capacity passes every signature check and fails in a unit after the point of no return, so it is
refused here before anything is signed. Sizes and steps come from the NVM map (device/layout.py) and device/limits.py.
"""

from __future__ import annotations

from typing import Final

from device.layout import MPS2
from provisioning.release.payload import MAX_PAYLOAD_BYTES, ReleaseError

SECURITY_COUNTER_MAX: Final = (
    MPS2.counter_sectors * MPS2.sector_bytes // MPS2.unit_bytes
)  # one unit for each step
IMAGE_MAX_BYTES: Final = MPS2.slot_bytes - MPS2.sector_bytes  # the last sector holds the trailer marks
SET_MAX_BYTES: Final = (
    MPS2.set_bytes - 2 * MPS2.sector_bytes
)  # the last two hold the owner's record and the marks
SEQUENCE_MAX: Final = (
    1 << 53
) - 1  # device/records/freshness.py takes no larger newest number from a tracker
BUILD_MAX: Final = (1 << 32) - 1  # MCUboot's ih_ver.iv_build_num

# What is measured -> (largest value, unit of measure)
CAPACITIES: Final = {
    "security counter": (SECURITY_COUNTER_MAX, ""),
    "image": (IMAGE_MAX_BYTES, " bytes"),
    "payload": (MAX_PAYLOAD_BYTES, " bytes"),
    "application set": (SET_MAX_BYTES, " bytes"),
    "sequence number": (SEQUENCE_MAX, ""),
    "build number": (BUILD_MAX, ""),
}


def require_capacity(what: str, value: int) -> None:
    """Raise ReleaseError unless 0 <= `value` <= the capacity of `what`, a key of CAPACITIES."""
    largest, unit = CAPACITIES[what]
    if not 0 <= value <= largest:
        raise ReleaseError(f"the {what} is {value}{unit}; a unit takes 0 to {largest}{unit}")
