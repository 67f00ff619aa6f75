"""`firstboot serve recipe`: files with which an operating system runs the servers."""

from __future__ import annotations

import sys
from importlib import resources
from typing import Annotated, Final

import typer

from provisioning.cli.errors import InputError

RECIPES: Final = {
    "systemd": "firstboot-serve.service",
    "tmpfiles": "firstboot-serve.conf",
    "container": "Containerfile",
}


def recipe_text(name: str) -> str:
    """Return the recipe of this name in RECIPES."""
    from provisioning.servers import deploy

    return (resources.files(deploy) / RECIPES[name]).read_text(encoding="utf-8")


def recipe(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"One of: {', '.join(RECIPES)}.")],
) -> None:
    """Print a recipe: a systemd unit, the folders it needs, or a Containerfile. Its comments name the next steps.

    Example: `firstboot serve recipe systemd`
    """
    if name not in RECIPES:
        raise InputError(f"There is no recipe {name!r}. Use one of: {', '.join(RECIPES)}.")
    sys.stdout.write(recipe_text(name))
