"""SUIT parameters: the values that each may have (draft-ietf-suit-manifest 8.4.8, update-management 4).

A parameter that no command here uses is refused by name, a custom one too: its author set it for a reason.
"""

from device.codec import cbor
from device.compat import const
from device.errors import SuitError, UnsupportedError
from device.suit import registry
from device.suit.envelope import decode_digest

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

_UUID_BYTES = const(16)

_UUIDS = (
    registry.PARAMETER_VENDOR_IDENTIFIER,
    registry.PARAMETER_CLASS_IDENTIFIER,
    registry.PARAMETER_DEVICE_IDENTIFIER,
)
_UNSIGNED = (
    registry.PARAMETER_USE_BEFORE,
    registry.PARAMETER_COMPONENT_SLOT,
    registry.PARAMETER_IMAGE_SIZE,
    registry.PARAMETER_SOURCE_COMPONENT,
)
_BYTES = (
    registry.PARAMETER_CONTENT,
    registry.PARAMETER_INVOKE_ARGS,
    registry.PARAMETER_IMAGE_DIGEST,
)
_BOOLEANS = (registry.PARAMETER_STRICT_ORDER, registry.PARAMETER_SOFT_FAILURE)


def check(argument: "Any") -> "dict[int, Any]":
    """Return the checked parameters of an override-parameters command; a digest as its 32 bytes.

    Raises SuitError, CborError, UnsupportedError.
    """
    if not isinstance(argument, dict) or not argument:
        raise SuitError(reason="parameters are not a map")
    return {number: _checked(number, argument[number]) for number in argument}


def encode(values: "dict[int, Any]") -> "dict[int, Any]":
    """Return the argument of an override-parameters command; a digest is given as its 32 bytes."""
    argument = dict(values)
    digest = argument.get(registry.PARAMETER_IMAGE_DIGEST)
    if digest is not None:
        argument[registry.PARAMETER_IMAGE_DIGEST] = cbor.encode([registry.DIGEST_SHA256, digest])
    return argument


def name(number: "Any") -> str:
    """Return the registered name of a parameter."""
    return registry.name_of(registry.PARAMETERS, number, "parameter")


def _checked(number: "Any", value: "Any") -> "Any":
    if number in _UUIDS:
        if isinstance(value, cbor.Tag):
            raise UnsupportedError(what="vendor identifier that is not a UUID")
        is_good = isinstance(value, bytes) and len(value) == _UUID_BYTES
    elif number in _UNSIGNED:
        is_good = _is_integer(value) and value >= 0
    elif number == registry.PARAMETER_UPDATE_PRIORITY:
        is_good = _is_integer(value)
    elif number == registry.PARAMETER_URI:
        is_good = isinstance(value, str)
    elif number in _BYTES:
        is_good = isinstance(value, bytes)
    elif number in _BOOLEANS:
        is_good = isinstance(value, bool)
    else:
        raise UnsupportedError(what=name(number))
    if not is_good:
        raise SuitError(reason="wrong type", parameter=name(number))
    if number == registry.PARAMETER_STRICT_ORDER and not value:
        raise UnsupportedError(what="suit-parameter-strict-order that is false")
    return decode_digest(value) if number == registry.PARAMETER_IMAGE_DIGEST else value


def _is_integer(value: "Any") -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
