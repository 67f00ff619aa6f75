"""What the commands on a registry share: their options, an open registry, and how a failure is reported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from provisioning.registry.errors import ChainError, RegistryError
from provisioning.registry.registry import Registry
from provisioning.servers.oscore_store import OscoreStoreError

BROKEN: Final = 1


WRONG_INPUT: Final = 2


err = Console(stderr=True, highlight=False, soft_wrap=True)


Place = Annotated[str, typer.Option("--registry", help="The registry: a file, or postgresql://HOST/NAME.")]


Files = Annotated[
    Path | None, typer.Option("--files", help="Folder of the key files; needed with PostgreSQL.")
]


MainPlace = Annotated[
    str, typer.Option("--main", help="The main registry: a file, or postgresql://HOST/NAME.")
]


By = Annotated[str, typer.Option("--by", help="Your name: who decided.")]


Reason = Annotated[str, typer.Option("--reason", help="Why, in a few words.")]


Batch = Annotated[str, typer.Option("--batch", help="The batch number.")]


Serial = Annotated[str, typer.Argument(help="The unit's serial number.")]


@contextmanager
def told() -> Iterator[None]:
    """Say what does not hold or cannot be used, and end with the exit code for it."""
    try:
        yield
    except ChainError as error:
        for problem in error.problems:
            err.print(problem, style="bold red", markup=False)
        raise typer.Exit(BROKEN) from None
    except (RegistryError, OscoreStoreError) as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(WRONG_INPUT) from None
    except OSError as error:  # a token's error has its own words and no file
        words = str(error) if error.strerror is None else f"{error.filename or 'file'}: {error.strerror}"
        err.print(words, style="red", markup=False)
        raise typer.Exit(WRONG_INPUT) from None


@contextmanager
def opened(place: str, files: Path | None) -> Iterator[Registry]:
    """An existing registry; none is made by looking at it. Ends with exit code 2 where it cannot be used."""
    with told():
        if "://" not in place and not Path(place).is_file():
            raise RegistryError(f"there is no registry {place}")
        registry = Registry(place, files=files)
        try:
            yield registry
        finally:
            registry.close()
