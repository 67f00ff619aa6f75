"""A scenario in which every kind of fault happens within a few hours."""

from __future__ import annotations

EVERYTHING = """
[fleet]
seed = {seed}
units = {units}
hours = {hours}
check_interval_s = 900
drift_ppm = 400
updates_off = 0.2

[link]
delay_ms = 40
loss = 0.05
nat_timeout_s = 3

[power]
cuts_per_day = 12
off_s = 90
in_install = 0.5

[[region]]
name = "town"
share = 0.6

[[region]]
name = "country"
share = 0.4
delay_ms = 300

[[release]]
number = 2
at_s = 1800
hangs = 0.3

[[release]]
number = 3
at_s = 4500

[[outage]]
region = "country"
from_s = 1700
to_s = 2600

[[hostile]]
region = "town"
from_s = 2700
to_s = 3600
does = "tamper"

[[hostile]]
region = "country"
from_s = 4500
to_s = 5400
does = "tamper-chunks"

[[hostile]]
region = "town"
from_s = 4600
to_s = 5000
does = "mute"

[[hostile]]
from_s = 5400
to_s = 6000
does = "replay"

[[hostile]]
region = "town"
from_s = 6000
to_s = 6600
does = "withhold"
"""


def everything(*, units: int, hours: int = 2, seed: int = 7) -> str:
    """Return the scenario with so many units and hours."""
    return EVERYTHING.format(units=units, hours=hours, seed=seed)
