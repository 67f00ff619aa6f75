"""The watchdog (interfaces.Boot.watchdog_feed)."""

import time

from device.boards.checklist.expect import UnmetError, expect
from device.compat import const
from device.layout import RESET_WATCHDOG

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

_LIMIT_S = const(10)
_MORE_S = const(3)


def a_fed_watchdog_lets_the_board_run(port: "Any", bench: "Any") -> None:
    boot = port.boot(port.flash())
    for _ in range(_LIMIT_S + _MORE_S):
        boot.watchdog_feed()
        time.sleep(1)


def a_watchdog_that_nobody_feeds_restarts_the_board_within_ten_seconds(port: "Any", bench: "Any") -> None:
    boot = port.boot(port.flash())
    boot.watchdog_feed()
    print("RESTARTS")
    time.sleep(_LIMIT_S + _MORE_S)
    raise UnmetError("the board still runs {} s after the last feed".format(_LIMIT_S + _MORE_S))


def _after(port: "Any", bench: "Any") -> None:
    reason = port.boot(port.flash()).reset_reason
    expect(
        reason == RESET_WATCHDOG, "reset_reason is {} after the watchdog, not RESET_WATCHDOG".format(reason)
    )


RESTARTS = {"a_watchdog_that_nobody_feeds_restarts_the_board_within_ten_seconds": "_after"}
