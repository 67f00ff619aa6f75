"""The owner's pages, behind a session: each takes values and gives HTML. No script needed, nothing from elsewhere.

Every one of them carries the navigation and, once support has ended, says so (SP-08).
"""

from device.compat import const
from device.limits import POSTPONE_DAYS
from device.records import support
from device.web import licences, texts
from device.web.html import (
    NORMALISED,
    SHOW,
    escape,
    facts,
    navigation,
    new_password_fields,
    notice,
    page,
    password_field,
    section,
)
from device.web.pages import Surroundings, footer, message, time_text, title

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

LINKS = (
    ("/status", "Status"),
    ("/updates", "Updates"),
    ("/support", "Support period"),
    ("/contact", "Report a problem"),
    ("/statement", "Compliance"),
    ("/password", "Password"),
    ("/reset", "Factory reset"),
    ("/licences", "Licences"),
)
_SIGN_OUT = (
    '<form method="post" action="/logout"><button class="quiet" type="submit">Sign out</button></form>'
)

_SUPPORT_TEXTS = {
    support.SUPPORTED: ("Supported", "good"),
    support.ENDING: ("Support ends soon", "warn"),
    support.ENDED: ("Support has ended", "ended"),
    support.UNKNOWN: ("Not known: the device has not learnt the time yet", "warn"),
}
_ENDED = (
    "Security updates for this device have ended. It goes on working, but problems that are found from now on may"
    " stay. The page about the support period says what you can do."
)
_AFTER_END = (
    "The device goes on working. Problems that are found from now on may stay: think about replacing it, or about"
    " taking it off the internet. An update that comes all the same will be installed."
)
_WHY_UNKNOWN = (
    "The device has no clock that it can trust until it hears from its maker's server, and has not heard from it since"
    " it was switched on. It says nothing that it does not know: the date above stands, whether it has passed does not."
)
_POSTPONE = (1, 7, POSTPONE_DAYS)


def surroundings(path: str, found: "dict[str, Any]") -> "Surroundings":
    """Navigation and, once support has ended, the notice that says so."""
    period = found.get("support") or {}
    told = notice(_ENDED) if period.get("state") == support.ENDED else ""
    return Surroundings(navigation(LINKS, path), told)


def _owner(heading: str, path: str, info: "dict[str, Any]", found: "dict[str, Any]", body: str) -> str:
    around = surroundings(path, found)
    body = around.told + body if around.told else body
    return page(heading, title(info), body, footer(), around.nav)


def status(info: "dict[str, Any]", found: "dict[str, Any]", problem: str = "") -> str:
    """Version, support period, updates, what was refused."""
    update = found.get("update") or {}
    body = _told_problem(problem) + _support(found.get("support"))
    body += section("Software", facts(_software_rows(found, update)))
    refused = update.get("last_error")
    if refused:
        body += notice("The last update was not installed: " + _told(refused))
    body += _events(update.get("events") or [])
    return _owner("Status", "/status", info, found, body + section("", _SIGN_OUT))


def _told_problem(problem: str) -> str:
    return notice(problem) if problem else ""


def _software_rows(found: "dict[str, Any]", update: "dict[str, Any]") -> "list[tuple[str, Any]]":
    contact = found.get("last_contact")
    progress = update.get("progress")
    return [
        ("Version", found.get("version")),
        ("On trial", "yes, until it has proved itself" if found.get("is_trial") else "no"),
        ("Update", update.get("state")),
        ("Progress", None if progress is None else "{} %".format(progress)),
        ("Release number", update.get("sequence")),
        ("Last contact", None if contact is None else _contact_time(contact)),
        ("Word from the maker", "none for 72 hours of running" if update.get("is_stale") else "in time"),
        ("Time", time_text(found.get("time"))),
        ("Automatic updates", _automatic(update)),
        ("Application", _application(found.get("application"))),
    ]


def _application(found: "dict[str, Any] | None") -> str:
    """What runs beside the firmware and what it says of itself."""
    if not found:
        return "none"
    text = "release {}, {}".format(found.get("release"), found.get("state"))
    says = found.get("says")
    return "{}: {}".format(text, says) if says else text


def _contact_time(contact: "dict[str, Any]") -> str:
    return "{} ({})".format(time_text(contact.get("time")), contact.get("source", ""))


def _support(found: "dict[str, Any] | None") -> str:
    if not found:
        return section("Security updates", "<p>The support period of this device cannot be read.</p>")
    state = str(found.get("state", support.UNKNOWN))
    text, kind = _SUPPORT_TEXTS.get(state, _SUPPORT_TEXTS[support.UNKNOWN])
    body = '<p class="state {}">{}</p><p>{}</p>'.format(kind, escape(text), escape(found.get("sentence", "")))
    if state == support.UNKNOWN:
        body += "<p>" + escape(_WHY_UNKNOWN) + "</p>"
    days = found.get("days_left")
    if state in (support.SUPPORTED, support.ENDING) and days is not None:
        body += "<p>{} left.</p>".format("1 day" if days == 1 else "{} days".format(escape(days)))
    if state == support.ENDED:
        body += "<p>" + escape(_AFTER_END) + "</p>"
    return section("Security updates", body)


def _events(events: "list[dict[str, Any]]") -> str:
    if not events:
        return ""
    rows = ["<li>" + escape(time_text(event.get("time")) + ": " + _told(event)) + "</li>" for event in events]
    return section("What happened", "<ul>" + "".join(rows) + "</ul>")


