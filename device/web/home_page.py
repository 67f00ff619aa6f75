"""The page about the broker in the owner's home as HTML, and its sentences. No script is needed, no password shown."""

from device.compat import const
from device.limits import HOME_ADDRESS_CHARS, HOME_PASSWORD_CHARS, HOME_USER_CHARS
from device.web.html import (
    NO_PROBLEM,
    Problem,
    details,
    escape,
    facts,
    field,
    field_error,
    notice,
    paragraphs,
    section,
    show,
    submit,
    success,
)
from device.web.owner_pages import owner_page
from device.web.words import gettext as _

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

PATH = "/home"
_PORT = "8883"
DONE = {  # gettext
    "save": "Saved.",
    "on": "Switched on.",
    "off": "Switched off. The device removes itself from Home Assistant.",
    "test": "The test has begun.",
    "forget": "The address, the user name and the password of the broker are erased.",
}
_INTRODUCTION = (  # gettext
    "If you use Home Assistant with an MQTT broker of your own, this device can appear there: its version, whether an"
    " update is ready, how long it is supported, and what it measures.",
    "The device sends this to your broker only, and nothing to anyone else. It connects only if you switch it on here.",
    "The connection is always encrypted, and the device checks the broker's certificate. A broker without TLS cannot be"
    " used: everyone on your network could read its password, and pretend to be it.",
)
_CERTIFICATE = (  # gettext
    "Paste the certificate that signed your broker's certificate, or that one if it signed itself (PEM, from BEGIN"
    " CERTIFICATE to END CERTIFICATE). Its key must be of the kind that this device supports; ECDSA P-256 always works."
)
_INSTALL_HINT = (  # gettext
    "Without this, Home Assistant shows updates only. With it, anyone who can send messages to your broker can start an"
    " update that waits for you. The update must still be signed by the manufacturer."
)
_STATES = {  # gettext
    "off": "Off.",
    "connecting": "The device connects to the broker now. This page loads itself again.",
    "connected": "Connected. Home Assistant shows this device.",
    "aside": "The connection is closed while the device checks for updates. It comes back by itself. This page loads"
    " itself again.",
    "waiting": "Not connected. The device tries again by itself.",
}
_ONCE_MORE = "Off. The device connects to the broker once more. This page loads itself again."  # gettext
# After how many seconds a page in this state loads itself again. It has no form then: what is typed would be lost.
RELOADS_S = {"connecting": "3", "aside": "10"}
_REASONS = {  # gettext
    "certificate": "The device does not trust the broker's certificate. Check that the pasted certificate is the one"
    " that signed it, and that the broker's certificate contains the address that you typed, or the name below it.",
    "refused": "The broker did not accept the user name or the password, or does not allow this device its topics.",
    "no answer": "The broker did not answer in time. Check the address and the port, and that the broker is running.",
    "protocol": "Something answers at this address, but not as an MQTT broker should. Check the port.",
    "memory": "The device was short of memory. It tries again.",
    "unreachable": "The device could not reach the broker. Check the address and the port, and that the broker accepts"
    " encrypted connections.",
    "left": "The broker did not answer, so Home Assistant may still list this device. Delete it there.",
}
# The sentence for a HomeError's reason, and the id of the field that is wrong.
_REFUSALS = {  # gettext
    "address": (
        "Type the broker's name or number, for example 192.168.1.20, without mqtt:// before it.",
        "address",
    ),
    "port": ("Type the broker's port, a number from 1 to 65535. Most brokers use 8883 for TLS.", "port"),
    "name": ("Type the name as it is in the certificate, or leave this field empty.", "name"),
    "user": ("Type the user name that you created for this device on the broker.", "user"),
    "password": (
        "Type the password that you created for this device on the broker, at most 64 characters.",
        "password",
    ),
    "password again": (
        "You changed where the password goes, so type it again. The device sends a saved password to no other broker.",
        "password",
    ),
    "certificate": (
        "This is not a whole certificate. Copy everything from BEGIN CERTIFICATE to END CERTIFICATE, with both lines.",
        "authority",
    ),
    "certificates": (
        "Paste one certificate only: the one that signed the broker's certificate.",
        "authority",
    ),
    "certificate size": (
        "This certificate is too large for the device. Use one with an ECDSA key.",
        "authority",
    ),
    "private key": (
        "You pasted a private key. The device did not keep it. Paste the certificate; a private key belongs to nobody"
        " else.",
        "authority",
    ),
    "nothing": ("Save a broker first.", ""),
}


def refusal(reason: str) -> "tuple[str, str]":
    """Return the sentence for a HomeError's reason, and the id of its field."""
    text, name = _REFUSALS[reason]
    return _(text), name


def home(
    info: "dict[str, Any]",
    found: "dict[str, Any]",
    saved: "dict[str, Any] | None",
    problem: "Problem" = NO_PROBLEM,
    word: str = "",
    typed: "dict[str, str] | None" = None,
) -> "tuple[str, ...]":
    """Return the page. `saved`: HomeLink.status(); `word`: what just succeeded; `typed`: the fields of the refused
    form, which stay.
    """
    body: "list[str]" = []
    if saved is None:
        body += [success(_(word)), section("", paragraphs([_(line) for line in _INTRODUCTION]))]
    else:
        body += _present(saved, word)
    if saved is None or typed is not None:
        body.append(section(_("Your broker"), _form(saved, problem, typed)))
    elif saved["state"] not in RELOADS_S:
        body.append(details(_("Change the broker"), _form(saved, problem, typed)))
    return owner_page(_("Smart home"), PATH, info, found, body, problem)


