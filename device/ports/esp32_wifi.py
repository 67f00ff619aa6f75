"""ESP32 family: Wi-Fi on stock MicroPython 1.25 (wlan.py). NOT YET RUN ON HARDWARE.

What MicroPython's network_wlan.c does, and this module relies on:
1. It connects again by itself `reconnects` times after a loss or a refusal, and gives the reason only after the last
   one. So two times here; the pauses after that are the policy's.
2. It keeps the reason of an earlier try until the next success. The same reason counts only after _STALE_MS.
3. "Connecting" covers the wait for an address; only a link that has a signal has got so far.
4. ESP-IDF joins no WEP, WPA or open network for a configuration with a passphrase. It may join WPA2 for a network that
   was chosen as WPA3: network.WLAN cannot forbid it (docs/threat-model.md, evil twin).
"""

import time

import network

from device.compat import const
from device.net import wifi
from device.ports.wlan import WlanNetwork as WlanNetwork
from device.ports.wlan import WlanRadio

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.net.wifi import Network

_RECONNECTS = const(2)
_STALE_MS = const(8000)
# wifi_auth_mode_t of ESP-IDF 5
_KINDS = {
    0: wifi.OPEN,
    1: wifi.OLD,
    2: wifi.OLD,
    3: wifi.WPA2,
    4: wifi.WPA2,
    5: wifi.ACCOUNTS,
    6: wifi.WPA3,
    7: wifi.WPA2_WPA3,
}
_WPA2_PSK = const(3)
# wifi_err_reason_t: 4-way handshake timeout, authentication failed, handshake timeout, connection failed
_REASONS = {
    15: wifi.PASSPHRASE,
    202: wifi.PASSPHRASE,
    204: wifi.PASSPHRASE,
    205: wifi.PASSPHRASE,
    200: wifi.NOT_FOUND,  # no beacon
    201: wifi.NOT_FOUND,
    212: wifi.NOT_FOUND,  # none above the signal's threshold
    210: wifi.SECURITY,
    211: wifi.SECURITY,
}


class Esp32Wifi(WlanRadio):
    """interfaces.Wifi."""

    def __init__(self) -> None:
        super().__init__()
        self._stale = 0
        self._began_ms = 0

    def switch_on(self) -> None:
        """Switch the radio on. Raises OSError."""
        super().switch_on()
        self.link.config(reconnects=_RECONNECTS)

    def kind_of(self, number: int) -> str:
        """Return the kind of security for a number of ESP-IDF."""
        return _KINDS.get(number, wifi.UNKNOWN)

    def connect(self, chosen: "Network") -> None:
        """Begin to join. Raises OSError."""
        self._stale, self._began_ms = self.link.status(), time.ticks_ms()
        key: "Any" = chosen.passphrase or None
        self.link.connect(chosen.ssid, key)

    def state(self) -> str:
        """Return how the link is."""
        found = self.link.status()
        if found == network.STAT_GOT_IP:
            return wifi.JOINED
        if found == network.STAT_IDLE:
            return wifi.IDLE
        if found == network.STAT_CONNECTING:
            return wifi.ADDRESSING if self._has_signal() else wifi.JOINING
        if found == self._stale and time.ticks_diff(time.ticks_ms(), self._began_ms) < _STALE_MS:
            return wifi.ADDRESSING if self._has_signal() else wifi.JOINING
        return _REASONS.get(found, wifi.FAILED)

    def _has_signal(self) -> bool:
        try:
            self.link.status("rssi")
        except OSError:
            return False
        return True

    def access_point_security(self) -> int:
        """Return WIFI_AUTH_WPA2_PSK."""
        return int(_WPA2_PSK)
