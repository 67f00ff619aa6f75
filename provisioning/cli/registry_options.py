"""What the commands on a registry share: their options, an open registry, and how a failure is reported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from provisioning.product.public_texts import is_line
from provisioning.registry.registry import Registry

BROKEN: Final = 1
LINE_CHARS: Final = 200


WRONG_INPUT: Final = 2


Place = Annotated[str, typer.Option("--registry", help="The registry: a file, or postgresql://HOST/NAME.")]


Files = Annotated[
    Path | None, typer.Option("--files", help="Folder of the key files; needed with PostgreSQL.")
]


MainPlace = Annotated[
    str, typer.Option("--main", help="The main registry: a file, or postgresql://HOST/NAME.")
]


def one_line(text: str) -> str:
    """An option's text, which is stored and printed as one line. Raises BadParameter for anything else."""
    if not is_line(text) or len(text) > LINE_CHARS:
        raise typer.BadParameter(
            f"must be one line of at most {LINE_CHARS} characters, without control or direction characters"
        )
    return text


By = Annotated[str, typer.Option("--by", callback=one_line, help="Your name: who decided.")]


Reason = Annotated[str, typer.Option("--reason", callback=one_line, help="Why, in a few words.")]


Batch = Annotated[str, typer.Option("--batch", help="The batch number.")]


Serial = Annotated[str, typer.Argument(help="The unit's serial number.")]


@contextmanager
def opened(place: str, files: Path | None) -> Iterator[Registry]:
    """An existing registry. Raises RegistryError if it is missing or cannot be used."""
    registry = Registry(place, files=files)
    try:
        yield registry
    finally:
        registry.close()
