"""The public pages. Each function takes values and returns HTML that needs no script and loads nothing else."""

from collections import namedtuple

from device.compat import const
from device.records import support
from device.web import texts
from device.web.html import (
    NO_PROBLEM,
    NORMALISED,
    SHOW,
    details,
    escape,
    facts,
    field,
    new_password_fields,
    notice,
    page,
    paragraphs,
    password_field,
    problem_notice,
    section,
    success,
)

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.web.html import Problem

# A browser whose warning was dismissed does not notice an attacker on the same network; the page says so.
_WARNING = (
    "Your browser warned you because it cannot check who made this page. To be sure that it comes from your device,"
    " open the certificate details in your browser and compare the fingerprint there with the one on the label. If they"
    " differ, do not type the code: another device on your network is pretending to be yours."
)
_PRESS = (
    "This device was reset. Press the button on the device, then send this form within two minutes. The button proves"
    " that you are standing next to the device."
)
NO_PERIOD = "The device cannot read its support period. Ask the manufacturer for it."
# The parts around a page: `nav` and `notice` are HTML.
Surroundings = namedtuple("Surroundings", ("nav", "notice"))
NOTHING = Surroundings("", "")
_HOME = '<p><a href="/">Go to the start page</a></p>'
_HEADINGS = {200: "Factory reset", 404: "Page not found"}


def index(info: "dict[str, Any]", is_set_up: bool, word: str = "") -> "tuple[str, ...]":
    """Return the start page: public information, and the link to sign-in or set-up."""
    if is_set_up:
        way = section("Your device", '<p><a class="button" href="/login">Sign in</a></p>')
    else:
        way = section(
            "Set up your device",
            "<p>Before you can use this device, choose a password for it. You need the set-up code on its"
            ' label.</p><p><a class="button" id="start" href="/setup">Start</a></p>',
        )
    body = success(word) + way + public_sections(info)
    return page(title(info), str(info.get("brand", "")), body, footer())


def public_sections(info: "dict[str, Any]") -> str:
    """Return support period and security contact, which are public (SI 2023/1007 Sch. 1 paras 2 and 3)."""
    period = info.get("support")
    text = escape(period["sentence"]) if period else NO_PERIOD
    parts = [section("Security updates", "<p>" + text + "</p>")]
    contact = info.get("contact")
    if contact:
        parts.append(section("Report a security problem", _contact(contact)))
    parts.append(section("Statement of compliance", '<p><a href="/statement">Read the statement</a></p>'))
    return "".join(parts)


def _contact(contact: "dict[str, Any]") -> str:
    text = "<p>Anyone can report a security problem, free of charge and without giving a name: {}</p>".format(
        _link(str(contact.get("contact", "")))
    )
    rows = facts(
        (
            ("We confirm your report", contact.get("acknowledgement")),
            ("We send you updates", contact.get("status_updates")),
        )
    )
    return text + rows + "<p>How we handle reports: " + _link(str(contact.get("policy", ""))) + "</p>"


def _link(address: str) -> str:
    # device.records.contact accepts only these three; anything else is shown as text, not as a link.
    for scheme in ("https:", "mailto:", "tel:"):
        if address.startswith(scheme):
            shown = address if scheme == "https:" else address[len(scheme) :]
            return '<a href="' + escape(address) + '">' + escape(shown) + "</a>"
    return escape(address)


def contact(info: "dict[str, Any]", around: "Surroundings" = NOTHING) -> "tuple[str, ...]":
    """Return how to report a security problem, with both times (RP-10; SI 2023/1007 Sch. 1 para 2)."""
    found = info.get("contact")
    body = (
        _contact(found) if found else "<p>The device cannot read the contact details of its manufacturer.</p>"
    )
    shown = around.notice + section("", body + _HOME)
    return page("Report a security problem", title(info), shown, footer(), around.nav)


