"""What the one light says: which pattern for which state, and how a pattern is played (SP-08).

Patterns differ in rhythm and not in colour, so that everybody can tell them apart and one plain LED is enough.
"""

from device.compat import const
from device.owner import lifecycle
from device.records import support

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Awaitable, Callable

    from device.interfaces import Indicator

# Milliseconds on, off, on, off ... of one round.
OFF = (0, 1000)  # belongs to the station still
STEADY = (1000, 0)  # all is well
SETUP = (500, 500)  # waits for its owner: even blinking
ENDING = (1000, 100, 100, 100)  # support ends soon: on, with a short flicker
ENDED = (100, 100, 100, 1700)  # support has ended: two short flashes, long dark
UNKNOWN = (100, 1900)  # not known yet: one short flash
FAILED = (100, 100)  # failed, or a factory reset is at work: fast

_BY_SUPPORT = {
    support.SUPPORTED: STEADY,
    support.ENDING: ENDING,
    support.ENDED: ENDED,
    support.UNKNOWN: UNKNOWN,
}


def pattern(state: str, support_state: str) -> "tuple[int, ...]":
    """Give the pattern for a life-cycle state and, of an initialised unit, its support state."""
    if state == lifecycle.UNPROVISIONED:
        return OFF
    if state == lifecycle.FACTORY_DEFAULT:
        return SETUP
    if state != lifecycle.INITIALISED:
        return FAILED
    return _BY_SUPPORT.get(support_state, UNKNOWN)


async def play(
    indicator: "Indicator",
    choose: "Callable[[], tuple[int, ...]]",
    sleep_ms: "Callable[[int], Awaitable[None]]",
) -> None:
    """Play what `choose` gives, round after round, for ever; asked anew before each round."""
    while True:
        is_on = True
        for length_ms in choose():
            if length_ms:
                indicator.set(is_on)
                await sleep_ms(length_ms)
            is_on = not is_on
