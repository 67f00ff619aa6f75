"""The status page: is the device up to date, since when, and what happens next. Everything else is behind "Details"."""

from collections import namedtuple

from device.compat import const
from device.web import texts
from device.web.html import (
    NO_PROBLEM,
    details,
    details_of,
    escape,
    facts,
    notice,
    paragraphs,
    section,
    success,
)
from device.web.owner_pages import automatic, contacted, in_words, owner_page, refused, support_section
from device.web.pages import time_text
from device.web.words import gettext as _
from device.web.words import ngettext

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.web.html import Problem

# text: the heading; kind: its class in style.py; sentence: what it means; following: what happens next, "" if the next
# check does
Standing = namedtuple("Standing", ("text", "kind", "sentence", "following"))
_STANDINGS = {  # gettext
    "restarting": Standing(
        "The device restarts now",
        "warn",
        "It installs an update. This takes a few minutes.",
        "The device tests the new version. If the test fails, the device goes back to the version before.",
    ),
    "trial": Standing(
        "A new version is being tested",
        "warn",
        "The device runs it on trial.",
        "The device keeps the new version if the test succeeds. If not, it goes back to the version before.",
    ),
    "downloading": Standing(
        "An update is being downloaded",
        "warn",
        "You can use the device meanwhile.",
        "The device checks the update, restarts and tests it.",
    ),
    "offered": Standing(
        "An update is ready",
        "warn",
        "It is not installed yet.",
        "The update waits for you: open the page Updates to install it now.",
    ),
    "withheld": Standing(
        "Perhaps not up to date", "ended", "The device does not receive what is published.", ""
    ),
    "stale": Standing(
        "Not known whether it is up to date",
        "ended",
        "The device has run for 72 hours without contact with the manufacturer. Check that it is connected to the"
        " internet.",
        "",
    ),
    "newest": Standing("Up to date", "good", "On {} the device found no newer version.", ""),
    "failed": Standing(
        "Not known whether it is up to date", "warn", "The last check for updates failed.", ""
    ),
    "checking": Standing(
        "The device looks for an update",
        "warn",
        "This usually takes less than a minute.",
        "If there is a newer version, the device downloads it.",
    ),
    "unknown": Standing(
        "Not known yet whether it is up to date",
        "warn",
        "The device has not finished a check for updates since it was switched on.",
        "",
    ),
}
# The present action of the update service (device/update/service.py).
_ACTIONS = {  # gettext
    "idle": "Nothing to do",
    "checking": "Looking for an update",
    "downloading": "Downloading an update",
    "restarting": "Restarting to install an update",
    "withheld": "Something newer is published, but the device does not receive it",
}
# What the manufacturer published (update/withheld.py, KINDS).
_WITHHELD = {  # gettext
    "release": "a newer version of the software",
    "support record": "newer information about the support period",
    "key set": "newer keys for checking updates",
}
_BUSY = ("checking", "downloading", "restarting")
_MINUTE_S = const(60)
_HOUR_S = const(3600)
_DAY_S = const(86400)


def status(
    info: "dict[str, Any]", found: "dict[str, Any]", problem: "Problem" = NO_PROBLEM, word: str = ""
) -> "tuple[str, ...]":
    """Return the page. `word`: what the owner just asked for."""
    update = found.get("update") or {}
    body = [  # in pieces, as http.py, rule 5, demands
        success(word),
        _software(found, update),
        _withheld(update),
        refused(update),
        support_section(info, found.get("support")),
        _application(found.get("application")),
    ]
    body += _events(update.get("events") or [])
    body.append(details(_("Details"), facts(_detail_rows(found, update))))
    body.append(section("", _sign_out()))
    return owner_page(_("Status"), "/status", info, found, body, problem)


def _sign_out() -> str:
    return _form("/logout", "", _("Sign out"))


def _form(path: str, hidden: str, text: str) -> str:
    return (
        '<form method="post" action="{}">{}<button class="quiet" type="submit">{}</button></form>'
    ).format(path, hidden, escape(text))


