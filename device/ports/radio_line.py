"""The line between the emulated board and the model of its radio on the host: frames (codec/frame.py) of CBOR arrays.

No chip has this line, so it is in no product. The host's side is simulator/story/radio_model.py. Every message begins
with its kind and the number of the request that it makes or answers.
"""

from device.codec import cbor
from device.codec.frame import encode_frame
from device.compat import const
from device.errors import CodecError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Sequence

# From the board, with the arguments of interfaces.Wifi's methods. START: forget everything of an earlier start.
START, SCAN, JOIN, LEAVE, OPEN, CLOSE = const(1), const(2), const(3), const(4), const(5), const(6)
# From the host. LINK: state and signal (dBm, None without one) after the JOIN or LEAVE of that number; sent at each
# change. NETWORKS: [name, kind of security, dBm] of each network. DONE: after OPEN and CLOSE, "" or the reason.
LINK, NETWORKS, DONE = const(11), const(12), const(13)
_ITEMS = const(400)


def message(kind: int, number: int, *members: "Any") -> bytes:
    """Return the bytes on the line. Raises CodecError, LimitError."""
    return encode_frame(cbor.encode([kind, number] + list(members), _ITEMS))


def parse(payload: bytes) -> "Sequence[Any]":
    """Return the members of a message. Raises CodecError."""
    found: "Any" = cbor.decode(payload, _ITEMS)
    if not isinstance(found, list) or len(found) < 2 or not isinstance(found[0], int):
        raise CodecError(reason="message")
    return found
