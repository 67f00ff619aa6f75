"""The capacities of a unit: one table for everything that is signed.

A signature check passes a value beyond a capacity, and the unit then fails after the point of no return or never takes
the record. The signing tools therefore refuse it. The numbers come from the NVM map (device/layout.py) and
device/limits.py.
"""

from __future__ import annotations

from typing import Final

from device.layout import MPS2
from device.limits import KEYSET_BYTES, RECORD_BYTES, STATEMENT_BYTES
from provisioning.release.payload import MAX_PAYLOAD_BYTES, ReleaseError

# Each step of the counter programs one unit of NVM.
SECURITY_COUNTER_MAX: Final = MPS2.counter_sectors * MPS2.sector_bytes // MPS2.unit_bytes
IMAGE_MAX_BYTES: Final = MPS2.slot_bytes - MPS2.sector_bytes  # the last sector holds the trailer marks
# The last two sectors hold the binding and the marks.
SET_MAX_BYTES: Final = MPS2.set_bytes - 2 * MPS2.sector_bytes
# device/records/freshness.py takes no larger newest number from a tracker.
SEQUENCE_MAX: Final = (1 << 53) - 1
BUILD_MAX: Final = (1 << 32) - 1  # MCUboot's ih_ver.iv_build_num

# Quantity -> (largest value, unit of measure)
CAPACITIES: Final = {
    "security counter": (SECURITY_COUNTER_MAX, ""),
    "image": (IMAGE_MAX_BYTES, " bytes"),
    "payload": (MAX_PAYLOAD_BYTES, " bytes"),
    "application set": (SET_MAX_BYTES, " bytes"),
    "sequence number": (SEQUENCE_MAX, ""),
    "build number": (BUILD_MAX, ""),
    "record": (RECORD_BYTES, " bytes"),
    "key set": (KEYSET_BYTES, " bytes"),
    "statement": (STATEMENT_BYTES, " bytes"),
}


def require_capacity(what: str, value: int) -> None:
    """Raise ReleaseError unless 0 <= `value` <= the capacity of `what`, a key of CAPACITIES."""
    largest, unit = CAPACITIES[what]
    if not 0 <= value <= largest:
        raise ReleaseError(f"the {what} is {value}{unit}; a unit takes 0 to {largest}{unit}")
