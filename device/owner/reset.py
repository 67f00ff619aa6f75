"""Factory reset: the owner's data goes, the unit's identity stays, and the set-up code is alive again (PW-03, SE-11).

Rules:
1. The mark comes first: `owned` = {1: true, 2: true}. From then on the unit is closed (lifecycle.py, rule 5), and
   every start goes on with the reset until it is finished, however often the power goes.
2. The user region is erased sector by sector, free sectors too, since littlefs leaves old content behind, and then
   formatted: byte for byte the user region of a fresh unit.
3. The `device` region is not touched but for the two marks; sequence numbers and the time floor stay.
4. The last owner knows the set-up code. On a board with a button the record `press` therefore asks for a press at
   the next set-up (onboarding.py, rule 7): whoever sets the unit up then holds it.
5. `owned` is deleted last; before that no set-up exists.
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
    """Store the mark: the reset will happen, now or at the next start. Raises StorageError."""
    device.write_map("owned", {OWNED: True, RESETTING: True})


def finish(
    flash: "Flash",
    layout: "NvmLayout",
    device: "Store",
    format_user: "Callable[[], object]",
    has_button: bool,
) -> "Generator[None, None, None]":
    """Carry the reset out; yields after each sector, so that the caller can feed the watchdog.

    Nothing may have the user region open. `format_user` makes an empty file system there. May be cut anywhere and
    begun anew. Raises FlashError, StorageError: the mark stays then, and the unit stays closed.
    """
    for offset in range(layout.user_offset, layout.user_offset + layout.user_bytes, flash.sector_bytes):
        flash.erase(offset)
        yield
    format_user()
    if has_button:
        device.write_map("press", {1: True})
    device.delete("owned")
