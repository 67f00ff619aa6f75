"""How `firstboot release` talks: words or JSON on standard output, what went wrong and warnings on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from device.errors import FirstbootError
from provisioning.keys.key_ring import KeyRingError
from provisioning.keys.lms_state import LmsStateError
from provisioning.product.product import ProductError
from provisioning.release.log import ReleaseLogError
from provisioning.release.release import ReleaseError

REFUSED: Final = 1
WRONG_INPUT: Final = 2

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document to standard output.")]

_err = Console(stderr=True, highlight=False, soft_wrap=True)


def warn(text: str) -> None:
    """Say something that does not stop the command."""
    _err.print(text, style="yellow", markup=False)


def _end(text: str, code: int) -> typer.Exit:
    _err.print(text, style="red", markup=False)
    return typer.Exit(code)


@contextmanager
def told() -> Iterator[None]:
    """Say what went wrong, and end with the exit code for it."""
    try:
        yield
    except (ProductError, KeyRingError, ReleaseError, OSError) as error:
        raise _end(str(error), WRONG_INPUT) from None
    except (ReleaseLogError, LmsStateError) as error:
        raise _end(str(error), REFUSED) from None
    except FirstbootError as error:
        raise _end(f"refused ({error.code}): {error}", REFUSED) from None
    except ValueError as error:
        raise _end(str(error), WRONG_INPUT) from None


def say(lines: list[tuple[str, str]], document: dict[str, Any], is_json: bool) -> None:
    """Words for people or one JSON document; control characters of foreign text never reach the terminal."""
    if is_json:
        json.dump(document, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in value)
        typer.echo(f"{name:{width}}  {shown}")
