"""The button (interfaces.Boot.is_button_pressed)."""

import time

from device.boards.checklist.expect import AbsentError, expect
from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

_POLLS = const(200)
_POLL_S = 0.1


def _boot(port: "Any") -> "Any":
    if not port.HAS_BUTTON:
        raise AbsentError("no button: only the page resets a unit, and a failed unit stays failed")
    return port.boot(port.flash())


def nobody_presses_the_button(port: "Any", bench: "Any") -> None:
    boot = _boot(port)
    expect(
        boot.is_button_pressed() is False, "is_button_pressed() is not False while nobody touches the button"
    )
    expect(boot.is_button_held is False, "is_button_held is not False after a start without a press")


def a_press_is_seen_and_its_end_too(port: "Any", bench: "Any") -> None:
    boot = _boot(port)
    for wanted, order in ((True, "press the button"), (False, "release the button")):
        print("ASK", order)
        for _ in range(_POLLS):
            boot.watchdog_feed()
            if boot.is_button_pressed() is wanted:
                break
            time.sleep(_POLL_S)
        expect(boot.is_button_pressed() is wanted, "is_button_pressed() is not {}".format(wanted))


NEEDS = {"a_press_is_seen_and_its_end_too": "hand"}
