"""The pages of an evidence folder for people: no script, no address outside of the folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from provisioning.html_templates import environment

TEMPLATES: Final = Path(__file__).parent / "templates"
PAGES: Final = {
    "index.html": "matrix.html",
    "ics.html": "ics.html",
    "ixit.html": "ixit.html",
    "leads.html": "leads.html",
}
STYLE: Final = "evidence.css"


def make_pages(document: Mapping[str, Any]) -> dict[str, bytes]:
    """Return every page and the style sheet by file name."""
    templates = environment(TEMPLATES)
    counts = Counter(row["outcome"] for row in document["rows"])
    found = {
        name: templates.get_template(template).render(document, counts=counts, name=name).encode()
        for name, template in PAGES.items()
    }
    return found | {STYLE: (TEMPLATES / STYLE).read_bytes()}
