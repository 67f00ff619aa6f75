"""The page about the Wi-Fi network as HTML, and its sentences. It needs no script and shows no passphrase."""

import binascii
from collections import namedtuple

from device.compat import const
from device.net import wifi
from device.web.html import (
    NO_PROBLEM,
    NORMALISED,
    Problem,
    details,
    escape,
    facts,
    field,
    field_error,
    notice,
    page,
    paragraphs,
    section,
    show,
    submit,
    success,
)
from device.web.owner_pages import owner_page
from device.web.pages import footer, forgotten, public_sections, title
from device.web.words import gettext as _

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Sequence

    from device.web.facade import Wifi

SET_UP = "Your password is saved. One step is left: the device needs your Wi-Fi network."  # gettext
OTHER = "other"  # the option for a network that is not in the list
# A problem in words; `field`: the id of the field that is wrong, "" for the whole form.
Found = namedtuple("Found", ("text", "field"))
_OTHER_FAULT = (
    "The device could not join the network. Try again. If it fails again, restart the router."  # gettext
)
_REFUSALS = {  # gettext
    wifi.PASSPHRASE: (
        "The network did not accept this passphrase. It is printed on many routers. Capital and small letters are"
        " different. Type it again.",
        "passphrase",
    ),
    wifi.NOT_FOUND: (
        "The device does not find this network. Check that the router is switched on. If you typed the name,"
        " check that it is exactly the router's.",
        "network",
    ),
    wifi.NO_ADDRESS: (
        "The network accepted the passphrase but gave the device no address. Restart the router, then try again.",
        "network",
    ),
    wifi.SECURITY: (
        "The device cannot use this network: its kind of security is too old, too new for this device, or needs a user"
        " account. Choose another network, or switch the router to WPA2 (or WPA2 and WPA3 together).",
        "network",
    ),
    wifi.WEAK: (
        "The signal of this network is too weak here. Move the device closer to the router, then try again.",
        "network",
    ),
    "storage": (
        "The device is connected, but it could not save the network: it will ask again after a restart. Try again.",
        "network",
    ),
    "name": ("Type the name of the network, at most 32 characters.", "name"),
    "passphrase length": (
        "A Wi-Fi passphrase has 8 to 63 characters; an open network has none. Compare it with the router.",
        "passphrase",
    ),
    "passphrase character": (
        "A Wi-Fi passphrase has only unaccented letters, digits, spaces and the symbols of an English keyboard.",
        "passphrase",
    ),
    "busy": ("The device is trying another network. Wait until it is done, then choose again.", ""),
    "nothing": ("Choose a network first.", "network"),
}
_GUEST = (  # gettext
    "If it stays so for some minutes, the network may ask for a sign-in on a page of its own, as hotels do. The device"
    " cannot do that: choose another network."
)


def refusal(reason: str) -> "Found":
    """Return the sentence for a WifiError's reason or the result of a try."""
    text, name = _REFUSALS.get(reason, (_OTHER_FAULT, "network"))
    return Found(_(text), name)


def is_trying(status: "dict[str, Any]") -> bool:
    """Return whether a try of the owner's choice runs; `status`: of device/agent/wifi.py."""
    attempt = status["attempt"]
    return attempt is not None and attempt["result"] == wifi.JOINING


def network(
    info: "dict[str, Any]",
    found: "dict[str, Any]",
    networks: "Sequence[Any]",
    own_name: str,
    problem: "Problem" = NO_PROBLEM,
    name: str = "",
    word: str = "",
) -> "tuple[str, ...]":
    """Return the page. `own_name`: of the unit; `name`: what was typed as a name in the refused form, and stays so;
    `word`: what just succeeded.
    """
    status = found["network"]
    attempt = status["attempt"]
    body: "list[str]" = []
    if is_trying(status):
        whole = Problem(problem.text, "")  # this page has no fields
        return owner_page(_("Wi-Fi"), "/network", info, found, _trying(attempt["network"], own_name), whole)
    chosen = ""
    is_failed = attempt is not None and attempt["result"] != wifi.JOINED
    if attempt is not None:
        chosen = attempt["network"]
    elif status["state"] != wifi.JOINED:
        chosen = status["network"] or ""  # the owner comes because it is lost
    if is_failed and not problem.text:
        said = refusal(attempt["result"])
        problem = Problem(said.text, said.field)
    elif attempt is None:
        body.append(success(word))
    if status["state"] == wifi.JOINED:
        body += _joined(status, found, own_name)
    elif status["network"]:
        body.append(
            section(_("Connection"), facts(((_("Network"), status["network"]), (_("Now"), _lost(status)))))
        )
    if is_failed and attempt["result"] not in (wifi.PASSPHRASE, wifi.SECURITY):
        body.append(section("", _button("again", _("Try again: {}", attempt["network"]))))
    heading = _("Choose another network") if status["state"] == wifi.JOINED else _("Choose your network")
    form = _form(networks, chosen, problem, name)
    is_tucked = status["state"] == wifi.JOINED and not problem.text
    body.append(details(heading, form) if is_tucked else section(heading, form))
    return owner_page(_("Wi-Fi"), "/network", info, found, body, problem)


