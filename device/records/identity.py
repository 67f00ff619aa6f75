"""The `identity` record of a unit, written once in the factory.

CBOR {1: device id (bytes 16, random), 2: serial, 3: model, 4: brand, 5: batch, 6: manufacturer}; all but the
first are text. The device id is random and reveals nothing (SE-06); the serial number is shown only after sign-in.
"""

from collections import namedtuple

from device.codec import cbor
from device.compat import const
from device.errors import CborError
from device.limits import RECORD_BYTES

TYPE_CHECKING = const(0)

DEVICE_ID_BYTES = 16
TEXT_CHARS = 128  # a manufacturer's name with its legal form

Identity = namedtuple("Identity", ("device_id", "serial", "model", "brand", "batch", "manufacturer"))

_TEXTS = ((2, "serial"), (3, "model"), (4, "brand"), (5, "batch"), (6, "manufacturer"))


def encode(identity: "Identity") -> bytes:
    """Return the record. Raises CborError for a field that `decode` would refuse."""
    data = cbor.encode(
        {
            1: identity.device_id,
            2: identity.serial,
            3: identity.model,
            4: identity.brand,
            5: identity.batch,
            6: identity.manufacturer,
        }
    )
    decode(data)
    return data


def decode(data: bytes) -> "Identity":
    """Return the identity in the record. Raises CborError, LimitError."""
    required = [(1, bytes)] + [(key, str) for key, _ in _TEXTS]
    fields = cbor.check_map(cbor.decode(data, RECORD_BYTES), required)
    if len(fields[1]) != DEVICE_ID_BYTES:
        raise CborError(reason="device id length")
    for key, name in _TEXTS:
        check_text(fields[key], name)
    return Identity(fields[1], fields[2], fields[3], fields[4], fields[5], fields[6])


def check_text(text: str, name: str) -> None:
    """Raise CborError for a text that is empty, too long or holds a control character; `name` is the field's name."""
    if not text or len(text) > TEXT_CHARS:
        raise CborError(reason="length of " + name)
    for character in text:
        point = ord(character)
        if point < 32 or 127 <= point < 160:
            raise CborError(reason="control character in " + name)


def device_id_text(identity: "Identity") -> str:
    """Return the device id as 32 hex digits: certificate subject, MQTT user name, topic."""
    return "".join(["{:02x}".format(byte) for byte in identity.device_id])
