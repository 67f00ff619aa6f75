"""Print results on standard output: text for a person, or JSON for a program.

Rules of `--json`, for every command:
1. Standard output is one JSON document and nothing else. A command that runs until it is stopped prints one document
   per line instead. Warnings, questions and errors go to standard error.
2. The document is an object, or an array of objects if the command lists things. Names are in snake_case. Bytes are
   lower-case hexadecimal text, and a time that is a number has a unit in its name.
3. The exit code is the same as without `--json`. A command that is refused prints its document only if there is more
   to report than the reason, which is on standard error.
"""

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


def print_json_line(document: Any) -> None:
    """One JSON document as one line, written at once: the reader waits for it while the command continues."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def print_line(text: str) -> None:
    """Print one line without control characters: parts of it may come from a device or from another person's file."""
    typer.echo(printable(text))


def print_report(lines: Sequence[str], document: Any, is_json: bool) -> None:
    """Print a report: lines of text, or `document` as JSON."""
    if is_json:
        print_json(document)
        return
    for line in lines:
        print_line(line)


def print_result(rows: Sequence[tuple[str, str]], document: Any, is_json: bool) -> None:
    """A report of (name, value) rows, which are aligned, or `document` as JSON."""
    width = max((len(name) for name, _ in rows), default=0)
    print_report([f"{name:{width}}  {value}" for name, value in rows], document, is_json)
