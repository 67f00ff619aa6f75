"""The time in what a command signs: the machine's, checked as far as a machine can, or the one that a person gives.

Others accept a wrong time that was signed. The tracker refuses to sign it (servers/signing_clock.py), because
nobody watches it. A command has a person in front of it, often on a machine without network, so it says what it signs:
a clock that no time service keeps is a warning, and the next step is `--time` or the right clock.
"""

from __future__ import annotations

import datetime as dt
import time
from typing import Final

from provisioning.cli.errors import warn
from provisioning.servers.signing_clock import is_synchronised

# What a wrong time does, for the commands that share it.
IN_RECORDS: Final = "It goes into signed records: check it."
IN_CERTIFICATES: Final = "Units refuse a certificate that begins later than their time: check it."
IN_UNITS: Final = "Certificates and records of units begin with it: check it."


def signing_time(given_s: int | None, effect: str) -> int:
    """Return the unix seconds to sign: `given_s`, or the clock's with a warning if no time service keeps it.

    `effect`: a sentence about a wrong time.
    """
    now_s = int(time.time()) if given_s is None else given_s
    if given_s is None:
        warn_of_clock(effect)
    return now_s


def warn_of_clock(effect: str) -> None:
    """Warn that the clock of this machine is not synchronised, if it is not. `effect`: as in signing_time."""
    if not _is_kept():
        warn(
            f"No time service keeps the clock of this machine, which says {text_of(int(time.time()))}. {effect}"
        )


def text_of(time_s: int) -> str:
    """Return unix seconds as people read them, in UTC."""
    try:
        return dt.datetime.fromtimestamp(time_s, dt.UTC).strftime("%d %B %Y, %H:%M UTC")
    except (OverflowError, ValueError, OSError):
        return f"{time_s} s after 1970"


def _is_kept() -> bool:
    try:
        return is_synchronised()
    except (
        OSError,
        AttributeError,
        TypeError,
    ):  # a system without adjtimex(2): it says nothing about its clock
        return True
