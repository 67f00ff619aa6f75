"""All planted bugs, by name."""

from __future__ import annotations

from typing import Final

from simulator.powercut.planted.owner_bugs import OWNER
from simulator.powercut.planted.plant import Bug, table
from simulator.powercut.planted.record_bugs import RECORDS
from simulator.powercut.planted.slot_bugs import SLOTS
from simulator.powercut.planted.update_bugs import UPDATES

BUGS: Final[dict[str, Bug]] = table([*SLOTS, *UPDATES, *OWNER, *RECORDS])
