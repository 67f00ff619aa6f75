"""RP2350 with a CYW43439 (Pico 2 W): Wi-Fi on MicroPython 1.25 (wlan.py). NOT YET RUN ON HARDWARE.

The driver's scan does not tell WPA3 from WPA2 (both have an RSN element), so a network with WPA3 alone is shown as WPA2
and its join fails.
"""

import network

from device.compat import const
from device.net import wifi
from device.ports.wlan import WlanNetwork as WlanNetwork
from device.ports.wlan import WlanRadio

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.net.wifi import Network

_RSN = const(4)  # bits of a scan's number: 1 privacy, 2 WPA, 4 RSN
# cyw43_tcpip_link_status(), lib/cyw43-driver/src/cyw43.h
_STATES = {
    0: wifi.IDLE,
    1: wifi.JOINING,
    2: wifi.ADDRESSING,
    3: wifi.JOINED,
    -1: wifi.FAILED,
    -2: wifi.NOT_FOUND,
    -3: wifi.PASSPHRASE,
}
_WPA2 = const(0x00400004)  # CYW43_AUTH_WPA2_AES_PSK of the driver; network.WLAN has no name for it


class Rp2Wifi(WlanRadio):
    """interfaces.Wifi."""

    def kind_of(self, number: int) -> str:
        """Return the kind of security for the bits in a scan."""
        if number & _RSN:
            return wifi.WPA2
        return wifi.OLD if number else wifi.OPEN

    def connect(self, chosen: "Network") -> None:
        """Begin to join with exactly the chosen kind of security. Raises OSError."""
        if chosen.security == wifi.OPEN:
            self.link.connect(chosen.ssid)
            return
        kinds: "Any" = network.WLAN
        number = {wifi.WPA3: kinds.SEC_WPA3, wifi.WPA2_WPA3: kinds.SEC_WPA2_WPA3}.get(chosen.security, _WPA2)
        self.link.connect(chosen.ssid, chosen.passphrase, security=number)

    def state(self) -> str:
        """Return how the link is."""
        return _STATES.get(self.link.status(), wifi.FAILED)

    def access_point_security(self) -> int:
        """Return CYW43_AUTH_WPA2_AES_PSK."""
        return int(_WPA2)
