"""Free texts of options, which are stored and printed: each is one line of a bounded length.

A line break, an escape sequence or a direction character could forge another line of a log, a decision or a page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import typer

# Characters at most, by what the text is. The registry's columns (registry/models.py) hold at least as many.
LINE_CHARS: Final = {
    "authority": 64,  # RFC 5280 appendix A.1: ub-common-name
    "batch": 32,
    "branch": 48,
    "consignee": 32,
    "function": 200,
    "person": 200,
    "postal address": 400,
    "reason": 200,
    "release text": 1000,
    "serial": 80,
    "station": 48,
    "version": 32,
}


def one_line(kind: str) -> Callable[[str | None], str | None]:
    """The callback of an option whose text is a `kind` of LINE_CHARS; it raises BadParameter for anything else."""
    most = LINE_CHARS[kind]

    # isprintable: any script, and no control, format, bidirectional or line-separating character.
    def check(text: str | None) -> str | None:
        if text is not None and not (text.isprintable() and text.strip() and len(text) <= most):
            raise typer.BadParameter(
                f"must be one line of at most {most} characters, without control or direction characters"
            )
        return text

    return check


def lines(kind: str) -> Callable[[list[str] | None], list[str] | None]:
    """The callback of an option that may be repeated, whose texts are each a `kind` of LINE_CHARS."""
    check = one_line(kind)

    def check_each(texts: list[str] | None) -> list[str] | None:
        for text in texts or ():
            check(text)
        return texts

    return check_each
