"""SUIT command sequences: decode them, then run them as a generator that yields conditions and directives.

draft-ietf-suit-manifest 6.4 (abstract machine), 6.5 (component index) and 8.4.5 to 8.4.10. Rules:
1. A sequence is pairs of command and argument. The whole sequence is checked before it runs, nested sequences too: a
   command that is not carried out is refused by name, even if the run would not reach it.
2. The shared sequence holds conditions, set component index, override parameters, try-each, run-sequence (8.4.5).
3. The shared sequence runs first, then the others, over one set of parameters for each component (6.4).
4. With several components at once (True or a list) a command runs for each of them, in order. A nested sequence runs
   from start to end for each (6.5).
5. A parameter must be set before a command that uses it. A failed condition ends its sequence: try-each
   then tries the next one, run-sequence fails unless soft failure is set in it, any other sequence fails (8.4.8.13). A
   failed directive ends the whole run.
6. At most SUIT_NESTING nested sequences and SUIT_STEPS commands in all, so that no manifest keeps a unit busy.
"""

from collections import namedtuple

from device.codec import cbor
from device.compat import const
from device.errors import ConditionError, DirectiveError, LimitError, SuitError, UnsupportedError
from device.limits import ENVELOPE_BYTES, SUIT_NESTING, SUIT_STEPS
from device.suit import parameters, registry

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Generator, Iterable

    Command = tuple[int, Any]

# Effects. The runner answers True if a condition holds or a directive was carried out; any other answer is a failure.
# `component` is an index into the manifest's components; an optional parameter that was not set is None.
MatchVendor = namedtuple("MatchVendor", ("component", "identifier"))
MatchClass = namedtuple("MatchClass", ("component", "identifier"))
MatchDevice = namedtuple("MatchDevice", ("component", "identifier"))
MatchImage = namedtuple("MatchImage", ("component", "digest", "size"))
MatchSlot = namedtuple("MatchSlot", ("component", "slot"))
MatchContent = namedtuple("MatchContent", ("component", "content"))
UseBefore = namedtuple("UseBefore", ("component", "time_s"))  # unix seconds
Authorise = namedtuple("Authorise", ("component", "priority"))
Fetch = namedtuple("Fetch", ("component", "uri", "digest", "size"))
Write = namedtuple("Write", ("component", "content"))
Copy = namedtuple("Copy", ("component", "source"))
Swap = namedtuple("Swap", ("component", "source"))
Invoke = namedtuple("Invoke", ("component", "arguments"))

_P = registry
# command -> (effect, required parameters, optional parameters), each in the order of the effect's fields.
_EFFECTS = {
    _P.CONDITION_VENDOR_IDENTIFIER: (MatchVendor, (_P.PARAMETER_VENDOR_IDENTIFIER,), ()),
    _P.CONDITION_CLASS_IDENTIFIER: (MatchClass, (_P.PARAMETER_CLASS_IDENTIFIER,), ()),
    _P.CONDITION_DEVICE_IDENTIFIER: (MatchDevice, (_P.PARAMETER_DEVICE_IDENTIFIER,), ()),
    _P.CONDITION_IMAGE_MATCH: (MatchImage, (_P.PARAMETER_IMAGE_DIGEST,), (_P.PARAMETER_IMAGE_SIZE,)),
    _P.CONDITION_COMPONENT_SLOT: (MatchSlot, (_P.PARAMETER_COMPONENT_SLOT,), ()),
    _P.CONDITION_CHECK_CONTENT: (MatchContent, (_P.PARAMETER_CONTENT,), ()),
    _P.CONDITION_USE_BEFORE: (UseBefore, (_P.PARAMETER_USE_BEFORE,), ()),
    _P.CONDITION_UPDATE_AUTHORIZED: (Authorise, (_P.PARAMETER_UPDATE_PRIORITY,), ()),
    _P.DIRECTIVE_FETCH: (
        Fetch,
        (_P.PARAMETER_URI,),
        (_P.PARAMETER_IMAGE_DIGEST, _P.PARAMETER_IMAGE_SIZE),
    ),
    _P.DIRECTIVE_WRITE: (Write, (_P.PARAMETER_CONTENT,), ()),
    _P.DIRECTIVE_COPY: (Copy, (_P.PARAMETER_SOURCE_COMPONENT,), ()),
    _P.DIRECTIVE_SWAP: (Swap, (_P.PARAMETER_SOURCE_COMPONENT,), ()),
    _P.DIRECTIVE_INVOKE: (Invoke, (), (_P.PARAMETER_INVOKE_ARGS,)),
}
_CONDITIONS = (1, 2, 3, 4, 5, 6, 14, 24, 27)
_SHARED_DIRECTIVES = (
    _P.DIRECTIVE_SET_COMPONENT_INDEX,
    _P.DIRECTIVE_TRY_EACH,
    _P.DIRECTIVE_OVERRIDE_PARAMETERS,
    _P.DIRECTIVE_RUN_SEQUENCE,
)


