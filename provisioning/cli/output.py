"""How commands print results on standard output: lines for a person, or one JSON document for a program."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import typer

from provisioning.cli.errors import printable


def print_json(document: Any) -> None:
    """One JSON document, indented, with a line end."""
    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")


def print_line(text: str) -> None:
    """One line without control characters: parts of it may come from a device or a file of somebody else."""
    typer.echo(printable(text))


def print_result(lines: Sequence[tuple[str, str]], document: Any, is_json: bool) -> None:
    """A result: aligned lines of name and value, or `document` as JSON."""
    if is_json:
        print_json(document)
        return
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        print_line(f"{name:{width}}  {value}")
