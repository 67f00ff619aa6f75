"""The templates of every page that the maker's programs write or serve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2


def environment(*folders: Path) -> jinja2.Environment:
    """Return the environment with the templates of `folders`; it escapes every value and refuses an unknown name."""
    import jinja2  # commands without a page start faster without it

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