def _software(found: "dict[str, Any]", update: "dict[str, Any]") -> str:
    standing = _STANDINGS[_standing(found, update)]
    sentence = _(standing.sentence, time_text(update.get("up_to_date")))
    body = '<h2 class="state {}">{}</h2><p>{}</p>'.format(
        standing.kind, escape(_(standing.text)), escape(sentence)
    )
    following = _(standing.following) if standing.following else _next_check(update)
    body += facts(((_("Installed version"), found.get("version")), (_("What happens next"), following)))
    if str(update.get("state")) in _BUSY:
        body += '<p><a class="button" href="/status">' + escape(_("Look again")) + "</a></p>"
    else:
        hidden = '<input type="hidden" name="action" value="check">'
        body += _form("/updates", hidden, _("Check now"))
    return section("", body)


def _standing(found: "dict[str, Any]", update: "dict[str, Any]") -> str:
    """Return the key of _STANDINGS. Only a check that found nothing newer makes it "newest"."""
    state = update.get("state")
    order = (
        ("restarting", state == "restarting"),
        ("trial", found.get("is_trial")),
        ("downloading", state == "downloading"),
        ("offered", update.get("offered")),
        ("withheld", update.get("withheld")),
        ("stale", update.get("is_stale")),
        ("newest", update.get("up_to_date") is not None),
        ("checking", state == "checking"),
        ("failed", update.get("last_error")),
    )
    for key, applies in order:
        if applies:
            return key
    return "unknown"


def _next_check(update: "dict[str, Any]") -> str:
    """Return when the device checks for updates again, and whether it installs what it finds."""
    wait_s = update.get("next_check_s")
    text = _("The device checks for updates soon.") if wait_s is None else _span(wait_s)
    if _is_automatic(update):
        return text + " " + _("It installs what it finds by itself.")
    return text + " " + _("Automatic updates:") + " " + automatic(update)


def _is_automatic(update: "dict[str, Any]") -> bool:
    return bool(update.get("automatic", True)) and not update.get("postponed_until")


def _span(seconds: int) -> str:
    """Return when the next check is, as an owner would say it."""
    if seconds < 2 * _MINUTE_S:
        return _("The device checks for updates in less than two minutes.")
    if seconds < 2 * _HOUR_S:
        return ngettext(
            "The device checks for updates in about {} minute.",
            "The device checks for updates in about {} minutes.",
            seconds // _MINUTE_S,
        )
    if seconds < 2 * _DAY_S:
        return ngettext(
            "The device checks for updates in about {} hour.",
            "The device checks for updates in about {} hours.",
            seconds // _HOUR_S,
        )
    return ngettext(
        "The device checks for updates in about {} day.",
        "The device checks for updates in about {} days.",
        seconds // _DAY_S,
    )


def _application(found: "dict[str, Any] | None") -> str:
    """Return what the application reports, "" without one that does."""
    says = found.get("says") if found else None
    return section(_("Application"), paragraphs((_(str(says)),))) if says else ""


def _detail_rows(found: "dict[str, Any]", update: "dict[str, Any]") -> "list[tuple[str, Any]]":
    state = str(update.get("state", ""))
    application = found.get("application")
    progress = update.get("progress")
    return [
        (_("Release number"), update.get("sequence")),
        (_("Update"), _(_ACTIONS.get(state, state))),
        (_("Progress"), None if progress is None else "{} %".format(progress)),
        (_("Automatic updates"), automatic(update)),
        (_("Last verified contact with the manufacturer"), contacted(found, update)),
        (_("Date and time"), time_text(found.get("time"))),
        (
            _("Application"),
            _("release {0}, {1}", application.get("release"), application.get("state"))
            if application
            else None,
        ),
    ]


def _withheld(update: "dict[str, Any]") -> str:
    """Return a notice if the sources withhold what the manufacturer published, "" if not (UP-13)."""
    kinds = [_(_WITHHELD.get(kind, kind)) for kind in update.get("withheld") or []]
    return notice(_(texts.WITHHELD, _(" and ").join(kinds))) if kinds else ""


def _events(events: "list[dict[str, Any]]") -> "list[str]":
    """Return the card of the events in pieces, none without events."""
    if not events:
        return []
    rows = [
        "<li>" + escape(time_text(event.get("time")) + ": " + in_words(event)) + "</li>" for event in events
    ]
    return details_of(["<ul>"] + rows + ["</ul>"], _("Recent problems"))