def _told(event: "dict[str, Any]") -> str:
    """An error in plain words, with its permanent number and facts for whoever is asked for help."""
    words = texts.update_text(event.get("code"))
    exact = "{} (number {})".format(event.get("text", ""), event.get("code", ""))
    return words + " " + exact if words else exact


def support_period(info: "dict[str, Any]", found: "dict[str, Any]", problem: str = "") -> str:
    """The sentence, days left, what happens after the end, why it is not known (SP-04, SP-08, SP-10)."""
    period = found.get("support")
    rows = facts(
        (
            ("Last day of support", (period or {}).get("end_date")),
            ("Time by the maker's server", time_text(found.get("time"))),
            (
                "Last contact",
                _contact_time(found["last_contact"]) if found.get("last_contact") else "none yet",
            ),
        )
    )
    body = _told_problem(problem) + _support(period) + section("How the device knows", rows)
    return _owner("Support period", "/support", info, found, body)


def updates(info: "dict[str, Any]", found: "dict[str, Any]", problem: str = "") -> str:
    """Automatic updates on, off, put off; what a release mends and whether it interrupts (UP-06, UP-07)."""
    update = found.get("update") or {}
    body = _told_problem(problem)
    offered = update.get("offered")
    if offered:
        install = _form("install", "Install now")
        body += section("A release is ready", _news(offered) + install, "notice")
    body += section("Automatic updates", "<p>" + escape(_automatic(update)) + "</p>" + _choices(update))
    news = update.get("news")
    if news:
        body += section("The latest release that this device took", _news(news))
    refused = update.get("last_error")
    if refused:
        body += notice("The last update was not installed: " + _told(refused))
    return _owner("Updates", "/updates", info, found, body)


def _automatic(update: "dict[str, Any]") -> str:
    if not update.get("automatic", True):
        return "Off: releases wait here until you install them. Security problems may stay open meanwhile."
    until = update.get("postponed_until")
    if until:
        return "On, put off until {}.".format(time_text(until))
    return "On: the device installs signed releases by itself."


def _choices(update: "dict[str, Any]") -> str:
    if not update.get("automatic", True):
        return _form("on", "Switch on")
    options = "".join(
        [
            '<option value="{0}">{0} {1}</option>'.format(days, "day" if days == 1 else "days")
            for days in _POSTPONE
        ]
    )
    choose = '<label for="days">Put off for</label><select id="days" name="days">' + options + "</select>"
    end = _form("on", "Stop putting off") if update.get("postponed_until") else ""
    return end + _form("postpone", "Put off", choose) + _form("off", "Switch off")


def _form(action: str, text: str, more: str = "") -> str:
    kind = "" if action == "install" else ' class="quiet"'
    return (
        '<form method="post" action="/updates"><input type="hidden" name="action" value="{}">{}'
        '<button type="submit"{}>{}</button></form>'
    ).format(action, more, kind, escape(text))


def _news(news: "dict[str, Any]") -> str:
    rows = (
        ("Release", news.get("version") or news.get("sequence")),
        ("What it mends", news.get("mitigates") or "The maker does not say."),
        ("Interruption", news.get("interrupts") or "The maker does not say."),
    )
    return facts(rows)


def password(info: "dict[str, Any]", found: "dict[str, Any]", problem: str = "") -> str:
    """Change of password (PW-12)."""
    form = (
        '<form method="post" action="/password" data-password>'
        + NORMALISED
        + password_field("current", "Current password", "current-password")
        + new_password_fields()
        + SHOW
        + '<button type="submit">Change the password</button></form>'
    )
    hint = "<p>Everybody who is signed in, you too, has to sign in with the new password afterwards.</p>"
    return _owner("Password", "/password", info, found, _told_problem(problem) + section("", hint + form))


def reset(info: "dict[str, Any]", found: "dict[str, Any]", problem: str = "") -> str:
    """Factory reset, with the password and a box to tick (SE-11)."""
    text = (
        "<p>A factory reset erases your password, your settings and everything else of yours. It cannot be undone. The"
        " device keeps its identity and its software, and then waits for its set-up code like a new one.</p>"
    )
    form = (
        '<form method="post" action="/reset" data-password>'
        + NORMALISED
        + password_field("password", "Password", "current-password")
        + SHOW
        + '<label class="tick"><input type="checkbox" name="confirm" value="yes" required>'
        " Erase everything of mine</label>"
        '<button class="danger" type="submit">Erase and restart</button></form>'
    )
    return _owner("Factory reset", "/reset", info, found, _told_problem(problem) + section("", text + form))


def resetting() -> str:
    """What is shown while the device restarts and erases."""
    return message(
        200,
        "The device restarts and erases everything of yours. In a minute it answers again, as a device without an"
        " owner. Do not lose the label: its code is needed for the next set-up.",
    )


def licence_texts(info: "dict[str, Any]", found: "dict[str, Any]", problem: str = "") -> str:
    """What this device's software is made of, and its licences in full."""
    rows = "".join(
        [
            "<li><strong>{}</strong>, {}: {}</li>".format(escape(name), escape(licence), escape(holder))
            for name, licence, holder in licences.PARTS
        ]
    )
    parts = [section("Made of", "<ul>" + rows + "</ul>")]
    for name, text in licences.TEXTS:
        # The texts hold no character that HTML knows (a test sees to it): escaping would copy 16 kB five times.
        parts += ["<section><h2>", name, "</h2><pre>", text, "</pre></section>"]
    return _owner("Licences", "/licences", info, found, "".join(parts))
