"""The page and the text file of a kit, for people: offline, without anything from another file that decides.

Rules:
1. The page has its style, its program and the kit's data in itself, and works when it is opened from disk. Its
   Content-Security-Policy names the program by its digest and allows no connection.
2. Values of the data reach the page as text only: escaped by the template, and as `textContent` in the program.
3. Everything except the check of a list is readable without a program.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any, Final

from provisioning.html_templates import environment
from provisioning.kit.answers import RESULTS
from provisioning.kit.content import Content
from provisioning.kit.delivery import form_of_lists
from provisioning.kit.duties import CONDITION, duties_of, keeping_words
from provisioning.product.periods import date_words

TEMPLATES: Final = Path(__file__).parent / "templates"
_README_VALUES: Final = ("maker", "name", "role", "issued", "units", "valid_until", "keeping")
_README: Final = """Kit of {maker} for {name} ({role}), {issued}

Open index.html in a browser. It checks the serial numbers of {units} units without a network: statement of compliance,
batch, support period, contact, recall. This kit counts until {valid_until}.

The page cannot prove where the folder comes from. Once, compare the two keys in the folder keys with {maker} by another
way, for example by telephone, and keep copies of them outside of this folder. "firstboot keys show FILE" prints a key.
Then check every kit with your copies:

    firstboot kit check FOLDER --list serials.txt --station station.pub --trust signatory.pub
    firstboot kit keep FOLDER --to kept --station station.pub --trust signatory.pub

The second command keeps the statements of compliance. {keeping}
"""
_PLAIN_MARKS: Final = (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e"))


def render_page(content: Content) -> bytes:
    """Return the kit's page."""
    import markupsafe  # with jinja2, which only commands that write pages load

    style, program = (_text(name) for name in ("kit.css", "kit.js"))
    data = {
        "content": json.loads(content.to_json()),
        "results": {"order": list(RESULTS), "words": {name: list(words) for name, words in RESULTS.items()}},
        "lists": form_of_lists(),
    }
    shown = environment(TEMPLATES).get_template("kit.html")
    values = _values(content) | {
        "style": markupsafe.Markup(style),  # noqa: S704 - a file of this package
        "program": markupsafe.Markup(program),  # noqa: S704 - a file of this package
        "style_digest": _digest(style),
        "program_digest": _digest(program),
        "data": markupsafe.Markup(_data(data)),  # noqa: S704 - has no mark that HTML reads
    }
    return shown.render(values).encode()


def render_readme(content: Content) -> bytes:
    """Return the kit's text file: what the folder is for, and the two commands."""
    values = _values(content)
    return _README.format(**{name: values[name] for name in _README_VALUES}).encode()


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _data(value: Any) -> str:
    """Return JSON that stays data inside a `script` element."""
    text = json.dumps(value, sort_keys=True)  # ASCII, so no line separator of JavaScript is left
    for mark, escaped in _PLAIN_MARKS:
        text = text.replace(mark, escaped)
    return text


def _values(content: Content) -> dict[str, Any]:
    counts = {each.id: 0 for each in content.statements}
    for unit in content.units:
        counts[unit.statement] += 1
    return {
        "maker": content.maker,
        "name": content.name,
        "role": content.role,
        "issued": date_words(content.issued.isoformat()),
        "valid_until": date_words(content.valid_until.isoformat()),
        "report": content.report,
        "report_shown": content.report.removeprefix("mailto:").removeprefix("tel:"),
        "policy": content.policy,
        "units": len(content.units),
        "stopped": [each for each in content.units if each.state is not None],
        "statements": [
            {
                "id": each.id,
                "model": each.model,
                "batch": each.batch,
                "units": counts[each.id],
                "issued": date_words(each.issued.isoformat()),
                "support_end": date_words(content.support_ends[each.model].isoformat()),
                "keep_until": date_words(each.keep_until.isoformat()),
                "labels": [
                    f"{one.requirement}: {one.scheme} {one.level}, number {one.number}, until"
                    f" {date_words(one.expires.isoformat())}"
                    for one in each.labels
                ],
            }
            for each in content.statements
        ],
        "duties": duties_of(content.role),
        "condition": CONDITION,
        "keeping": keeping_words(content.role),
    }
