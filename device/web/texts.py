"""What the pages say when they refuse, in plain words, and the HTTP status that goes with it."""

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

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.errors import FirstbootError

# reason and wait_s are "" and 0 where the error has none.
Refusal = namedtuple("Refusal", ("status", "text", "reason", "wait_s"))

_PASSWORD = {
    "length-min": "This password is too short. Use at least {} characters: four or five words that do not belong"
    " together are a good start.".format(PASSWORD_MIN_CHARS),
    "length-max": "This password is too long. Use at most {} characters.".format(PASSWORD_MAX_CHARS),
    "character": "This password holds a character that cannot be printed. Leave it out.",
    "not-normalised": "Without the page's script, use only letters A to Z, digits, spaces and signs of an English"
    " keyboard: other characters can be written in several ways.",
    "context": "This password holds something that stands on the device or its label, such as its name or the"
    " set-up code. Choose something that nobody can read there.",
    "repeated": "This password repeats itself. Choose something with more variety.",
    "common": "This password is built from words that many people use as passwords. Choose something of your own.",
    "sequence": "This password follows the alphabet, the digits or the keyboard. Choose something less regular.",
    "unchanged": "This is the password that you have now. Choose another one.",
    "mismatch": "The two passwords are not the same. Type them again.",
}
_CODE = {
    "length": "The set-up code has 21 letters and digits. It stands on the label of the device.",
    "symbol": "The set-up code has only letters and digits, without 0, 1, I and O. Look at the label again.",
    "check": "There is a slip in the set-up code. Compare it with the label, sign by sign.",
    "wrong": "This is not the set-up code of this device.",
}
_SETTINGS = {
    "days": "Updates can be put off for 1 to {} days.".format(POSTPONE_DAYS),
    "no time": "The device does not know the time yet, so it cannot count days. Try again when it has reached its"
    " maker's server.",
    "off": "Automatic updates are off, so there is nothing to put off.",
    "no offer": "There is no release to install.",
    "confirm": "Tick the box to say that everything of yours may be erased.",
}
_PASSWORD_OTHER = "This password cannot be used. Choose another one."
_CODE_OTHER = "The set-up code is not right. Look at the label again."
_OTHER = "The device could not do this. Try again; if it goes on, restart the device."


_PLAIN = (
    (CredentialError, 403, "This password is not right."),
    (EntropyError, 503, "The device has no source of randomness, so it can keep no secret."),
    (LifecycleError, 404, "There is nothing here."),
    (
        PressError,
        403,
        "Press the button on the device, then send this form within two minutes. The device was reset, and this"
        " shows that you hold it.",
    ),
)


def refusal(error: "FirstbootError") -> "Refusal":
    """Give status and text for a typed error. Never shows a field but `reason` and `wait_s`."""
    reason = str(error.fields.get("reason", ""))
    if isinstance(error, PasswordError):
        return Refusal(422, _PASSWORD.get(reason, _PASSWORD_OTHER), reason, 0)
    if isinstance(error, SetupCodeError):
        return Refusal(403, _CODE.get(reason, _CODE_OTHER), reason, 0)
    if isinstance(error, SettingsError):
        return Refusal(422, _SETTINGS.get(reason, _OTHER), reason, 0)
    if isinstance(error, ThrottledError):
        wait_s = error.fields.get("wait_s", 1)
        wait_s = wait_s if isinstance(wait_s, int) else 1
        return Refusal(
            429,
            "Too many wrong tries. Wait {} s, then try again. A press of the device's button,"
            " where it has one, opens one try at once.".format(wait_s),
            "",
            wait_s,
        )
    for kind, status, text in _PLAIN:
        if isinstance(error, kind):
            return Refusal(status, text, "", 0)
    return Refusal(500, _OTHER, "", 0)


HTTP_TEXTS = {
    400: "The device did not understand the request.",
    403: "The device did not accept this request. Open the page anew and try again.",
    404: "There is nothing here.",
    408: "The request took too long.",
    413: "The request is too large.",
    414: "The address is too long.",
    421: "This is not the name of this device. Use the address on its label.",
    415: "The device does not take this kind of form.",
    431: "The request is too large.",
}


def http_text(status: int) -> str:
    """Give the words for an HTTP status."""
    return HTTP_TEXTS.get(status, _OTHER)


_UPDATES = (
    (201, "It is not signed by the maker of this device."),
    (202, "It is signed in a way that this device does not accept."),
    (211, "Its content is not what the maker signed."),
    (212, "It is not made for this device."),
    (213, "It is not made for this device."),
    (214, "It is not newer than the software that is installed."),
    (215, "It would bring back a known security hole."),
    (217, "This device could not start it."),
    (218, "It did not work on this device before."),
    (219, "It did not work on this device, so the device went back to the software before it."),
    (700, "It would change the promised support period in a way that is not allowed."),
)


def update_text(code: object) -> str:
    """Give plain words for the number of a refusal that an owner may see, "" where there are none."""
    for known, text in _UPDATES:
        if code == known:
            return text
    return ""
