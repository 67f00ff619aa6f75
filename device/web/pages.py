"""The public pages. Each function takes values and returns HTML that needs no script and loads nothing else."""

from collections import namedtuple

from device.compat import const
from device.records import support
from device.web import texts, words
from device.web.html import (
    NO_PROBLEM,
    NORMALISED,
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
    show,
    submit,
    success,
)
from device.web.words import ENGLISH
from device.web.words import gettext as _

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.web.html import Problem

# A browser whose warning was dismissed does not notice an attacker on the same network; the page says so.
_WARNING = (  # gettext
    "Your browser warned you because it cannot check who made this page. To be sure that it comes from your device,"
    " open the certificate details in your browser and compare the fingerprint there with the one on the label. If they"
    " differ, do not type the code: another device on your network is pretending to be yours."
)
_PRESS = (  # gettext
    "This device was reset. Press the button on the device, then send this form within two minutes. The button proves"
    " that you are standing next to the device."
)
NO_PERIOD = "The device cannot read its support period. Ask the manufacturer for it."  # gettext
# The parts around a page: `nav` and `notice` are HTML.
Surroundings = namedtuple("Surroundings", ("nav", "notice"))
NOTHING = Surroundings("", "")
_START = ' id="start"'
_HEADINGS = {200: "Factory reset", 404: "Page not found"}  # gettext


def _home() -> str:
    return '<p><a href="/">' + escape(_("Go to the start page")) + "</a></p>"


def _button(path: str, text: str, start: str = "") -> str:
    """Return a link that looks like a button; `start`: ' id="start"' for one that takes the scanned code along."""
    return '<p><a class="button"{} href="{}">{}</a></p>'.format(start, path, escape(text))


def index(info: "dict[str, Any]", is_set_up: bool, word: str = "") -> "tuple[str, ...]":
    """Return the start page: public information, and the link to sign-in or set-up."""
    if is_set_up:
        way = section(_("Your device"), _button("/login", _("Sign in")))
    else:
        text = _(
            "Before you can use this device, choose a password for it. You need the set-up code on its label."
        )
        body = paragraphs((text,)) + _button("/setup", _("Start"), _START)
        way = section(_("Set up your device"), body)
    body = success(word) + way + public_sections(info)
    return page(title(info), str(info.get("brand", "")), body, footer())


def public_sections(info: "dict[str, Any]", has_link: bool = True) -> str:
    """Return support period and security contact, which are public (SI 2023/1007 Sch. 1 paras 2 and 3).

    The law wants both in English, so a page in another language has them twice. `has_link`: the page can still lead to
    another one of the device.
    """
    body = _also_in_english(_public, info)
    if not has_link:
        return body
    link = '<p><a href="/statement">' + escape(_("Read the statement")) + "</a></p>"
    return body + section(_("Statement of compliance"), link)


def _also_in_english(build: "Any", value: "dict[str, Any]") -> str:
    """Return what `build(value)` gives; on a page in another language the same in English below it."""
    body = str(build(value))
    if words.code() != ENGLISH:
        with words.English():
            body += '<div lang="en" dir="ltr">' + build(value) + "</div>"
    return body


def _public(info: "dict[str, Any]") -> str:
    text = period_sentence(title(info), info.get("support")) or _(NO_PERIOD)
    body = section(_("Security updates"), paragraphs((text,)))
    contact = info.get("contact")
    if contact:
        body += section(_("Report a security problem"), _contact(contact))
    return body


def period_sentence(model: str, period: "dict[str, Any] | None") -> str:
    """Return the sentence of the support period in the page's language, "" without one (SP-04)."""
    if not period:
        return ""
    if words.code() == ENGLISH:
        return str(period.get("sentence", ""))
    return _(support.SENTENCE, model, iso_date_text(period["end_date"]))


def _contact(contact: "dict[str, Any]") -> str:
    said = _("Anyone can report a security problem, free of charge and without giving a name:")
    text = "<p>" + escape(said) + " " + _link(str(contact.get("contact", ""))) + "</p>"
    rows = facts(
        (
            (_("We confirm your report"), contact.get("acknowledgement")),
            (_("We send you updates"), contact.get("status_updates")),
        )
    )
    policy = escape(_("How we handle reports:")) + " " + _link(str(contact.get("policy", "")))
    return text + rows + "<p>" + policy + "</p>"


def _link(address: str) -> str:
    # device.records.contact accepts only these three; anything else is shown as text, not as a link.
    for scheme in ("https:", "mailto:", "tel:"):
        if address.startswith(scheme):
            shown = address if scheme == "https:" else address[len(scheme) :]
            return '<a dir="ltr" href="' + escape(address) + '">' + escape(shown) + "</a>"
    return escape(address)


def contact(info: "dict[str, Any]", around: "Surroundings" = NOTHING) -> "tuple[str, ...]":
    """Return how to report a security problem, with both times (RP-10; SI 2023/1007 Sch. 1 para 2)."""
    found = info.get("contact")
    if found:
        body = _also_in_english(_contact, found)
    else:
        body = paragraphs((_("The device cannot read the contact details of its manufacturer."),))
    shown = around.notice + section("", body + _home())
    return page(_("Report a security problem"), title(info), shown, footer(), around.nav)


