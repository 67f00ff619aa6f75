"""The payload of the `contact` record: how to report a security problem, and when to expect an answer.

CBOR {1: sequence, 2: contact (URI), 3: acknowledgement, 4: status updates, 5: policy (URI)}. SI 2023/1007
Schedule 1 paragraph 2 asks for the point of contact and both times. The device shows them to anyone, without
sign-in, cost or questions (paragraph 2(3)).
"""

from collections import namedtuple

from device.codec import cbor
from device.compat import const
from device.errors import CborError, ContactRecordError
from device.limits import RECORD_BYTES, SEQUENCE_JUMP

TYPE_CHECKING = const(0)

TYP = "application/vnd.firstboot.contact+cbor"
TEXT_CHARS = 300

Contact = namedtuple("Contact", ("sequence", "contact", "acknowledgement", "status_updates", "policy"))

_TEXTS = ((2, "contact"), (3, "acknowledgement"), (4, "status updates"), (5, "policy"))
# `data:` and `javascript:` would turn the page's link into code; these three schemes cannot.
_SCHEMES = ("https://", "mailto:", "tel:")


def encode(contact: "Contact") -> bytes:
    """Return the payload. Raises CborError for a field that `decode` would refuse."""
    data = cbor.encode(
        {
            1: contact.sequence,
            2: contact.contact,
            3: contact.acknowledgement,
            4: contact.status_updates,
            5: contact.policy,
        }
    )
    decode(data)
    return data


def decode(payload: bytes) -> "Contact":
    """Return the contact in a verified payload. Raises CborError, LimitError."""
    required = [(1, int)] + [(key, str) for key, _ in _TEXTS]
    fields = cbor.check_map(cbor.decode(payload, RECORD_BYTES), required)
    if fields[1] < 1:
        raise CborError(reason="sequence")
    for key, name in _TEXTS:
        _check(fields[key], name)
    if not any([fields[2].startswith(scheme) for scheme in _SCHEMES]):
        raise CborError(reason="scheme of contact")
    if not fields[5].startswith("https://"):
        raise CborError(reason="scheme of policy")
    return Contact(fields[1], fields[2], fields[3], fields[4], fields[5])


def accept(current: "Contact | None", offered: "Contact") -> bool:
    """Return whether a verified `offered` contact replaces `current`; False if the unit holds it already (RP-10).

    Raises ContactRecordError (reason "sequence", `have`, `offered`) for one that is not newer or too far ahead.
    """
    if current is None or 0 < offered.sequence - current.sequence <= SEQUENCE_JUMP:
        return True
    if offered == current:
        return False
    raise ContactRecordError(reason="sequence", have=current.sequence, offered=offered.sequence)


def _check(text: str, name: str) -> None:
    if not text or len(text) > TEXT_CHARS:
        raise CborError(reason="length of " + name)
    for character in text:
        if ord(character) < 32:
            raise CborError(reason="control character in " + name)
