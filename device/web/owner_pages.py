"""The owner's pages, which need a session. Each function takes values and returns HTML that needs no script.

Every page shows the navigation and, once support has ended, a notice about it (SP-08).
"""

from device.compat import const
from device.limits import POSTPONE_DAYS
from device.records import support
from device.web import licences, texts, words
from device.web.html import (
    NO_PROBLEM,
    NORMALISED,
    Problem,
    escape,
    facts,
    field_error,
    in_english,
    navigation,
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
from device.web.pages import (
    NO_PERIOD,
    Surroundings,
    footer,
    iso_date_text,
    message,
    period_sentence,
    time_text,
    title,
)
from device.web.words import gettext as _
from device.web.words import ngettext

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

# The pages of the navigation; those after the first SHOWN are behind "More", so that it fits into one line of a phone.
LINKS = (  # gettext
    ("/status", "Status"),
    ("/updates", "Updates"),
    ("/password", "Password"),
    ("/home", "Smart home"),
    ("/support", "Support period"),
    ("/contact", "Report a problem"),
    ("/statement", "Compliance"),
    ("/reset", "Factory reset"),
    ("/licences", "Licences"),
)
SHOWN = const(2)
_SUPPORT_TEXTS = {  # gettext
    support.SUPPORTED: ("Supported", "good"),
    support.ENDING: ("Support ends soon", "warn"),
    support.ENDED: ("Support has ended", "ended"),
    support.UNKNOWN: ("Not known: the device does not know today's date yet", "warn"),
}
_ENDED = (  # gettext
    "Security updates for this device have ended. The device still works, but security problems that are found from now"
    " on may never be fixed. The page Support period says what you can do."
)
_AFTER_END = (  # gettext
    "The device still works. Security problems that are found from now on may never be fixed, so think about replacing"
    " the device or disconnecting it from the internet. If an update is still released, it will be installed."
)
_WHY_UNKNOWN = (  # gettext
    "The device learns today's date from the manufacturer's server, and it has not reached the server since it was"
    " switched on. The end date above is correct, but the device cannot tell yet whether it has passed. Check that the"
    " device is connected to the internet."
)
_POSTPONE = (1, 7, POSTPONE_DAYS)


def surroundings(path: str, found: "dict[str, Any]") -> "Surroundings":
    """Return the navigation and, once support has ended, the notice about it."""
    period = found.get("support") or {}
    ended = notice(_(_ENDED)) if period.get("state") == support.ENDED else ""
    links: "tuple[tuple[str, str], ...]" = LINKS
    if found.get("network"):  # a unit with a radio
        links = LINKS[:SHOWN] + (("/network", "Wi-Fi"),) + LINKS[SHOWN:]
    shown = SHOWN
    page = page_of(found)
    if page:
        links = links[:1] + (("/application", page["title"]),) + links[1:]
        shown += 1
    return Surroundings(navigation(links, shown, path), ended)


def page_of(found: "dict[str, Any]") -> "dict[str, Any] | None":
    """Return the application's page in a status, None without one."""
    application = found.get("application")
    return application.get("page") if application else None


def owner_page(
    heading: str,
    path: str,
    info: "dict[str, Any]",
    found: "dict[str, Any]",
    body: "str | list[str]",
    problem: "Problem" = NO_PROBLEM,
) -> "tuple[str, ...]":
    around = surroundings(path, found)
    pieces = [around.notice, problem_notice(problem)]
    pieces += [body] if isinstance(body, str) else body
    return page(heading, title(info), pieces, footer(), around.nav, bool(problem.text))


def contacted(found: "dict[str, Any]", update: "dict[str, Any]") -> str:
    """Return when the device last verified a message of the manufacturer."""
    contact = found.get("last_contact")
    if contact is None:
        text = _("none since the device was switched on")
    else:
        text = time_text(contact.get("time"))
    if update.get("is_stale"):
        return _(
            "{}. That is more than 72 hours ago: check that the device is connected to the internet.", text
        )
    return text


def refused(update: "dict[str, Any]") -> str:
    found = update.get("last_error")
    return notice(_("The last update was not installed.") + " " + in_words(found)) if found else ""


def support_section(info: "dict[str, Any]", found: "dict[str, Any] | None") -> str:
    """Return the card about the support period; `found`: of the status, None if it cannot be read."""
    if not found:
        return section(
            _("Security updates"),
            paragraphs((_(NO_PERIOD),)),
        )
    state = str(found.get("state", support.UNKNOWN))
    text, kind = _SUPPORT_TEXTS.get(state, _SUPPORT_TEXTS[support.UNKNOWN])
    body = '<p class="state {}">{}</p>'.format(kind, escape(_(text)))
    lines = [period_sentence(title(info), found)]
    published = found.get("published")
    if published:
        lines.append(_("The manufacturer published this on {}.", iso_date_text(published)))
    if state == support.UNKNOWN:
        lines.append(_(_WHY_UNKNOWN))
    days = found.get("days_left")
    if state in (support.SUPPORTED, support.ENDING) and days is not None:
        lines.append(ngettext("{} day left.", "{} days left.", days))
    if state == support.ENDED:
        lines.append(_(_AFTER_END))
    return section(_("Security updates"), body + paragraphs(lines))


def in_words(event: "dict[str, Any]") -> str:
    """Return an error in plain words, with the number and facts that a support team asks for."""
    exact = _("Details for support: {0}, number {1}", event.get("text", ""), event.get("code", ""))
    said = texts.update_text(event.get("code"))
    return said + " " + exact if said else exact


def support_period(
    info: "dict[str, Any]", found: "dict[str, Any]", problem: "Problem" = NO_PROBLEM
) -> "tuple[str, ...]":
    """Return the sentence, the days left, what happens after the end, why it is not known (SP-04, SP-08, SP-10)."""
    rows = facts(
        (
            (_("Date and time"), time_text(found.get("time"))),
            (_("Last verified contact with the manufacturer"), contacted(found, {})),
        )
    )
    body = support_section(info, found.get("support")) + section(_("How the device knows the date"), rows)
    return owner_page(_("Support period"), "/support", info, found, body, problem)


def updates(
    info: "dict[str, Any]",
    found: "dict[str, Any]",
    problem: "Problem" = NO_PROBLEM,
    word: str = "",
    days: str = "",
) -> "tuple[str, ...]":
    """Return the switch for automatic updates, and what a release fixes and interrupts (UP-06, UP-07).

    `word`: what just succeeded. `days`: what was chosen in the refused form, and stays so.
    """
    update = found.get("update") or {}
    if problem.field == "days" and not update.get("automatic", True):
        problem = Problem(problem.text, "")  # there is no such field now
    body = success(word)
    offered = update.get("offered")
    if offered:
        install = _form("install", _("Install now"))
        body += section(_("An update is ready"), _news(offered) + install, "notice")
    body += section(
        _("Automatic updates"), paragraphs((automatic(update),)) + _choices(update, problem, days)
    )
    news = update.get("news")
    if news:
        body += section(_("The latest update that was installed"), _news(news))
    return owner_page(_("Updates"), "/updates", info, found, body + refused(update), problem)


def automatic(update: "dict[str, Any]") -> str:
    if not update.get("automatic", True):
        return _(
            "Off. Updates wait until you install them on the page Updates. Until then security problems may not be"
            " fixed."
        )
    until = update.get("postponed_until")
    if until:
        return _("On, but paused until {}.", time_text(until))
    return _("On. The device installs updates by itself.")


def _choices(update: "dict[str, Any]", problem: "Problem", chosen: str) -> str:
    if not update.get("automatic", True):
        return _form("on", _("Switch on"))
    options = "".join(
        [
            '<option value="{}"{}>{}</option>'.format(
                days,
                " selected" if str(days) == chosen else "",
                escape(ngettext("{} day", "{} days", days)),
            )
            for days in _POSTPONE
        ]
    )
    error, marks = field_error("days", problem)
    choose = '<label for="days">' + escape(_("Pause for")) + "</label>" + error
    choose += '<select id="days" name="days"' + marks + ">" + options + "</select>"
    end = _form("on", _("Resume now")) if update.get("postponed_until") else ""
    return end + _form("postpone", _("Pause"), choose) + _form("off", _("Switch off"))


def _form(action: str, text: str, more: str = "") -> str:
    kind = "" if action == "install" else ' class="quiet"'
    return (
        '<form method="post" action="/updates"><input type="hidden" name="action" value="{}">{}'
        '<button type="submit"{}>{}</button></form>'
    ).format(action, more, kind, escape(text))


def _news(news: "dict[str, Any]") -> str:
    rows = (
        (_("Version"), news.get("version") or news.get("sequence")),
        (_("What it fixes"), news.get("mitigates") or _("The manufacturer does not say.")),
        (_("Interruption"), news.get("interrupts") or _("The manufacturer does not say.")),
    )
    return facts(rows)


def password(
    info: "dict[str, Any]", found: "dict[str, Any]", problem: "Problem" = NO_PROBLEM
) -> "tuple[str, ...]":
    """Return the form for a change of password (PW-12)."""
    form = (
        '<form method="post" action="/password" data-password>'
        + NORMALISED
        + password_field("current", _("Current password"), "current-password", "", problem)
        + new_password_fields((title(info), str(info.get("brand", ""))), problem)
        + show()
        + submit(_("Change the password"))
    )
    hint = _(
        "After the change, everyone who is signed in is signed out, including you. Sign in again with the new"
        " password."
    )
    return owner_page(
        _("Password"), "/password", info, found, section("", paragraphs((hint,)) + form), problem
    )


def reset(
    info: "dict[str, Any]", found: "dict[str, Any]", problem: "Problem" = NO_PROBLEM, is_ticked: bool = False
) -> "tuple[str, ...]":
    """Return the form for a factory reset, with the password and a box to tick (SE-11).

    `is_ticked`: the box was ticked in the refused form, and stays so.
    """
    text = _(
        "A factory reset erases your password, your settings and everything else that you saved on the device. You"
        " cannot undo it. The device keeps its software. Afterwards you set it up again with the code on its label, as"
        " if it were new."
    )
    tick, marks = field_error("confirm", problem)
    marks += " checked" if is_ticked else ""
    form = (
        '<form method="post" action="/reset" data-password>'
        + NORMALISED
        + password_field("password", _("Password"), "current-password", "", problem)
        + show()
        + tick
        + '<label class="tick"><input type="checkbox" id="confirm" name="confirm" value="yes" required'
        + marks
        + "> "
        + escape(_("Erase everything that I saved on this device"))
        + '</label><button class="danger" type="submit">'
        + escape(_("Erase and restart"))
        + "</button></form>"
    )
    body = section("", paragraphs((text,)) + form)
    return owner_page(_("Factory reset"), "/reset", info, found, body, problem)


def resetting() -> "tuple[str, ...]":
    """Return what is shown while the device restarts and erases."""
    return message(200, _(RESETTING))


RESETTING = (  # gettext
    "The device restarts now and erases everything that you saved on it. In about a minute you can open its start page"
    " and set it up again. Keep the label: you need the set-up code on it."
)


def licence_texts(
    info: "dict[str, Any]", found: "dict[str, Any]", problem: "Problem" = NO_PROBLEM
) -> "tuple[str, ...]":
    """Return the parts of this device's software, and their licences in full."""
    rows = "".join(
        [
            "<li><strong>{}</strong>, {}: {}</li>".format(escape(name), escape(licence), escape(holder))
            for name, licence, holder in licences.PARTS
        ]
    )
    parts = [section(_("Software in this device"), in_english("<ul>" + rows + "</ul>"))]
    is_other = words.code() != words.ENGLISH
    parts.append('<div lang="en" dir="ltr">' if is_other else "")
    for name, text in licences.TEXTS:
        # The texts contain no special character of HTML (a test checks it), so they are sent from flash as they are.
        parts += ["<section><h2>", name, "</h2><pre>", text, "</pre></section>"]
    parts.append("</div>" if is_other else "")
    return owner_page(_("Licences"), "/licences", info, found, parts)
