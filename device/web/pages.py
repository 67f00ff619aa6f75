"""The local pages: each takes values and gives HTML. Plain words, no script needed, nothing from elsewhere."""

from collections import namedtuple

from device.compat import const
from device.records import support
from device.web.html import (
    NORMALISED,
    SHOW,
    document,
    escape,
    facts,
    new_password_fields,
    notice,
    page,
    password_field,
    section,
)

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

# A browser that went past its warning does not resist somebody on the same network; the page says so.
_WARNING = (
    "Your browser does not know this device, so it warned you. Compare the fingerprint in the browser's certificate"
    " details with the one on the label: if they differ, somebody on your network stands in between, so do not type"
    " the code."
)
_PRESS = (
    "This device was reset. Press its button, then send this form within two minutes: so nobody who only knows the"
    " code can set it up from afar."
)
# What stands around a page: `nav` and `told` (a notice) are HTML.
Surroundings = namedtuple("Surroundings", ("nav", "told"))
NOTHING = Surroundings("", "")
BACK = '<p><a href="/">Back</a></p>'


_HEADINGS = {200: "Factory reset", 404: "Not found"}


def index(info: "dict[str, Any]", is_set_up: bool) -> str:
    """The first page: what anyone may know, and the one way on."""
    if is_set_up:
        way = section("Your device", '<p><a class="button" href="/login">Sign in</a></p>')
    else:
        way = section(
            "Set up your device",
            "<p>This device does nothing until you choose a password for it. You need the set-up code from its"
            ' label.</p><p><a class="button" id="start" href="/setup">Start</a></p>',
        )
    return page(title(info), str(info.get("brand", "")), way + public_sections(info), footer())


def public_sections(info: "dict[str, Any]") -> str:
    """Support period and security contact: declared public information (SI 2023/1007 Sch. 1 paras 2 and 3)."""
    period = info.get("support")
    text = escape(period["sentence"]) if period else "The support period of this device cannot be read."
    parts = [section("Security updates", "<p>" + text + "</p>")]
    contact = info.get("contact")
    if contact:
        parts.append(section("Report a security problem", _contact(contact)))
    parts.append(section("Statement of compliance", '<p><a href="/statement">Read the statement</a></p>'))
    return "".join(parts)


def _contact(contact: "dict[str, Any]") -> str:
    text = "<p>Anyone can report a problem, free of charge and without giving a name: {}</p>".format(
        _link(str(contact.get("contact", "")))
    )
    rows = facts(
        (
            ("We confirm your report", contact.get("acknowledgement")),
            ("We keep you informed", contact.get("status_updates")),
        )
    )
    return text + rows + "<p>Our policy: " + _link(str(contact.get("policy", ""))) + "</p>"


def _link(address: str) -> str:
    # device.records.contact lets only these three through; anything else is shown, not linked.
    for scheme in ("https:", "mailto:", "tel:"):
        if address.startswith(scheme):
            shown = address if scheme == "https:" else address[len(scheme) :]
            return '<a href="' + escape(address) + '">' + escape(shown) + "</a>"
    return escape(address)


def contact(info: "dict[str, Any]", around: "Surroundings" = NOTHING) -> str:
    """How to report a security problem, with both times (RP-10; SI 2023/1007 Sch. 1 para 2)."""
    found = info.get("contact")
    body = _contact(found) if found else "<p>The contact of the maker cannot be read.</p>"
    shown = around.told + section("", body + BACK)
    return page("Report a security problem", title(info), shown, footer(), around.nav)


def setup(info: "dict[str, Any]", problem: str = "", is_press_needed: bool = False) -> str:
    """The set-up form; `problem` says in words why the last try was refused. Never shows what was typed."""
    form = (
        '<form method="post" action="/setup" data-password>'
        + NORMALISED
        + '<label for="code">Set-up code</label>'
        '<p class="hint" id="code-hint">21 letters and digits on the label of the device. Dashes and spaces do not'
        " matter.</p>"
        '<input type="text" id="code" name="code" required autocomplete="off" autocapitalize="characters"'
        ' spellcheck="false" aria-describedby="code-hint">'
        + new_password_fields()
        + SHOW
        + '<button type="submit">Set this password</button></form>'
    )
    body = notice(problem) if problem else section("Before you begin", "<p>" + escape(_WARNING) + "</p>")
    if is_press_needed:
        body += notice(_PRESS, False)
    return page("Set up", title(info), body + section("", form), footer())


def login(info: "dict[str, Any]", problem: str = "") -> str:
    """The sign-in form."""
    form = (
        '<form method="post" action="/login" data-password>'
        + NORMALISED
        + password_field("password", "Password", "current-password")
        + SHOW
        + '<button type="submit">Sign in</button></form>'
    )
    body = (notice(problem) if problem else "") + section("", form)
    return page("Sign in", title(info), body + public_sections(info), footer())


def statement(info: "dict[str, Any]", content: "Any", around: "Surroundings" = NOTHING) -> str:
    """The statement of compliance as a page, with its hash (SC-05); `content` is the decoded JSON or None."""
    if content is None:
        body = notice("This device holds no statement of compliance.")
    else:
        told = content.get("notice") if isinstance(content, dict) else None
        body = (notice(str(told)) if told else "") + section("", document(content))
        hint = "SHA-256 of the statement as it was signed, which the maker's archive names too:"
        digest = escape(info.get("statement_sha256") or "not known")
        body += section("Fingerprint", "<p>" + hint + "</p><p><code>" + digest + "</code></p>")
    return page("Statement of compliance", title(info), around.told + body, footer(), around.nav)


def message(status_code: int, text: str) -> str:
    """A page for an error; it says nothing about the unit, since anyone may see it."""
    heading = _HEADINGS.get(status_code, "That did not work")
    return page(heading, "", section("", "<p>" + escape(text) + '</p><p><a href="/">Back</a></p>'))


def time_text(unix_s: "Any") -> str:
    """Give unix seconds as "31 March 2031, 14:05 UTC"; "not known" for None and 0."""
    if isinstance(unix_s, bool) or not isinstance(unix_s, int) or unix_s <= 0:
        return "not known"
    minutes = unix_s % support.DAY_S // 60
    day = support.long_date_text(unix_s // support.DAY_S)
    return "{}, {:02d}:{:02d} UTC".format(day, minutes // 60, minutes % 60)


def title(info: "dict[str, Any]") -> str:
    """The model, which stands above every page's own title."""
    return str(info.get("model") or "Device")


def footer() -> str:
    """The line below every page."""
    return "<p>This page comes from the device itself and asks nothing else on the network.</p>"
