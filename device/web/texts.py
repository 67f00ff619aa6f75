"""The sentence and the HTTP status that the pages give for each error: what happened, and what to do next."""

from collections import namedtuple

from device.compat import const
from device.errors import (
    CredentialError,
    EntropyError,
    LifecycleError,
    PasswordError,
    PressError,
    SettingsError,
    SetupCodeError,
    ThrottledError,
)
from device.limits import PASSWORD_MAX_CHARS, PASSWORD_MIN_CHARS, POSTPONE_DAYS
from device.web.words import gettext as _
from device.web.words import ngettext

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.errors import FirstbootError

# `reason` and `wait_s` (seconds) are "" and 0 if the error has none.
# `field` is the wrong input, "" if the whole form was refused: "code", "password" (a new one), "again", "secret" (the
# password that the owner has now), "confirm".
Refusal = namedtuple("Refusal", ("status", "text", "reason", "wait_s", "field"))

_PASSWORD = {  # gettext
    "length-min": "This password is too short. Use at least {} characters, for example four or five words that have"
    " nothing to do with each other.",
    "length-max": "This password is too long. Use at most {} characters.",
    "character": "This password contains a character that cannot be seen, such as a line break, a zero-width space"
    " or the joint of a combined emoji. Remove it: you could not type it again to sign in.",
    "not-normalised": "Your browser runs no scripts, so use only unaccented letters, digits, spaces and the symbols"
    " of an English keyboard. Other characters may not work the next time you sign in.",
    "context": "This password contains something that is printed on the device or its label, such as its name, its"
    " serial number or the set-up code. Choose a password that nobody can read there.",
    "repeated": "This password repeats the same characters. Choose a more varied one.",
    "common": "This password is made of words that many people use as passwords. Choose less common words.",
    "sequence": "This password follows the alphabet, the digits or the keys of a keyboard. Choose a less regular one.",
    "unchanged": "This is already your password. Choose a different one.",
    "mismatch": "The two passwords are different. Type the same password in both fields.",
}
_CODE = {  # gettext
    "length": "The set-up code has 21 letters and digits. Compare what you typed with the label.",
    "symbol": "The set-up code has only letters and digits, and never 0, 1, I or O. Compare what you typed with the"
    " label.",
    "check": "The set-up code contains a typing mistake. Compare it with the label, character by character.",
    "wrong": "This is not the set-up code of this device. Use the code on its own label.",
}
_SETTINGS = {  # gettext
    "days": "You can pause updates for 1 to {} days. Choose a number of days.",
    "no time": "The device does not know today's date yet, so it cannot count days. Try again when the device has"
    " reached the manufacturer's server.",
    "off": "Automatic updates are off, so there is nothing to pause.",
    "no offer": "No update is waiting to be installed.",
    "app setting": "The application has no such setting now. Open its page again.",
    "app value": "The application does not accept this value. Choose another one.",
    "app action": "The application has no such action now. Open its page again.",
    "app busy": "The application has not finished what you asked for before. Try again in a moment.",
    "app stopped": "The application does not run at the moment. The page Status says more.",
    "confirm": "Tick the box to confirm that the device may erase everything you saved on it.",
}
# The field that a refused setting is about; without one it is the whole form.
_SETTINGS_FIELDS = {"confirm": "confirm", "days": "days", "no time": "days"}
_PASSWORD_OTHER = "This password cannot be used. Choose a different one."  # gettext
_CODE_OTHER = "The set-up code is not correct. Compare what you typed with the label."  # gettext
_OTHER = "The device could not do this. Try again. If it fails again, unplug the device and plug it back in."  # gettext

_PLAIN = (  # gettext
    (CredentialError, 403, "The password is not correct. Try again."),
    (
        EntropyError,
        503,
        "The device is not ready to store a password safely. Try again in a minute. If it fails again, unplug the"
        " device and plug it back in.",
    ),
    (LifecycleError, 404, "This page does not exist now. Go back to the start page."),
    (
        PressError,
        403,
        "Press the button on the device, then send this form again within two minutes. The device was reset, so it"
        " asks for proof that you are standing next to it.",
    ),
)


def password_text(reason: str) -> str:
    """Return the sentence for a PasswordError's reason."""
    text = _PASSWORD.get(reason, _PASSWORD_OTHER)
    if reason == "length-min":
        return _(text, PASSWORD_MIN_CHARS)
    return _(text, PASSWORD_MAX_CHARS) if reason == "length-max" else _(text)