# Decoding --------------------------------------------------------------------------------------------------


def decode(data: bytes, is_shared: bool = False) -> "list[Command]":
    """Return the (command, argument) pairs of an encoded sequence, every argument checked.

    Parameters come as parameters.check gives them, a sequence inside as a list of pairs, those of try-each as a
    list of such lists with None for nil. Raises CborError, LimitError, SuitError, UnsupportedError.
    """
    return _decode(data, is_shared, 0, [SUIT_STEPS])


def _decode(data: bytes, is_shared: bool, depth: int, left: "list[int]") -> "list[Command]":
    """Decode one level. `left`: a list of one, how many commands may still follow."""
    if depth > SUIT_NESTING:
        raise LimitError(what="nested SUIT sequences", limit=SUIT_NESTING)
    items = cbor.decode(data, ENVELOPE_BYTES, 2 * SUIT_STEPS)
    if not isinstance(items, list) or not items or len(items) % 2:
        raise SuitError(reason="sequence is not of pairs")
    left[0] -= len(items) // 2
    if left[0] < 0:
        raise LimitError(what="SUIT commands", limit=SUIT_STEPS)
    pairs = []
    for index in range(0, len(items), 2):
        command = items[index]
        if isinstance(command, bool) or not isinstance(command, int):
            raise SuitError(reason="command is not a number")
        if is_shared and command not in _CONDITIONS and command not in _SHARED_DIRECTIVES:
            raise UnsupportedError(what=name(command) + " in the shared sequence")
        pairs.append((command, _argument(command, items[index + 1], is_shared, depth, left)))
    return pairs


def name(command: int) -> str:
    """Return the registered name of a command."""
    return registry.name_of(registry.COMMANDS, command, "command")


def _argument(command: int, value: "Any", is_shared: bool, depth: int, left: "list[int]") -> "Any":
    if command == registry.DIRECTIVE_SET_COMPONENT_INDEX:
        return _index(value)
    if command == registry.DIRECTIVE_OVERRIDE_PARAMETERS:
        checked = parameters.check(value)
        if depth == 0 and registry.PARAMETER_SOFT_FAILURE in checked:
            raise SuitError(reason="soft failure outside of try-each and run-sequence")
        return checked
    if command == registry.DIRECTIVE_RUN_SEQUENCE:
        return _decode(_bytes(value, command), is_shared, depth + 1, left)
    if command == registry.DIRECTIVE_TRY_EACH:
        return _alternatives(value, is_shared, depth, left)
    if command not in _EFFECTS and command != registry.CONDITION_ABORT:
        raise UnsupportedError(what=name(command))
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= registry.REPORT_ALL:
        raise SuitError(reason="reporting policy", command=name(command))
    return value


def _index(value: "Any") -> "Any":
    """Return a checked index: True, a number, or a list of numbers. The run checks that the components exist."""
    if value is True:
        return value
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, bool) or not isinstance(one, int) or one < 0:
            raise SuitError(reason="component index")
    if value == []:
        raise SuitError(reason="component index")
    return value


def _alternatives(
    value: "Any", is_shared: bool, depth: int, left: "list[int]"
) -> "list[list[Command] | None]":
    """Return two sequences or more; None at the end if all may fail (8.4.10.2)."""
    if not isinstance(value, list):
        raise SuitError(reason="try-each is not a list")
    sequences = value[:-1] if value and value[-1] is None else value
    if len(sequences) < 2:
        raise SuitError(reason="try-each has fewer than two sequences")
    found: "list[list[Command] | None]" = []
    for data in sequences:
        found.append(_decode(_bytes(data, registry.DIRECTIVE_TRY_EACH), is_shared, depth + 1, left))
    if len(sequences) != len(value):
        found.append(None)
    return found


def _bytes(value: "Any", command: int) -> bytes:
    if not isinstance(value, bytes):
        raise SuitError(reason="sequence is not a byte string", command=name(command))
    return value


# Encoding ---------------------------------------------------------------------------------------------------


def encode(pairs: "Iterable[Command]") -> bytes:
    """Return an encoded sequence of (command, argument) pairs; arguments in the form that CBOR carries."""
    items: "list[Any]" = []
    for command, argument in pairs:
        items.append(command)
        items.append(argument)
    return cbor.encode(items, 2 * SUIT_STEPS)


def encode_parameters(values: "dict[int, Any]") -> "Command":
    """Return an override-parameters command; a digest is given as its 32 bytes."""
    return registry.DIRECTIVE_OVERRIDE_PARAMETERS, parameters.encode(values)


