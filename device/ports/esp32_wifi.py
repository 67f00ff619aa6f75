"""ESP32 family: the network over Wi-Fi on stock MicroPython 1.25. NOT YET RUN ON HARDWARE.

Name and key of the owner's network are the record `wifi` of the user region: the length of the name, the name, the key.
The factory reset erases that region (PW-13), and flash encryption covers it. How the owner enters them is the product's
part (docs/how-to/esp32.md); `remember` stores them.
"""

import network

from device.compat import const
from device.errors import LinkError, StorageError
from device.ports.sockets import SocketNetwork

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable, Sequence

    from device.interfaces import Records

RECORD = "wifi"
SSID_BYTES = const(32)  # IEEE 802.11
PSK_MIN_BYTES = const(8)  # a WPA passphrase
PSK_MAX_BYTES = const(63)
_NO_ADDRESS = "0.0.0.0"  # noqa: S104  compared, never bound


def start(mount: "Callable[[str], Records]") -> "Any":
    """Switch the radio on and return it (network.WLAN). It joins the stored network, if there is one.

    The radio also feeds the random generator, so it is on before there is a network. Raises OSError.
    """
    radio: "Any" = network.WLAN(network.WLAN.IF_STA)  # the stub knows names as text only
    radio.active(True)
    try:
        found = stored(mount("user"))
    except StorageError:  # a unit before the factory has no user region
        return radio
    if found is not None:
        radio.connect(found[0], found[1])
    return radio


def is_valid(ssid: bytes, psk: bytes) -> bool:
    """Return whether Wi-Fi has names and keys of these lengths."""
    return bool(1 <= len(ssid) <= SSID_BYTES) and bool(PSK_MIN_BYTES <= len(psk) <= PSK_MAX_BYTES)


def stored(user: "Records") -> "tuple[bytes, bytes] | None":
    """Return name and key of the stored network, None without a valid record. Raises StorageError."""
    data = user.read(RECORD)
    if not data:
        return None
    ssid, psk = data[1 : 1 + data[0]], data[1 + data[0] :]
    return (ssid, psk) if len(ssid) == data[0] and is_valid(ssid, psk) else None


def remember(user: "Records", ssid: bytes, psk: bytes) -> None:
    """Store the owner's network; the next start joins it. Raises ValueError for a wrong length, StorageError."""
    if not is_valid(ssid, psk):
        raise ValueError("length of the network's name or key")
    user.write(RECORD, bytes((len(ssid),)) + ssid + psk)


class WifiNetwork(SocketNetwork):
    """interfaces.Network on the radio that `start` returned."""

    def __init__(self, radio: "Any") -> None:
        super().__init__()
        self._radio = radio

    def require_up(self) -> None:
        """Raise LinkError while the radio is off: then there are no random numbers either."""
        if not self._radio.active():
            raise LinkError(reason="radio is off")

    def addresses(self) -> "Sequence[str]":
        """Return the unit's IPv4 address; nothing before the network gave one."""
        address: str = self._radio.ifconfig()[0]
        return () if address == _NO_ADDRESS else (address,)
