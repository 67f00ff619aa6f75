"""A reason or a name is one line: it is stored and printed, so it cannot forge another line."""

from __future__ import annotations

import pytest
import typer

from provisioning.cli.options import one_line


@pytest.mark.parametrize(
    "text", ["bent\nFB1-000002 passed", "a\u202eb", "a\x1b[2K", "a\u2028b", "", "x" * 201]
)
def test_a_text_that_is_not_one_line_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="one line"):
        one_line(text)


def test_one_line_is_taken_as_it_is() -> None:
    assert one_line("Gehäuse zerkratzt, Łódź") == "Gehäuse zerkratzt, Łódź"
