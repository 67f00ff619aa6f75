"""The light that the owner sees (interfaces.Indicator)."""

from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any


def the_light_goes_on(port: "Any", bench: "Any") -> None:
    port.indicator().set(True)


def the_light_goes_off(port: "Any", bench: "Any") -> None:
    light = port.indicator()
    light.set(True)
    light.set(False)


LOOKS = {"the_light_goes_on": "the light is on", "the_light_goes_off": "the light is off"}
