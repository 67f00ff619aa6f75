"""HTML as text: escaping, the frame of every page, lists of facts. Every value that is shown goes through here."""

from device.compat import const
from device.limits import PASSWORD_MIN_CHARS
from device.web.script import SCRIPT

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Sequence

# The ampersand first: the others bring new ones.
_ENTITIES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;"))


def escape(value: object) -> str:
    """Give the text of `value`, safe between tags and inside a quoted attribute."""
    text = str(value)
    for character, entity in _ENTITIES:
        text = text.replace(character, entity)
    return text


def page(title: str, brand: str, body: str, footer: str = "", nav: str = "") -> str:
    """Give a whole page. `title`, `brand` are plain text, `body`, `footer` and `nav` are HTML."""
    # Joined once: each "+" would copy the page, and the board's heap is small.
    return "".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            # Without the icon a browser asks for /favicon.ico, one more TLS handshake for a 404.
            '<link rel="icon" href="data:,">\n<link rel="stylesheet" href="/style.css">\n<title>',
            escape(title),
            "</title>\n</head>\n<body>\n<header><p>",
            escape(brand),
            "</p><h1>",
            escape(title),
            "</h1>",
            nav,
            "</header>\n<main>\n",
            body,
            "\n</main>\n<footer>",
            footer,
            "</footer>\n<script>",
            SCRIPT,
            "</script>\n</body>\n</html>\n",
        )
    )


def section(title: str, body: str, kind: str = "") -> str:
    """Give one card. `title` is plain text, `body` HTML, `kind` class names of style.py."""
    heading = "<h2>" + escape(title) + "</h2>" if title else ""
    attribute = ' class="' + kind + '"' if kind else ""
    return "<section" + attribute + ">" + heading + body + "</section>"


def notice(text: str, is_bad: bool = True) -> str:
    """Give a message that a screen reader speaks at once."""
    return '<section class="notice{}" role="alert"><p>{}</p></section>'.format(
        " bad" if is_bad else "", escape(text)
    )


def navigation(links: "Sequence[tuple[str, str]]", current: str) -> str:
    """Give the list of pages; `links` are (path, plain text), `current` is the path of the page that shows it."""
    parts = ['<nav aria-label="Pages"><ul>']
    for path, text in links:
        mark = ' aria-current="page"' if path == current else ""
        parts.append('<li><a href="{}"{}>{}</a></li>'.format(path, mark, escape(text)))
    return "".join(parts) + "</ul></nav>"


def password_field(name: str, label: str, purpose: str, hint: str = "") -> str:
    """Give a labelled password field; `purpose` is what a password manager reads (autocomplete)."""
    described = ' aria-describedby="{}-hint"'.format(name) if hint else ""
    # The browser says so before the form is sent, and the set-up code need not be typed again.
    least = ' minlength="{}"'.format(PASSWORD_MIN_CHARS) if purpose == "new-password" else ""
    return (
        '<label for="{}">{}</label>'.format(name, escape(label))
        + ('<p class="hint" id="{}-hint">{}</p>'.format(name, escape(hint)) if hint else "")
        + '<input type="password" id="{0}" name="{0}" required autocomplete="{1}"{2}{3}>'.format(
            name, purpose, described, least
        )
    )


def new_password_fields() -> str:
    """Give the fields for a new password; the strength that the script shows is a comfort, the device decides."""
    hint = (
        "At least 15 characters. Spaces are welcome; four or five words that do not belong together are strong and"
        " easy to keep. You may paste it from a password manager."
    )
    return (
        password_field("password", "New password", "new-password", hint)
        + '<p class="hint strength" id="strength" role="status" hidden></p>'
        + password_field("again", "New password again", "new-password")
    )


SHOW = '<label class="show" hidden><input type="checkbox" id="show"> Show what I type</label>'
NORMALISED = '<input type="hidden" name="normalised" value="">'


def facts(rows: "Sequence[tuple[str, Any]]") -> str:
    """Give a list of names and values; rows without a value are left out."""
    parts = ["<dl>"]
    for name, value in rows:
        if value is not None and value != "":
            parts.append("<dt>" + escape(name) + "</dt><dd>" + escape(value) + "</dd>")
    parts.append("</dl>")
    return "".join(parts)


def document(value: "Any", depth: int = 0) -> str:
    """Give any JSON value as nested lists, keys sorted as words; nothing below six levels."""
    if depth > 6:
        return "…"
    if isinstance(value, dict):
        parts = ["<dl>"]
        # Dict order means nothing on MicroPython.
        for key in sorted(value):
            parts.append("<dt>" + escape(_words(str(key))) + "</dt>")
            # What is nested stands below its name: side by side, each level would halve the width.
            kind = ' class="nested"' if isinstance(value[key], (dict, list)) else ""
            parts.append("<dd" + kind + ">" + document(value[key], depth + 1) + "</dd>")
        return "".join(parts) + "</dl>"
    if isinstance(value, list):
        if not value:
            return "none"
        return "<ul>" + "".join(["<li>" + document(item, depth + 1) + "</li>" for item in value]) + "</ul>"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not given" if value is None else escape(value)


def _words(name: str) -> str:
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]
