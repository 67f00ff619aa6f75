"""The judgements of a check: `expect`, `refused`, and the two errors that end it."""

from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable


class UnmetError(Exception):
    """The port does something else than its interface promises. The text says what."""


class AbsentError(Exception):
    """The board has no such part, which an interface allows. The text says what follows from it."""


def expect(is_met: bool, text: str) -> None:
    """Raise UnmetError with `text` unless `is_met`."""
    if not is_met:
        raise UnmetError(text)


def refused(
    error: "type[BaseException]", what: str, function: "Callable[..., Any]", *arguments: "Any"
) -> None:
    """Call `function` and expect `error`. Raises UnmetError if it returns or raises something else."""
    try:
        function(*arguments)
    except NotImplementedError:
        raise
    except BaseException as found:
        expect(isinstance(found, error), what + " raises " + type(found).__name__ + ", not " + error.__name__)
        return
    raise UnmetError(what + " is accepted")
