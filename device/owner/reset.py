"""Factory reset: the owner's data goes, the unit's identity stays, and the set-up code works again (PW-03, SE-11).

Rules:
1. The mark comes first: `owned` = {1: true, 2: true}. From then on the unit is closed (lifecycle.py, rule 5), and
   every start continues the reset until it is finished, however often the power fails.
2. The user region is erased sector by sector, unused sectors too, since littlefs leaves old content in them. Then it
   is formatted. The result is byte for byte the user region of a fresh unit.
3. In the `device` region only the marks `owned` and `press` change; sequence numbers and the time floor stay.
4. The last owner knows the set-up code. On a board with a button the record `press` therefore asks for a press at
   the next set-up (onboarding.py, rule 7), so that only a person who holds the unit can set it up.
5. `owned` is deleted last; until then set-up does not exist.
"""

from device.compat import const
from device.owner.lifecycle import OWNED, RESETTING

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable, Generator

    from device.interfaces import Flash
    from device.layout import NvmLayout
    from device.records.store import Store


def begin(device: "Store") -> None:
    """Store the mark, so that this start or the next one carries out the reset. Raises StorageError."""
    device.write_map("owned", {OWNED: True, RESETTING: True})


def finish(
    flash: "Flash",
    layout: "NvmLayout",
    device: "Store",
    format_user: "Callable[[], object]",
    has_button: bool,
) -> "Generator[None, None, None]":
    """Carry out the reset; yields None after each sector, so that the caller can feed the watchdog.

    The user region must not be in use. `format_user` makes an empty file system there. The reset may be interrupted
    at any point and started again. Raises FlashError, StorageError: the mark stays, and the unit stays closed.
    """
    for offset in range(layout.user_offset, layout.user_offset + layout.user_bytes, flash.sector_bytes):
        flash.erase(offset)
        yield
    format_user()
    if has_button:
        device.write_map("press", {1: True})
    device.delete("owned")
