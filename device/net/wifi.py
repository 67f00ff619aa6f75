"""Wi-Fi without a radio: kinds of security, results of a join, the rules for names and passphrases, the record.

Rules:
1. The record `wifi` (CBOR {1: name, 2: passphrase, 3: kind of security}; bytes, bytes, text) is in the user region, so
   a factory reset erases it. It is written only after the unit joined the network and got an address: a wrong
   passphrase never replaces a network that works.
2. A network is joined with the kind of security that it had when the owner chose it, or with a stronger one. So an open
   network of the same name (an evil twin) is never joined in place of a protected one.
3. WEP, WPA with TKIP alone and networks with user accounts are refused before the radio tries them.
"""

from collections import namedtuple

from device.codec import cbor
from device.compat import const, decode_utf8
from device.errors import CodecError, RecordDamagedError, WifiError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Sequence

    from device.records.store import Store

RECORD = "wifi"
SSID_BYTES = const(32)  # IEEE 802.11-2020, 9.4.2.2
PASSPHRASE_CHARS = (8, 63)  # IEEE 802.11-2020, J.4.1: printable ASCII
PSK_HEX_CHARS = const(64)  # or the key itself, in hex
WEAK_DBM = const(-80)  # below this a join often fails

# Kinds of security. WPA2: WPA2-Personal, also of a network that still offers WPA. OLD: WEP, or WPA alone.
# ACCOUNTS: WPA-Enterprise. UNKNOWN: anything else.
OPEN, WPA2, WPA2_WPA3, WPA3 = "open", "WPA2", "WPA2/WPA3", "WPA3"
OLD, ACCOUNTS, UNKNOWN = "WEP or WPA", "user accounts", "not known"
JOINABLE = (OPEN, WPA2, WPA2_WPA3, WPA3)

# States of a link, as interfaces.Wifi.state() returns them.
IDLE, JOINING, ADDRESSING, JOINED = "idle", "joining", "waiting for an address", "joined"
# Why there is no link: also a state.
PASSPHRASE, NOT_FOUND, NO_ADDRESS, SECURITY, FAILED = (
    "passphrase",
    "not found",
    "no address",
    "security",
    "failed",
)
CAUSES = (PASSPHRASE, NOT_FOUND, NO_ADDRESS, SECURITY, FAILED)
WEAK = "weak"  # said by the policy in place of a cause that a weak signal explains

# A network in range. ssid: bytes; security: one of the kinds; signal_dbm: int.
Seen = namedtuple("Seen", ("ssid", "security", "signal_dbm"))
# What a join needs. ssid, passphrase: bytes, the latter empty for an open network; security: one of JOINABLE.
Network = namedtuple("Network", ("ssid", "passphrase", "security"))


def check(network: "Network", joinable: "Sequence[str]" = JOINABLE) -> None:
    """Raise WifiError(reason) if no radio can join `network`: "name", "security", "passphrase length",
    "passphrase character". `joinable`: the kinds that this radio can join.
    """
    if not 1 <= len(network.ssid) <= SSID_BYTES:
        raise WifiError(reason="name")
    if network.security not in joinable:
        raise WifiError(reason=SECURITY)
    if network.security == OPEN:
        if network.passphrase:
            raise WifiError(reason="passphrase length")
        return
    length = len(network.passphrase)
    if length == PSK_HEX_CHARS and _is_hex(network.passphrase):
        return
    if not PASSPHRASE_CHARS[0] <= length <= PASSPHRASE_CHARS[1]:
        raise WifiError(reason="passphrase length")
    for byte in network.passphrase:
        if not 0x20 <= byte < 0x7F:
            raise WifiError(reason="passphrase character")


def _is_hex(data: bytes) -> bool:
    return all([byte in b"0123456789abcdefABCDEF" for byte in data])


def may_stand_for(security: str, chosen: str) -> bool:
    """Return whether a network in range of kind `security` may be joined for one that was chosen as `chosen`."""
    if chosen == OPEN:
        return security == OPEN
    if chosen == WPA3:  # never back to WPA2, which a listener can attack offline
        return security in (WPA3, WPA2_WPA3)
    return security in (WPA2, WPA2_WPA3, WPA3)


def encode(network: "Network") -> bytes:
    """Return the bytes of the record. Secret. Raises WifiError."""
    check(network)
    return cbor.encode({1: network.ssid, 2: network.passphrase, 3: network.security})


def decode(data: bytes) -> "Network":
    """Return the network in a record. Raises CodecError, WifiError."""
    fields = cbor.check_map(cbor.decode(data), ((1, bytes), (2, bytes), (3, str)))
    network = Network(fields[1], fields[2], fields[3])
    check(network)
    return network


def load(user: "Store") -> "Network | None":
    """Return the stored network, None without one. Raises StorageError, RecordDamagedError."""
    data = user.read(RECORD)
    if data is None:
        return None
    try:
        return decode(data)
    except (CodecError, WifiError):
        raise RecordDamagedError(name=RECORD) from None


def store(user: "Store", network: "Network") -> None:
    """Store the network in one write: after a power cut the old one is there, or this one. Raises StorageError."""
    user.write(RECORD, encode(network))


def strongest(seen: "Sequence[Seen]", most: int) -> "list[Seen]":
    """Return each named network once, the strongest first, at most `most`; equal signals in the order of their names.

    Two kinds of security under one name are two networks.
    """
    best: "dict[tuple[bytes, str], Seen]" = {}
    for one in seen:
        key = (one.ssid, one.security)
        if one.ssid and len(one.ssid) <= SSID_BYTES:
            if key not in best or best[key].signal_dbm < one.signal_dbm:
                best[key] = one
    ranked = sorted([(-one.signal_dbm, one.ssid, one.security) for one in best.values()])
    return [best[(ssid, security)] for _, ssid, security in ranked[:most]]


def text_of(ssid: bytes) -> str:
    """Return a network's name for people; one that is not UTF-8, or has control characters, as its bytes in hex."""
    try:
        text = decode_utf8(ssid)
        if all([ord(character) >= 32 and not 127 <= ord(character) < 160 for character in text]):
            return text
    except ValueError:
        pass
    return "".join(["{:02x}".format(byte) for byte in ssid])