def _present(saved: "dict[str, Any]", word: str) -> "list[str]":
    state, reason = saved["state"], saved["reason"]
    text = _(_STATES[state])
    if state in RELOADS_S and not saved["is_on"]:
        text = _(_ONCE_MORE)  # to try it, or to remove the device
    elif state == "off" and saved["was_tested"]:
        text = _("Off. The last try succeeded: the broker accepted this device.")
    rows = (
        (_("Broker"), _("{0}, port {1}", saved["address"], saved["port"])),
        (_("Name in its certificate"), saved["name"]),
        (_("User name"), saved["user"]),
        (_("Password"), _("saved")),
        (_("Certificate (SHA-256)"), saved["authority"]),
        (_("Updates from Home Assistant"), _("allowed") if saved["may_install"] else _("not allowed")),
    )
    is_news = word and not reason and (state in RELOADS_S or not (saved["is_on"] or saved["was_tested"]))
    parts = [success(_(word)) if is_news else ""]
    if reason:
        parts.append(notice(_(_REASONS[reason])))
    kind = {"connected": "good", "waiting": "ended"}.get(state, "warn")
    buttons = _button("off", _("Switch off")) if saved["is_on"] else _button("on", _("Switch on"), "")
    buttons += _button("test", _("Test the connection")) + _button("forget", _("Erase these settings"))
    shown = '<p class="state {}">{}</p>'.format(kind, escape(text))
    parts.append(section("Home Assistant", shown + facts(rows) + buttons))
    return parts


def _button(action: str, text: str, kind: str = "quiet") -> str:
    return (
        '<form method="post" action="/home"><input type="hidden" name="action" value="{}">'
        '<button type="submit"{}>{}</button></form>'
    ).format(action, ' class="' + kind + '"' if kind else "", escape(text))


def _form(saved: "dict[str, Any] | None", problem: "Problem", typed: "dict[str, str] | None") -> str:
    shown: "dict[str, Any]" = {"port": _PORT}
    may_install = False
    if saved is not None:
        shown, may_install = saved, saved["may_install"]
    if typed is not None:
        shown, may_install = typed, typed.get("install") == "yes"
    kept = " " + _("Leave it empty to keep the saved one.") if saved is not None else ""
    # A typed password is not shown again. If the page did not ask for it, the saved one would stay unnoticed.
    is_lost = typed is not None and bool(typed.get("password"))
    return (
        '<form method="post" action="/home"><input type="hidden" name="action" value="save">'
        + _text(
            shown,
            "address",
            _("Address of the broker"),
            HOME_ADDRESS_CHARS,
            _("A name or a number, for example 192.168.1.20."),
            problem,
        )
        + _text(shown, "port", _("Port"), 5, "", problem)
        + _text(
            shown,
            "name",
            _("Name in its certificate"),
            HOME_ADDRESS_CHARS,
            _("Only if the certificate does not contain the address."),
            problem,
            False,
        )
        + _text(
            shown,
            "user",
            _("User name"),
            HOME_USER_CHARS,
            _("Create one on the broker for this device alone."),
            problem,
        )
        + field(
            "password",
            _("Password on the broker"),
            'type="password" dir="auto" autocomplete="off" maxlength="{}"'.format(HOME_PASSWORD_CHARS),
            _("Not the password of this device.") + (" " + _("Type it again.") if is_lost else kept),
            problem,
            saved is None or is_lost,
        )
        + show()
        + _authority("" if typed is None else typed.get("authority", ""), kept, problem, saved is None)
        + '<label class="tick"><input type="checkbox" id="install" name="install" value="yes"{}'
        ' aria-describedby="install-hint"> {}</label><p class="hint" id="install-hint">{}</p>'.format(
            " checked" if may_install else "",
            escape(_("Let Home Assistant install an update that waits for me")),
            escape(_(_INSTALL_HINT)),
        )
        + submit(_("Save and connect"))
    )


def _text(
    shown: "dict[str, Any]",
    name: str,
    label: str,
    most: int,
    hint: str,
    problem: "Problem",
    is_required: bool = True,
) -> str:
    attributes = 'type="text" dir="auto" autocomplete="off" autocapitalize="none" spellcheck="false"'
    attributes += ' maxlength="{}"'.format(most)
    value = shown.get(name, "")
    if value:
        attributes += ' value="' + escape(value) + '"'
    return field(name, label, attributes, hint, problem, is_required)


def _authority(pasted: str, kept: str, problem: "Problem", is_required: bool) -> str:
    error, marks = field_error("authority", problem)
    if "PRIVATE KEY" in pasted:
        pasted = ""
    if not marks:
        marks = ' aria-describedby="authority-hint"'
    return (
        '<label for="authority">{}</label><p class="hint" id="authority-hint">{}</p>{}<textarea id="authority"'
        ' name="authority" dir="ltr" rows="6" autocomplete="off" spellcheck="false"{}{}>{}</textarea>'
    ).format(
        escape(_("Certificate")),
        escape(_(_CERTIFICATE) + kept),
        error,
        marks,
        " required" if is_required else "",
        escape(pasted),
    )