def setup(
    info: "dict[str, Any]", problem: "Problem" = NO_PROBLEM, is_press_needed: bool = False, code: str = ""
) -> "tuple[str, ...]":
    """Return the set-up form.

    `problem`: why the last attempt was refused. `code`: the set-up code of that attempt (letters, digits and dashes),
    so that the owner need not scan or type it again. A password is never shown again.
    """
    attributes = 'type="text" dir="ltr" autocomplete="off" autocapitalize="characters" spellcheck="false"'
    if code:
        attributes += ' value="' + escape(code) + '"'
    hint = _("21 letters and digits on the label of the device. Dashes, spaces and capitals do not matter.")
    form = (
        '<form method="post" action="/setup" data-password>'
        + NORMALISED
        + field("code", _("Set-up code"), attributes, hint, problem)
        + new_password_fields((title(info), str(info.get("brand", ""))), problem)
        + show()
        + submit(_("Set this password"))
    )
    body = problem_notice(problem)
    if not problem.text:
        body = section(_("Before you begin"), paragraphs((_(_WARNING),)))
    if is_press_needed:
        body += notice(_(_PRESS), False)
    return page(_("Set up"), title(info), body + section("", form), footer(), "", bool(problem.text))


def login(info: "dict[str, Any]", problem: "Problem" = NO_PROBLEM, word: str = "") -> "tuple[str, ...]":
    """Return the sign-in form; `word` is the message of what just succeeded."""
    form = (
        '<form method="post" action="/login" data-password>'
        + NORMALISED
        + password_field("password", _("Password"), "current-password", "", problem)
        + show()
        + submit(_("Sign in"))
    )
    body = success(word) + problem_notice(problem)
    if word == texts.SET_UP:
        body += section(_("What happens now"), paragraphs([_(line) for line in texts.SET_UP_NEXT]))
    body += section("", form)
    body += forgotten() + public_sections(info)
    return page(_("Sign in"), title(info), body, footer(), "", bool(problem.text))


def forgotten() -> str:
    """Return what an owner does who forgot the password, or who passes the device on; closed at first."""
    lines = paragraphs([_(line) for line in texts.FORGOTTEN])
    return details(_("You forgot the password, or pass the device on?"), lines)


def set_up_already() -> "tuple[str, ...]":
    """Return the page for set-up on a device that has an owner: second tab, second scan, Back, double click."""
    lines = (
        _(
            "This device is already set up, so its set-up code no longer works. If you have just set it up, sign in"
            " with the password that you chose."
        ),
        _(
            "If the device is new and you did not set it up, or if you forgot the password, reset the device with its"
            " button, then set it up again."
        ),
    )
    return page(_("Already set up"), "", section("", paragraphs(lines) + _button("/login", _("Sign in"))))


def not_set_up() -> "tuple[str, ...]":
    """Return the page for an owner's page of a device without an owner."""
    text = _("This device has no password yet, so nobody can sign in. Set it up with the code on its label.")
    body = paragraphs((text,)) + _button("/setup", _("Set up"), _START)
    return page(_("Not set up yet"), "", section("", body))


def message(status_code: int, text: str) -> "tuple[str, ...]":
    """Return a page with one sentence in the page's language; it reveals nothing about the unit to anyone."""
    heading = _HEADINGS.get(status_code)
    heading = _(heading) if heading else _("Something went wrong")
    return page(heading, "", section("", paragraphs((text,)) + _home()))


def time_text(unix_s: "Any") -> str:
    """Return unix seconds as "31 March 2031, 14:05 UTC"; "not known" for None and 0."""
    if isinstance(unix_s, bool) or not isinstance(unix_s, int) or unix_s <= 0:
        return _("not known")
    minutes = unix_s % support.DAY_S // 60
    clock = "{:02d}:{:02d}".format(minutes // 60, minutes % 60)
    return _("{0}, {1} UTC").format(date_text(unix_s // support.DAY_S), clock)


def date_text(day: int) -> str:
    """Return a day counted from 1970-01-01 as people write it: "31 March 2031"."""
    year, month, day_of_month = support.civil_from_days(day)
    # Without isolates around its parts, so that the month gives a date the direction of its language.
    return _("{0} {1} {2}").format(day_of_month, _(support.MONTHS[month - 1]), year)


def iso_date_text(text: str) -> str:
    """Return "2031-03-31" as people write it. Raises SupportRecordError, TypeError, ValueError."""
    year, month, day = [int(part) for part in text.split("-")]
    return date_text(support.days_from_civil(year, month, day))


def title(info: "dict[str, Any]") -> str:
    """Return the model, which is shown above the title of every page."""
    return str(info.get("model") or _("Device"))


def footer() -> str:
    """Return the line at the end of every page."""
    return paragraphs((_("This page comes from the device itself. It loads nothing from the internet."),))
