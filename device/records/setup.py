"""The record `setup`, which the station writes: what the unit keeps of its label's secrets.

CBOR {1: salt (16 bytes), 2: verifier of the set-up code (32 bytes), optional 3: passphrase of the unit's access point
(text)}. A unit with a radio has the passphrase. It is derived from the code one way
(provisioning/station/passphrase.py), so that a person who reads or cracks it does not learn the code.
"""

from collections import namedtuple

from device.codec import cbor
from device.compat import const
from device.errors import CborError

TYPE_CHECKING = const(0)

SALT_BYTES = const(16)
VERIFIER_BYTES = const(32)
PASSPHRASE_CHARS = (16, 63)  # at least 80 bits in the station's alphabet; at most what WPA2 takes

# salt, verifier: bytes; passphrase: text, "" on a unit without a radio.
SetupRecord = namedtuple("SetupRecord", ("salt", "verifier", "passphrase"))


def encode(record: "SetupRecord") -> bytes:
    """Return the bytes of the record. Secret. Raises CborError for one that `decode` would refuse."""
    fields: "dict[int, object]" = {1: record.salt, 2: record.verifier}
    if record.passphrase:
        fields[3] = record.passphrase
    data = cbor.encode(fields)
    decode(data)
    return data


def decode(data: bytes) -> "SetupRecord":
    """Return the record's content. Raises CborError, LimitError."""
    fields = cbor.check_map(cbor.decode(data), ((1, bytes), (2, bytes)), ((3, str),))
    if len(fields[1]) != SALT_BYTES or len(fields[2]) != VERIFIER_BYTES:
        raise CborError(reason="length")
    passphrase = fields.get(3, "")
    if 3 in fields:
        if not PASSPHRASE_CHARS[0] <= len(passphrase) <= PASSPHRASE_CHARS[1]:
            raise CborError(reason="length of the passphrase")
        if not all(["!" <= character <= "~" for character in passphrase]):
            raise CborError(reason="character of the passphrase")
    return SetupRecord(fields[1], fields[2], passphrase)
