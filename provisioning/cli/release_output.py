"""How commands print results: lines for people, or one JSON document, on standard output."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from provisioning.cli.errors import printable, warn

__all__ = ["JsonOption", "say", "warn"]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document to standard output.")]


def say(lines: list[tuple[str, str]], document: dict[str, Any], is_json: bool) -> None:
    """Words for people or one JSON document; control characters of foreign text never reach the terminal."""
    if is_json:
        json.dump(document, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        typer.echo(f"{name:{width}}  {printable(value)}")
