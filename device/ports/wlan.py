"""Wi-Fi on MicroPython's network.WLAN, for every chip that has it. NOT YET RUN ON HARDWARE.

A chip's own module (esp32_wifi.py, rp2_wifi.py) says what its status and scan numbers mean. Rules:
1. The access point never opens without a passphrase: it is configured first, and switched off again if the radio does
   not report a protected one.
2. Its servers listen on its own address only.
3. A scan blocks: some two seconds on the ESP32, up to ten on the RP2350, below the watchdog's limit on both.
"""

import network

from device.compat import const
from device.errors import LinkError
from device.net import wifi
from device.ports import access_point
from device.ports.sockets import SocketNetwork

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Awaitable, Callable, Sequence

    from device.interfaces import Stream
    from device.ports.access_point import AnswerSocket, PageServer

_NO_ADDRESS = "0.0.0.0"  # noqa: S104  compared, never bound
_HOSTS = const(4)
_SEC_OPEN = const(0)


class WlanRadio:
    """interfaces.Wifi, without what differs between chips: `state`, `kind_of` and `connect`."""

    securities: "Sequence[str]" = wifi.JOINABLE
    bluetooth: "Any" = None  # of a board whose build has it

    def __init__(self) -> None:
        self.link: "Any" = network.WLAN(network.WLAN.IF_STA)  # the stubs know names as text only
        self.own: "Any" = network.WLAN(network.WLAN.IF_AP)

    def switch_on(self) -> None:
        """Switch the radio on; on an ESP32 it also feeds the random generator. Raises OSError."""
        self.link.active(True)

    def network(self) -> "WlanNetwork":
        """Return interfaces.Network over this radio."""
        return WlanNetwork(self)

    def kind_of(self, number: int) -> str:
        """Return the kind of security (net/wifi.py) for the number in a scan."""
        raise NotImplementedError

    def connect(self, chosen: "wifi.Network") -> None:
        """Begin to join. Raises OSError."""
        raise NotImplementedError

    def state(self) -> str:
        """Return how the link is (net/wifi.py)."""
        raise NotImplementedError

    async def scan(self) -> "list[tuple[bytes, str, int]]":
        """Return the networks in range; blocks for some seconds. Raises LinkError."""
        try:
            return [wifi.Seen(bytes(one[0]), self.kind_of(one[4]), one[3]) for one in self.link.scan()]
        except OSError as error:
            raise LinkError(reason="scan: {}".format(error)) from None

    def join(self, chosen: "tuple[bytes, bytes, str]") -> None:
        """Begin to join. Raises LinkError."""
        try:
            self.connect(wifi.Network(*chosen))
        except OSError as error:
            raise LinkError(reason="join: {}".format(error)) from None

    def leave(self) -> None:
        """End the link. Nothing happens without one."""
        try:
            self.link.disconnect()
        except OSError:
            pass

    def signal_dbm(self) -> "int | None":
        """Return the signal of the joined router in dBm, None without one."""
        if not self.link.isconnected():
            return None
        try:
            found: int = self.link.status("rssi")
        except OSError:
            return None
        return found

    async def open_access_point(self, name: str, passphrase: str) -> str:
        """Open it and return its address. Raises ValueError without a passphrase, LinkError."""
        if not wifi.PASSPHRASE_CHARS[0] <= len(passphrase) <= wifi.PASSPHRASE_CHARS[1]:
            raise ValueError("passphrase")
        try:
            self.own.config(ssid=name, key=passphrase, security=self.access_point_security())
            self.own.active(True)
            if self.own.config("security") == _SEC_OPEN:
                self.own.active(False)
                raise LinkError(reason="access point: not protected")
            address: str = self.own.ifconfig()[0]
        except OSError as error:
            self._switch_own_off()
            raise LinkError(reason="access point: {}".format(error)) from None
        return address

    def access_point_security(self) -> int:
        """Return the chip's number for WPA2-Personal."""
        raise NotImplementedError

    async def close_access_point(self) -> None:
        """Close it."""
        self._switch_own_off()

    def _switch_own_off(self) -> None:
        try:
            self.own.active(False)
        except OSError:
            pass

    async def open_answers(self, port: int) -> "AnswerSocket":
        """Return a UDP socket on the access point's address. Raises LinkError."""
        return access_point.open_answers(self._own_address, port)

    async def serve_page(
        self, port: int, handler: "Callable[[Stream, object], Awaitable[None]]"
    ) -> "PageServer":
        """Listen on the access point's address. The handler bounds its clients. Raises LinkError."""
        return await access_point.serve_page(self._own_address, port, handler)

    def _own_address(self) -> str:
        address: str = self.own.ifconfig()[0]
        return address


class WlanNetwork(SocketNetwork):
    """interfaces.Network over the link and the access point of a radio."""

    def __init__(self, radio: WlanRadio) -> None:
        super().__init__()
        self._radio = radio

    def require_up(self) -> None:
        """Raise LinkError while the radio is off: on an ESP32 there are no random numbers then either."""
        if not self._radio.link.active():
            raise LinkError(reason="radio is off")

    def addresses(self) -> "Sequence[str]":
        """Return the unit's IPv4 addresses: that of the owner's network first, then that of its access point."""
        found = [self._radio.link.ifconfig()[0]]
        if self._radio.own.active():
            found.append(self._radio.own.ifconfig()[0])
        return [address for address in found if address != _NO_ADDRESS]
