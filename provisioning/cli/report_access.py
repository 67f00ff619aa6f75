"""Options that the commands of `firstboot report` share, and the case store for the time of a command."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from provisioning.cli.addresses import registry_place
from provisioning.cli.errors import InputError
from provisioning.cli.settings_fields import RelativeText
from provisioning.disclosure.notices import LONGEST_TEXT
from provisioning.disclosure.store import CaseStore

CasesOption = Annotated[
    str,
    typer.Option(
        "--cases", metavar="PLACE", help="The case store: a SQLite file, or postgresql://HOST/NAME."
    ),
    RelativeText(registry_place),
]
CaseArgument = Annotated[
    str, typer.Argument(metavar="CASE", help="The number of the case, like SR-2026-0001.")
]
SeenOption = Annotated[
    int | None,
    typer.Option(
        "--seen",
        metavar="VERSION",
        help="The version of the case that you read. Refused if it has another one.",
    ),
]
MessageOption = Annotated[
    str | None,
    typer.Option(
        "--message", metavar="FILE", help="Your words to the reporters: a text file, or - to type them."
    ),
]
MomentOption = typer.Option("--at", metavar="TIME", help="ISO 8601 with a time zone, like 2026-12-01T09:30Z.")
STANDARD_INPUT: Final = "-"


@contextmanager
def opened(place: str, files: Path | None) -> Iterator[CaseStore]:
    """The existing case store at `place`. Raises RegistryError if it is missing or cannot be used."""
    store = CaseStore(place, files=files)
    try:
        yield store
    finally:
        store.close()


def text_from(name: str | None, most: int = LONGEST_TEXT) -> str:
    """Return the text of a file or of standard input; "" without one. Raises InputError, OSError."""
    if name is None:
        return ""
    if name == STANDARD_INPUT:
        data = sys.stdin.buffer.read(4 * most + 1)
    else:
        with Path(name).open("rb") as file:
            data = file.read(4 * most + 1)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{name} is not a UTF-8 text.") from None
    if len(text) > most:
        raise InputError(f"{name} has more than {most} characters.")
    return text.replace("\r\n", "\n").strip()


def moment(text: str | None, option: str = "--at") -> int | None:
    """Return the unix seconds of an ISO 8601 time with a zone; None without one. Raises InputError."""
    if text is None:
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option}: {text!r} is not a time like 2026-12-01T09:30Z.") from None
    if found.tzinfo is None:
        raise InputError(f"{option}: {text!r} has no time zone; add Z or an offset like +01:00.")
    return int(found.timestamp())
