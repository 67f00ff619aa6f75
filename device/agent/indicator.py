"""The light's blinking pattern for each state, and the task that plays it (SP-08).

Patterns differ in rhythm, not in colour, so colour-blind people can distinguish them and one plain LED is enough.
"""

from device.compat import const
from device.owner import lifecycle
from device.records import support

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Awaitable, Callable

    from device.interfaces import Indicator

# Milliseconds on, off, on, off ... of one round.
OFF = (0, 1000)  # unprovisioned: still at the factory station
STEADY = (1000, 0)  # supported, no problem
SETUP = (500, 500)  # waits for its owner: even blinking
ENDING = (1000, 100, 100, 100)  # support ends soon: on, with a short flicker
ENDED = (100, 100, 100, 1700)  # support has ended: two short flashes, then dark
UNKNOWN = (100, 1900)  # support state not known yet: one short flash
FAILED = (100, 100)  # failed, or a factory reset is under way: fast

_BY_SUPPORT = {
    support.SUPPORTED: STEADY,
    support.ENDING: ENDING,
    support.ENDED: ENDED,
    support.UNKNOWN: UNKNOWN,
}


def pattern(state: str, support_state: str) -> "tuple[int, ...]":
    """Return the pattern for a life-cycle state; for an initialised unit the support state decides."""
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
    """Play patterns forever. `choose` is called before each round."""
    while True:
        is_on = True
        for length_ms in choose():
            if length_ms:
                indicator.set(is_on)
                await sleep_ms(length_ms)
            is_on = not is_on