def setup(
    info: "dict[str, Any]", problem: "Problem" = NO_PROBLEM, is_press_needed: bool = False, code: str = ""
) -> "tuple[str, ...]":
    """Return the set-up form.

    `problem`: why the last attempt was refused. `code`: the set-up code of that attempt (letters, digits and dashes),
    so that the owner need not scan or type it again. A password is never shown again.
    """
    attributes = 'type="text" autocomplete="off" autocapitalize="characters" spellcheck="false"'
    if code:
        attributes += ' value="' + escape(code) + '"'
    hint = "21 letters and digits on the label of the device. Dashes, spaces and capitals do not matter."
    form = (
        '<form method="post" action="/setup" data-password>'
        + NORMALISED
        + field("code", "Set-up code", attributes, hint, problem)
        + new_password_fields((title(info), str(info.get("brand", ""))), problem)
        + SHOW
        + '<button type="submit">Set this password</button></form>'
    )
    body = problem_notice(problem)
    if not problem.text:
        body = section("Before you begin", "<p>" + escape(_WARNING) + "</p>")
    if is_press_needed:
        body += notice(_PRESS, False)
    return page("Set up", title(info), body + section("", form), footer(), "", bool(problem.text))


def login(info: "dict[str, Any]", problem: "Problem" = NO_PROBLEM, word: str = "") -> "tuple[str, ...]":
    """Return the sign-in form; `word` is the message of what just succeeded."""
    form = (
        '<form method="post" action="/login" data-password>'
        + NORMALISED
        + password_field("password", "Password", "current-password", "", problem)
        + SHOW
        + '<button type="submit">Sign in</button></form>'
    )
    body = success(word) + problem_notice(problem)
    if word == texts.SET_UP:
        body += section("What happens now", paragraphs(texts.SET_UP_NEXT))
    body += section("", form)
    body += details("You forgot the password, or pass the device on?", paragraphs(texts.FORGOTTEN))
    body += public_sections(info)
    return page("Sign in", title(info), body, footer(), "", bool(problem.text))


def set_up_already() -> "tuple[str, ...]":
    """Return the page for set-up on a device that has an owner: second tab, second scan, Back, double click."""
    text = (
        "<p>This device is already set up, so its set-up code no longer works. If you have just set it up, sign in with"
        " the password that you chose.</p><p>If the device is new and you did not set it up, or if you forgot the"
        " password, reset the device with its button, then set it up again.</p>"
        '<p><a class="button" href="/login">Sign in</a></p>'
    )
    return page("Already set up", "", section("", text))


def not_set_up() -> "tuple[str, ...]":
    """Return the page for an owner's page of a device without an owner."""
    text = (
        "<p>This device has no password yet, so nobody can sign in. Set it up with the code on its label.</p>"
        '<p><a class="button" id="start" href="/setup">Set up</a></p>'
    )
    return page("Not set up yet", "", section("", text))


def message(status_code: int, text: str) -> "tuple[str, ...]":
    """Return a page with one sentence; it reveals nothing about the unit, since anyone may see it."""
    heading = _HEADINGS.get(status_code, "Something went wrong")
    return page(heading, "", section("", "<p>" + escape(text) + "</p>" + _HOME))


def time_text(unix_s: "Any") -> str:
    """Return unix seconds as "31 March 2031, 14:05 UTC"; "not known" for None and 0."""
    if isinstance(unix_s, bool) or not isinstance(unix_s, int) or unix_s <= 0:
        return "not known"
    minutes = unix_s % support.DAY_S // 60
    day = support.long_date_text(unix_s // support.DAY_S)
    return "{}, {:02d}:{:02d} UTC".format(day, minutes // 60, minutes % 60)


def title(info: "dict[str, Any]") -> str:
    """Return the model, which is shown above the title of every page."""
    return str(info.get("model") or "Device")


def footer() -> str:
    """Return the line at the end of every page."""
    return "<p>This page comes from the device itself. It loads nothing from the internet.</p>"
