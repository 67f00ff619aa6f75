"""The phases of a run, in order: the first ones for every unit, then those of an open or of a locked unit."""

from __future__ import annotations

from typing import Final

from device.records import store
from provisioning.station.phases import Limit, Phase
from provisioning.station.steps_identity import identify, reach, reserve
from provisioning.station.steps_lock import find_label, label, lock, prove, record_pass
from provisioning.station.steps_records import install, personalise, share_oscore, verify

# A line that needs more repeats, or damages more frames, must be repaired before a unit is touched.
LINE_LIMITS: Final = (Limit("repeats", 0, 16), Limit("damaged_frames", 0, 64))

FIRST_PHASES: Final = (Phase("link", reach, LINE_LIMITS), Phase("identify", identify))
OPEN_PHASES: Final = (
    Phase("reserve", reserve),
    Phase("personalise", personalise),
    Phase("anchors", install("anchors")),
    Phase("support", install("support")),
    Phase("contact", install("contact")),
    Phase("statement", install("statement")),
    Phase("servers", install("servers")),
    Phase("oscore", share_oscore),
    Phase("verify", verify, (Limit("records", len(store.STATION_RECORDS), len(store.STATION_RECORDS)),)),
    Phase("label", label),
    Phase("lock", lock),
    Phase("prove", prove),
    Phase("record", record_pass),
)
LOCKED_PHASES: Final = (Phase("label", find_label), Phase("prove", prove), Phase("record", record_pass))
