"""HTML as text: escaping, the frame of every page, form fields, lists of facts. Every shown value is escaped here."""

from collections import namedtuple

from device.compat import const
from device.limits import PASSWORD_MIN_CHARS
from device.web import brand as product
from device.web import words
from device.web.script import SCRIPT
from device.web.words import gettext as _

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Sequence

# A problem with a form, in words. `field` is the id of the field that is wrong, "" if the whole form is.
Problem = namedtuple("Problem", ("text", "field"))
NO_PROBLEM = Problem("", "")

# The ampersand first: the other entities contain one.
_ENTITIES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;"))


def escape(value: object) -> str:
    """Return the text of `value`, safe between tags and inside a quoted attribute."""
    text = str(value)
    for character, entity in _ENTITIES:
        text = text.replace(character, entity)
    return text


def page(
    title: str,
    brand: str,
    body: "str | Sequence[str]",
    footer: str = "",
    nav: str = "",
    is_error: bool = False,
) -> "tuple[str, ...]":
    """Return a whole page in pieces. `title` and `brand` are plain text, `body`, `footer` and `nav` are HTML.

    `is_error`: the page shows a form again; its title says so, which a screen reader reads first.
    """
    # Never joined: a page in one piece needs a large free block, and the board's heap is small (http.py, rule 5).
    pieces = [
        '<!doctype html>\n<html lang="',
        words.code(),
        '" dir="',
        words.direction(),
        '">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Without the icon a browser asks for /favicon.ico, one more TLS handshake for a 404.
        '<link rel="icon" href="data:,">\n<link rel="stylesheet" href="/style.css">\n<title>',
        _("Error: ") if is_error else "",
        escape(title + " - " + brand if brand else title),
        '</title>\n</head>\n<body data-wait="',
        escape(_("Please wait…")),
        '">\n<header>',
        _languages(),
        "<p>",
        escape(brand),
        "</p><h1>",
        escape(title),
        "</h1>",
        nav,
        "</header>\n<main>\n",
    ]
    if isinstance(body, str):
        pieces.append(body)
    else:
        pieces += body
    pieces += ["\n</main>\n<footer>", footer, "</footer>\n<script>", SCRIPT, "</script>\n</body>\n</html>\n"]
    return tuple(pieces)


_LANGUAGE = (
    '<form method="post" action="/language"><input type="hidden" name="page" value="{0}"><input type="hidden"'
    ' name="language" value="{1}"><button class="plain" lang="{1}">{2}</button></form>'
)


def _languages() -> str:
    """Return a button for each other language, named in that language, "" on a product with one."""
    if not product.LANGUAGES:
        return ""
    # The English of a catalogue, if there is one, is the maker's own wording.
    rows = [(words.ENGLISH, "English")]
    rows += [(row[0], row[1]) for row in product.LANGUAGES if row[0] != words.ENGLISH]
    parts = ['<div class="languages" role="group" aria-label="', escape(_("Language")), '">']
    for code, name in rows:
        if code != words.code():
            parts.append(_LANGUAGE.format(escape(words.path()), code, escape(name)))
    return "".join(parts) + "</div>"


def in_english(body: str) -> str:
    """Return HTML in English, marked so on a page in another language."""
    return body if words.code() == words.ENGLISH else '<div lang="en" dir="ltr">' + body + "</div>"


def section(title: str, body: str, kind: str = "") -> str:
    """Return one card. `title` is plain text, `body` is HTML, `kind` is a list of class names from style.py."""
    heading = "<h2>" + escape(title) + "</h2>" if title else ""
    attribute = ' class="' + kind + '"' if kind else ""
    return "<section" + attribute + ">" + heading + body + "</section>"


def notice(text: str, is_bad: bool = True) -> str:
    """Return a message that a screen reader reads at once; one that is not bad is read after the page."""
    return '<section class="notice{}" role="{}"><p>{}</p></section>'.format(
        " bad" if is_bad else "", "alert" if is_bad else "status", escape(text)
    )


def problem_notice(problem: "Problem") -> str:
    """Return the notice for a problem of the whole form, with the focus; "" for one that a field shows itself."""
    if not problem.text or problem.field:
        return ""
    return '<section class="notice bad" role="alert" tabindex="-1" autofocus><p>{}</p></section>'.format(
        escape(problem.text)
    )


def navigation(links: "Sequence[tuple[str, str]]", shown: int, current: str) -> str:
    """Return the list of pages; `links` are (path, English text), `current` is the path of the shown page.

    The first `shown` links are visible, the others behind "More", which needs no script.
    """
    items = []
    for path, text in links:
        mark = ' aria-current="page"' if path == current else ""
        items.append('<li><a href="{}"{}>{}</a></li>'.format(path, mark, escape(_(text))))
    more = (
        "<details><summary>"
        + escape(_("More"))
        + "</summary><ul>"
        + "".join(items[shown:])
        + "</ul></details>"
    )
    return (
        '<nav aria-label="'
        + escape(_("Pages"))
        + '"><ul>'
        + "".join(items[:shown])
        + "</ul>"
        + more
        + "</nav>"
    )


def paragraphs(lines: "Sequence[str]") -> str:
    """Return each line of plain text as a paragraph."""
    return "".join(["<p>" + escape(line) + "</p>" for line in lines])


def success(word: str) -> str:
    """Return a notice with what just succeeded (an English text), "" if `word` is empty."""
    return notice(_(word), False) if word else ""


def details(summary: str, body: str) -> str:
    """Return a card that shows `summary` (plain text) and opens to show `body` (HTML)."""
    return "".join(details_of([body], summary))