def section_offset(data: bytes, index: int) -> int:
    """Return where command `index` of an encoded sequence begins, in bytes (draft-ietf-suit-report 4)."""
    items = cbor.decode(data, ENVELOPE_BYTES, 2 * SUIT_STEPS)
    head = len(cbor.encode(items, 2 * SUIT_STEPS)) - sum([len(cbor.encode(item)) for item in items])
    return head + sum([len(cbor.encode(item)) for item in items[: 2 * index]])


# Running -----------------------------------------------------------------------------------------------------


def run(sequences: "Iterable[list[Command]]", component_count: int) -> "Generator[Any, Any, None]":
    """Yield the effects of decoded `sequences`, one after the other, over `component_count` components.

    Raises ConditionError, DirectiveError (both with `sequence` and `index` of the outermost command), SuitError,
    LimitError.
    """
    machine = _Machine(component_count)
    number = 0
    for sequence in sequences:
        machine.section = number
        yield from machine.run(sequence, [0], 0)  # draft 6.4: the index is 0 where a sequence starts
        number += 1


class _Failed(Exception):
    """A condition failed; args: the command and the component. Never leaves this module."""


class _Machine:
    """The abstract machine of draft 6.4: the parameters of each component, and the steps so far."""

    def __init__(self, component_count: int) -> None:
        self._count = component_count
        # Without components the commands still need one set of parameters: vendor and class conditions (draft 6.2).
        self._parameters: "list[dict[int, Any]]" = [{} for _ in range(component_count or 1)]
        self._steps = 0
        self.section = 0

    def run(
        self, sequence: "list[Command]", current: "list[int]", depth: int, is_soft: bool = False
    ) -> "Generator[Any, Any, bool]":
        """Return whether the sequence ran to its end; False only for a failed condition under soft failure."""
        for index in range(len(sequence)):
            command, argument = sequence[index]
            self._count_step()
            if command == registry.DIRECTIVE_SET_COMPONENT_INDEX:
                current = self._indices(argument)
                continue
            try:
                for component in current:
                    if command == registry.DIRECTIVE_OVERRIDE_PARAMETERS:
                        is_soft = self._override(component, argument, is_soft)
                    else:
                        yield from self._step(command, argument, component, depth)
            except _Failed as failed:
                if is_soft:
                    return False
                if depth:
                    raise
                raise ConditionError(
                    command=name(failed.args[0]),
                    component=failed.args[1],
                    sequence=self.section,
                    index=index,
                ) from None
        return True

    def _step(self, command: int, argument: "Any", component: int, depth: int) -> "Generator[Any, Any, None]":
        if command == registry.DIRECTIVE_RUN_SEQUENCE:
            yield from self.run(argument, [component], depth + 1)
        elif command == registry.DIRECTIVE_TRY_EACH:
            yield from self._try_each(argument, component, depth)
        elif command == registry.CONDITION_ABORT:
            raise _Failed(command, component)
        else:
            self._count_step()
            answer = yield self._effect(command, component)
            if answer is not True:  # a forgotten answer does not let a manifest pass
                if command in _CONDITIONS:
                    raise _Failed(command, component)
                raise DirectiveError(command=name(command), component=component, sequence=self.section)

    def _try_each(
        self, alternatives: "list[list[Command] | None]", component: int, depth: int
    ) -> "Generator[Any, Any, None]":
        for sequence in alternatives:
            if sequence is None:
                return
            is_done = yield from self.run(sequence, [component], depth + 1, True)
            if is_done:
                return
        raise _Failed(registry.DIRECTIVE_TRY_EACH, component)

    def _effect(self, command: int, component: int) -> "Any":
        effect, needed, optional = _EFFECTS[command]
        known = self._parameters[component]
        values: "list[Any]" = [component]
        for number in needed:
            if number not in known:
                raise SuitError(reason="not set", parameter=parameters.name(number))
            values.append(known[number])
        for number in optional:
            values.append(known.get(number))
        if command in (registry.DIRECTIVE_COPY, registry.DIRECTIVE_SWAP):
            self._indices(values[1])
        return effect(*values)

    def _override(self, component: int, values: "dict[int, Any]", is_soft: bool) -> bool:
        """Set parameters. Return soft failure, which belongs to the sequence and not to a component."""
        for number in values:
            if number == registry.PARAMETER_SOFT_FAILURE:
                is_soft = values[number]
            else:
                self._parameters[component][number] = values[number]
        return is_soft

    def _indices(self, argument: "Any") -> "list[int]":
        if argument is True:
            return list(range(self._count))
        indices = argument if isinstance(argument, list) else [argument]
        for index in indices:
            if index >= self._count:
                raise SuitError(reason="no such component")
        return indices

    def _count_step(self) -> None:
        self._steps += 1
        if self._steps > SUIT_STEPS:
            raise LimitError(what="SUIT commands", limit=SUIT_STEPS)