def refusal(error: "FirstbootError") -> "Refusal":
    """Return the Refusal for a typed error; of the error's fields only `reason` and `wait_s` are used."""
    reason = str(error.fields.get("reason", ""))
    if isinstance(error, PasswordError):
        field = "again" if reason == "mismatch" else "password"
        return Refusal(422, password_text(reason), reason, 0, field)
    if isinstance(error, SetupCodeError):
        return Refusal(403, _(_CODE.get(reason, _CODE_OTHER)), reason, 0, "code")
    if isinstance(error, SettingsError):
        text = _SETTINGS.get(reason, _OTHER)
        text = _(text, POSTPONE_DAYS) if reason == "days" else _(text)
        return Refusal(422, text, reason, 0, _SETTINGS_FIELDS.get(reason, ""))
    if isinstance(error, ThrottledError):
        wait_s = error.fields.get("wait_s", 1)
        wait_s = wait_s if isinstance(wait_s, int) else 1
        return Refusal(
            429,
            ngettext(
                "Too many wrong attempts. Wait {} second, then try again. If the device has a button, press it to try"
                " again immediately.",
                "Too many wrong attempts. Wait {} seconds, then try again. If the device has a button, press it to try"
                " again immediately.",
                wait_s,
            ),
            "",
            wait_s,
            "",
        )
    for kind, status, text in _PLAIN:
        if isinstance(error, kind):
            return Refusal(status, _(text), "", 0, "secret" if kind is CredentialError else "")
    return Refusal(500, _(_OTHER), "", 0, "")


HTTP_TEXTS = {  # gettext
    400: "The device did not understand the request. Go back to the start page and try again.",
    403: "The device did not accept this request. Go back to the start page and try again.",
    404: "There is no page at this address. Go back to the start page.",
    408: "The request took too long. Try again.",
    413: "The form is too long for this device. Enter less text.",
    414: "The address is too long. Go back to the start page.",
    415: "The device cannot read this kind of form. Use the forms on its own pages.",
    421: "This device does not answer under this name. Use the address on its label.",
    503: "The device is short of memory. Wait a minute, then try again.",
    431: "Your browser sent more data than this device accepts. Delete the cookies for this address and try again.",
}


def http_text(status: int) -> str:
    """Return the sentence for an HTTP status, in English: answers.refuse translates it."""
    return HTTP_TEXTS.get(status, _OTHER)


_UPDATES = (  # gettext
    (201, "It was not signed by the manufacturer of this device."),
    (202, "It was signed with a method that this device does not accept."),
    (211, "Its content is not what the manufacturer signed."),
    (212, "It was made for a different device."),
    (213, "It was made for a different device."),
    (214, "It is not newer than the installed software."),
    (215, "It would bring back a known security problem."),
    (217, "This device could not start it."),
    (218, "It failed on this device before."),
    (219, "It failed on this device, so the device went back to its previous software."),
    (
        252,
        "The application of this device stopped responding several times, so the device runs without it and still"
        " takes updates. To try the application again, disconnect the device from power for a moment.",
    ),
    (253, "The manufacturer has published something newer, but this device does not receive it."),
    (411, "The device was short of memory. It tries again."),
    (
        404,
        "A counter that protects one of the update connections is lost, so the device does not use that connection."
        " It takes updates over its other connections. If it has no other one, ask the manufacturer for help.",
    ),
    (700, "It would shorten the promised support period."),
)


def update_text(code: object) -> str:
    """Return a sentence for the number of an error about an update, or ""."""
    for known, text in _UPDATES:
        if code == known:
            return _(text)
    return ""


# `{}`: what is withheld.
WITHHELD = (  # gettext
    "The manufacturer has published {}, but in 72 hours of running time this device did not receive it. The update"
    " server or the network may be holding it back. Check that the device is connected to the internet. If this"
    " message stays for some days, ask the manufacturer for help."
)

# What just succeeded, on the page to which the browser is sent afterwards.
SET_UP = "You are done: your password is saved and the device is set up."  # gettext
# Shown below SET_UP: what the device does now, and what the owner should keep in mind.
SET_UP_NEXT = (  # gettext
    "From now on the device looks for security updates by itself and installs them. After you sign in, the page Status"
    " says whether it is up to date.",
    "To come back, type the address on the label, or keep this page as a bookmark.",
    "Keep the label and remember the password. The set-up code no longer works; it works again after a factory reset.",
)
# For an owner who cannot sign in, and for one who sells the device.
FORGOTTEN = (  # gettext
    "Nobody can tell you the password, not even the manufacturer. You can reset the device: hold its button for five"
    " seconds while you connect it to power. This erases your password and everything else that you saved on it. Then"
    " set it up again with the code on its label. If the device has no button, ask the manufacturer.",
    "Before you sell or give away the device, sign in and open the page Factory reset, or reset it with its button."
    " Pass on the label with it.",
)
PASSWORD_CHANGED = "Your new password is saved. Sign in with it."  # gettext
SIGN_IN_FIRST = "Sign in first."  # gettext
SIGNED_OUT = "You are signed out."  # gettext
NOT_SENT = "You were signed out, so nothing was changed. Sign in, then try again."  # gettext
INSTALLING = (
    "The device installs the update now. This takes a few minutes; the device then restarts."  # gettext
)
# What was just done on the page Updates, by its action.
UPDATES_DONE = {  # gettext
    "on": "Automatic updates are on.",
    "off": "Automatic updates are off.",
    "postpone": "Automatic updates are paused.",
    "install": INSTALLING,
    "check": "The device looks for an update now. Open this page again in a minute.",
}