def _trying(network_name: str, own_name: str) -> str:
    text = notice(_("Connecting to {}. This takes up to half a minute.", network_name), False)
    return text + section(
        "",
        paragraphs(
            (
                _(
                    "This page loads itself again. If it does not, check that your phone is still connected to {},"
                    " then load the page again.",
                    own_name,
                ),
            )
        ),
    )


def _joined(status: "dict[str, Any]", found: "dict[str, Any]", own_name: str) -> "list[str]":
    is_reached = found.get("last_contact") is not None
    signal = status["signal_dbm"]
    rows = (
        (_("Network"), status["network"]),
        (_("Signal"), _("not known") if signal is None else _strength(signal)),
        (_("Manufacturer's server"), _("reached") if is_reached else _("not reached yet")),
    )
    text = notice(_("The device is connected to {}.", status["network"]), False)
    more = "" if is_reached else paragraphs((_(_GUEST),))
    parts = [text, section(_("Connection"), facts(rows) + more)]
    if status["access_point"]:
        way = "https://" + own_name + ".local/"
        lines = (
            _(
                "Connect your phone to {0} again. The network {1} of the device closes by itself within a minute.",
                status["network"],
                own_name,
            ),
            _("Then you find the device at this address. Keep it as a bookmark:"),
        )
        link = '<p><a dir="ltr" href="{0}">{0}</a></p>'.format(escape(way))
        body = paragraphs(lines) + link + _button("finish", _("Finish"))
        parts.append(section(_("You are done"), body))
    return parts


def _lost(status: "dict[str, Any]") -> str:
    reason = status["lost_for"]
    if reason == wifi.PASSPHRASE:
        return _(
            "The network no longer accepts the saved passphrase. Choose the network and type the new one."
        )
    return _("Not connected. The device tries again by itself.")


def _strength(signal_dbm: int) -> str:
    if signal_dbm >= -60:
        return _("strong")
    return _("good") if signal_dbm >= -75 else _("weak")


def _form(networks: "Sequence[Any]", chosen: str, problem: "Problem", name: str) -> str:
    error, marks = field_error("network", problem)
    is_listed = any([wifi.text_of(one.ssid) == chosen for one in networks])
    is_other = problem.field == "name" or (chosen and not is_listed)
    options = [_option(one, not is_other and wifi.text_of(one.ssid) == chosen) for one in networks]
    options.append(
        '<option value="{}"{}>{}</option>'.format(
            OTHER,
            " selected" if is_other or not networks else "",
            escape(_("Another network: type its name below")),
        )
    )
    shown = name or (chosen if is_other else "")
    attributes = (
        'type="text" dir="auto" autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="32"'
    )
    if shown:
        attributes += ' value="' + escape(shown) + '"'
    return (
        '<form method="post" action="/network"><input type="hidden" name="action" value="join">'
        + NORMALISED
        + '<label for="network">'
        + escape(_("Network"))
        + "</label>"
        + error
        + '<select id="network" name="network"'
        + marks
        + ">"
        + "".join(options)
        + "</select>"
        + "<details"
        + (" open" if is_other or not networks else "")
        + "><summary>"
        + escape(_("My network is not in the list"))
        + "</summary>"
        + field("name", _("Name of the network"), attributes, "", problem, False)
        + "</details>"
        + field(
            "passphrase",
            _("Wi-Fi passphrase"),
            'type="password" dir="auto" autocomplete="off" maxlength="64"',
            _(
                "The passphrase of your own Wi-Fi, often printed on the router. Leave it empty for an open network."
            ),
            problem,
            False,
        )
        + show()
        + submit(_("Connect"))
        + _button("scan", _("Look for networks again"))
    )


def _option(one: "Any", is_chosen: bool) -> str:
    text = _("{0} - {1}", wifi.text_of(one.ssid), _strength(one.signal_dbm))
    is_usable = one.security in wifi.JOINABLE
    if one.security == wifi.OPEN:
        text = _("{}, open: others can listen", text)
    elif not is_usable:
        text = _("{0}, cannot be used ({1})", text, one.security)
    value = binascii.hexlify(one.ssid).decode() + "/" + one.security
    marks = "" if is_usable else " disabled"
    if is_chosen and is_usable:
        marks += " selected"
    return '<option value="{}"{}>{}</option>'.format(escape(value), marks, escape(text))


def _button(action: str, text: str) -> str:
    kind = "" if action == "finish" else ' class="quiet"'
    return (
        '<form method="post" action="/network"><input type="hidden" name="action" value="{}">'
        '<button type="submit"{}>{}</button></form>'
    ).format(action, kind, escape(text))


def finished(info: "dict[str, Any]", found: "Wifi") -> "tuple[str, ...]":
    """Return the last page inside the access point, which closes now: it says all that the owner needs later."""
    status = found.status()
    lines = (
        _(
            "The device's own network {0} closes now. Connect your phone to {1}.",
            found.name,
            status["network"],
        ),
        _(
            "From now on the device looks for security updates by itself. You find it at {}.",
            "https://" + found.name + ".local/",
        ),
        _(
            "Keep the label and remember the password. If your router's passphrase changes, press the device's button,"
            " connect to {} again and choose the network again.",
            found.name,
        ),
    )
    body = section("", paragraphs(lines)) + forgotten() + public_sections(info, False)
    return page(_("You are done"), title(info), body, footer())
