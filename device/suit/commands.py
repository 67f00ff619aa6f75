"""SUIT command sequences: split apart, then run as a generator that yields what it needs to know or have done.

draft-ietf-suit-manifest 6.3 (command behaviour) and 8.4.5. Rules:
1. A sequence is pairs of command and argument; a command that the draft does not have is refused.
2. The shared sequence runs first, then the others, over one set of parameters for each component (6.4).
3. Only what an update here needs is run: set component index (one index), override parameters (vendor, class,
   digest, size, URI), the conditions vendor, class and image match, fetch. All else is refused by name.
4. A parameter must be set before a command that uses it; a condition that is false ends the run.
"""

from collections import namedtuple

from device.codec import cbor
from device.compat import const
from device.errors import SuitError, UnsupportedError
from device.suit import registry
from device.suit.envelope import decode_digest

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Generator, Iterable

    Command = tuple[int, Any]

_UUID_BYTES = const(16)

# Commands that are run and take a reporting policy.
_WITH_POLICY = (
    registry.CONDITION_VENDOR_IDENTIFIER,
    registry.CONDITION_CLASS_IDENTIFIER,
    registry.CONDITION_IMAGE_MATCH,
    registry.DIRECTIVE_FETCH,
)

# Effects. The runner answers the first two with True or False; the others need no answer.
MatchVendor = namedtuple("MatchVendor", ("component", "identifier"))
MatchClass = namedtuple("MatchClass", ("component", "identifier"))
Fetch = namedtuple("Fetch", ("component", "uri", "digest", "size"))
MatchImage = namedtuple("MatchImage", ("component", "digest", "size"))


def decode(data: bytes) -> "list[Command]":
    """Return the (command, argument) pairs of an encoded sequence; arguments are checked where they are run.

    Raises CborError, SuitError, UnsupportedError for a command that the registry does not have.
    """
    items = cbor.decode(data)
    if not isinstance(items, list) or not items or len(items) % 2:
        raise SuitError(reason="sequence is not of pairs")
    pairs = []
    for index in range(0, len(items), 2):
        command = items[index]
        if isinstance(command, bool) or not isinstance(command, int):
            raise SuitError(reason="command is no number")
        if not registry.has(registry.COMMANDS, command):
            raise UnsupportedError(what=registry.name_of((), command, "command"))
        pairs.append((command, items[index + 1]))
    return pairs


def encode(pairs: "Iterable[Command]") -> bytes:
    """Return an encoded sequence of (command, argument) pairs."""
    items: "list[Any]" = []
    for command, argument in pairs:
        items.append(command)
        items.append(argument)
    return cbor.encode(items)


def run(sequences: "Iterable[list[Command]]", component_count: int) -> "Generator[Any, Any, None]":
    """Yield the effects of `sequences`, one after the other, over `component_count` components.

    Ends when a condition is answered with False. Raises SuitError, UnsupportedError, CborError.
    """
    parameters: "list[dict[int, Any]]" = [{} for _ in range(component_count)]
    for sequence in sequences:
        component = 0  # draft 6.4: the index is 0 where a sequence starts
        for command, argument in sequence:
            if command == registry.DIRECTIVE_SET_COMPONENT_INDEX:
                component = _index(argument, component_count)
            elif command == registry.DIRECTIVE_OVERRIDE_PARAMETERS:
                _override(parameters[component], argument)
            else:
                _check_runnable(command, argument)
                answer = yield _effect(command, component, parameters[component])
                if answer is False:
                    return


def encode_parameters(values: "dict[int, Any]") -> "Command":
    """Return an override-parameters command; a digest is given as its 32 bytes."""
    argument = dict(values)
    digest = argument.get(registry.PARAMETER_IMAGE_DIGEST)
    if digest is not None:
        argument[registry.PARAMETER_IMAGE_DIGEST] = cbor.encode([registry.DIGEST_SHA256, digest])
    return registry.DIRECTIVE_OVERRIDE_PARAMETERS, argument


def _effect(command: int, component: int, parameters: "dict[int, Any]") -> "Any":
    if command == registry.CONDITION_VENDOR_IDENTIFIER:
        return MatchVendor(component, _value(parameters, registry.PARAMETER_VENDOR_IDENTIFIER))
    if command == registry.CONDITION_CLASS_IDENTIFIER:
        return MatchClass(component, _value(parameters, registry.PARAMETER_CLASS_IDENTIFIER))
    digest = _value(parameters, registry.PARAMETER_IMAGE_DIGEST)
    size = _value(parameters, registry.PARAMETER_IMAGE_SIZE)
    if command == registry.CONDITION_IMAGE_MATCH:
        return MatchImage(component, digest, size)
    return Fetch(component, _value(parameters, registry.PARAMETER_URI), digest, size)


def _value(parameters: "dict[int, Any]", number: int) -> "Any":
    if number not in parameters:
        raise SuitError(
            reason="not set", parameter=registry.name_of(registry.PARAMETERS, number, "parameter")
        )
    return parameters[number]


def _index(argument: "Any", component_count: int) -> int:
    if isinstance(argument, (bool, list)):
        raise UnsupportedError(what="component index that is not one number")
    if not isinstance(argument, int) or not 0 <= argument < component_count:
        raise SuitError(reason="no such component")
    return argument


def _check_runnable(command: int, argument: "Any") -> None:
    name = registry.name_of(registry.COMMANDS, command, "command")
    if command not in _WITH_POLICY:
        raise UnsupportedError(what=name)
    if (
        isinstance(argument, bool)
        or not isinstance(argument, int)
        or not 0 <= argument <= registry.REPORT_ALL
    ):
        raise SuitError(reason="reporting policy", command=name)


def _override(parameters: "dict[int, Any]", argument: "Any") -> None:
    if not isinstance(argument, dict) or not argument:
        raise SuitError(reason="parameters are no map")
    for number in argument:
        parameters[number] = _parameter(number, argument[number])


def _parameter(number: "Any", value: "Any") -> "Any":
    """Return the checked value of one parameter; a digest as its 32 bytes."""
    name = registry.name_of(registry.PARAMETERS, number, "parameter")
    if number in (registry.PARAMETER_VENDOR_IDENTIFIER, registry.PARAMETER_CLASS_IDENTIFIER):
        if isinstance(value, cbor.Tag):
            raise UnsupportedError(what="vendor identifier that is no UUID")
        is_good = isinstance(value, bytes) and len(value) == _UUID_BYTES
    elif number == registry.PARAMETER_IMAGE_DIGEST:
        is_good = isinstance(value, bytes)
    elif number == registry.PARAMETER_IMAGE_SIZE:
        is_good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    elif number == registry.PARAMETER_URI:
        is_good = isinstance(value, str)
    else:
        raise UnsupportedError(what=name)
    if not is_good:
        raise SuitError(reason="wrong type", parameter=name)
    return decode_digest(value) if number == registry.PARAMETER_IMAGE_DIGEST else value
