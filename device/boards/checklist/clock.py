"""The clock (interfaces.Clock)."""

import time

from device.boards.checklist.expect import expect
from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

_PERIOD = const(1 << 30)
_UNIX_S = const(1_790_000_000)
_WAIT_S = 0.1


def ticks_stay_below_their_period(port: "Any", bench: "Any") -> None:
    now = port.clock().ticks_ms()
    expect(0 <= now < _PERIOD, "ticks_ms() returns {}; ticks are 0 to 2**30 - 1".format(now))


def ticks_count_milliseconds_and_do_not_go_back(port: "Any", bench: "Any") -> None:
    clock = port.clock()
    first = clock.ticks_ms()
    time.sleep(_WAIT_S)
    passed = clock.ticks_diff(clock.ticks_ms(), first)
    expect(passed > 0, "after 100 ms of sleep the ticks moved by {}".format(passed))
    expect(passed >= 90, "100 ms of sleep are {} ticks; a tick is a millisecond".format(passed))


def a_distance_of_ticks_is_right_across_the_wrap(port: "Any", bench: "Any") -> None:
    clock = port.clock()
    for later, earlier, right in ((5, _PERIOD - 5, 10), (_PERIOD - 5, 5, -10), (7, 7, 0)):
        found = clock.ticks_diff(later, earlier)
        expect(found == right, "ticks_diff({}, {}) is {}, not {}".format(later, earlier, found, right))


def a_trusted_time_can_be_set_and_taken_back(port: "Any", bench: "Any") -> None:
    clock = port.clock()
    clock.set_trusted_time(_UNIX_S)
    clock.set_trusted_time(None)