def details_of(pieces: "list[str]", summary: str) -> "list[str]":
    """Return the same in pieces, for a long body."""
    return ["<details><summary>" + escape(summary) + "</summary>"] + pieces + ["</details>"]


def field(
    name: str,
    label: str,
    attributes: str,
    hint: str = "",
    problem: "Problem" = NO_PROBLEM,
    is_required: bool = True,
) -> str:
    """Return a labelled input. `attributes` is HTML, `hint` plain text; `problem` is shown if it names this field.

    A field with a problem gets the focus, and its message directly above it (WCAG 2.2, 3.3.1 and 1.3.1).
    """
    parts = ['<label for="', name, '">', escape(label), "</label>"]
    described = []
    if hint:
        parts += ['<p class="hint" id="', name, '-hint">', escape(hint), "</p>"]
        described.append(name + "-hint")
    is_wrong = problem.field == name
    if is_wrong:
        parts += ['<p class="error" role="alert" id="', name, '-error">', escape(problem.text), "</p>"]
        described.append(name + "-error")
    parts += ["<input ", attributes, ' id="', name, '" name="', name, '"', " required" if is_required else ""]
    if described:
        parts += [' aria-describedby="', " ".join(described), '"']
    if is_wrong:
        parts.append(' aria-invalid="true" autofocus')
    return "".join(parts) + ">"


def field_error(name: str, problem: "Problem") -> "tuple[str, str]":
    """Return (the message above a control, attributes of the control); both "" if `problem` is not about it."""
    if problem.field != name:
        return "", ""
    text = '<p class="error" role="alert" id="' + name + '-error">' + escape(problem.text) + "</p>"
    return text, ' aria-invalid="true" aria-describedby="' + name + '-error" autofocus'


def password_field(
    name: str, label: str, purpose: str, hint: str = "", problem: "Problem" = NO_PROBLEM, more: str = ""
) -> str:
    """Return a labelled password field; `purpose` is what a password manager reads (autocomplete), `more` HTML."""
    # A shown password has the direction of its own letters, whatever the page has.
    attributes = 'type="password" dir="auto" autocomplete="' + purpose + '"' + more
    if purpose == "new-password":
        # The browser reports a short password before it sends the form.
        attributes += ' minlength="{}"'.format(PASSWORD_MIN_CHARS)
    return field(name, label, attributes, hint, problem)


def new_password_fields(public: "Sequence[str]", problem: "Problem") -> str:
    """Return the fields for a new password, with the strength meter (meter.py).

    `public` are words of the device that anyone may know; the meter reports a password that contains one.
    """
    hint = _(
        "At least 15 characters. Four or five words that have nothing to do with each other are strong and easy to"
        " remember. You can use spaces, and you can paste a password from a password manager."
    )
    return (
        password_field("password", _("New password"), "new-password", hint, problem)
        + '<p class="hint strength" id="strength" role="status" data-words="'
        + escape("\n".join(public))
        + '" hidden></p>'
        + password_field(
            "again",
            _("New password again"),
            "new-password",
            "",
            problem,
            ' data-differ="' + escape(_("The two passwords are different.")) + '"',
        )
        + '<script src="/meter.js'
        # The query is only the browser's key: it keeps the script of each language for itself.
        + ("" if words.code() == words.ENGLISH else "?" + words.code())
        + '" defer></script>'
    )


def show() -> str:
    """Return the box that shows the typed passwords; without a script it stays hidden."""
    box = '<label class="show" hidden><input type="checkbox" id="show"> '
    return box + escape(_("Show passwords")) + "</label>"


def submit(text: str) -> str:
    """Return the button that sends a form, and the form's end."""
    return '<button type="submit">' + escape(text) + "</button></form>"


NORMALISED = '<input type="hidden" name="normalised" value="">'


def facts(rows: "Sequence[tuple[str, Any]]") -> str:
    """Return a list of names and values; rows without a value are left out.

    From right to left each value is isolated: a version or an English sentence keeps the order of its characters.
    """
    parts = ["<dl>"]
    opening, closing = ("<dd><bdi>", "</bdi></dd>") if words.direction() == "rtl" else ("<dd>", "</dd>")
    for name, value in rows:
        if value is not None and value != "":
            parts += ["<dt>", escape(name), "</dt>", opening, escape(value), closing]
    parts.append("</dl>")
    return "".join(parts)


def document(value: "Any", depth: int = 0) -> "list[str]":
    """Return any JSON value as nested lists, in pieces, with sorted keys; everything below six levels is left out."""
    pieces: "list[str]" = []
    _add_document(value, depth, pieces)
    return pieces


def _add_document(value: "Any", depth: int, pieces: "list[str]") -> None:
    if depth > 6:
        pieces.append("…")
    elif isinstance(value, dict):
        pieces.append("<dl>")
        # Dict order means nothing on MicroPython.
        for key in sorted(value):
            # A nested value goes below its name: side by side, each level would halve the width.
            is_nested = isinstance(value[key], (dict, list))
            pieces += [
                "<dt>",
                escape(_words(str(key))),
                '</dt><dd class="nested">' if is_nested else "</dt><dd>",
            ]
            _add_document(value[key], depth + 1, pieces)
            pieces.append("</dd>")
        pieces.append("</dl>")
    elif isinstance(value, list) and value:
        pieces.append("<ul>")
        for item in value:
            pieces.append("<li>")
            _add_document(item, depth + 1, pieces)
            pieces.append("</li>")
        pieces.append("</ul>")
    elif isinstance(value, list):
        pieces.append("none")
    elif isinstance(value, bool):
        pieces.append("yes" if value else "no")
    else:
        pieces.append("not given" if value is None else escape(value))


def _words(name: str) -> str:
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]
