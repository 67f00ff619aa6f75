"""Set-up of one device from a terminal: the requests in order, and the meaning of the answers.

Rules:
1. Every request goes through a DeviceClient, which first compares the certificate with the label.
2. The device decides about set-up code and password. This module only normalises a password to NFKC, as the page's
   script does.
3. If the answer to the set-up form is lost, a sign-in shows whether the device accepted the password.
4. Texts of the device are shown without control characters and cut, because a terminal would obey them.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any, Final

from provisioning.onboarding.client import DeviceClient, FingerprintError, Reply

JSON: Final = "application/json"
SHOWN_CHARS: Final = 400


class OnboardError(Exception):
    """The device could not be set up. The text gives the reason and contains no secret."""


class AlreadySetUpError(OnboardError):
    """The device has an owner."""

    def __init__(self) -> None:
        super().__init__(
            "This device is already set up. If you did not do this, reset it to factory default: hold its button while"
            " you switch it on."
        )


class RefusedError(OnboardError):
    """The device refused the form. `name`: class of its error; `wait_s`: seconds until it takes the next form."""

    def __init__(self, status: int, text: str, name: str, wait_s: int) -> None:
        super().__init__(text)
        self.status = status
        self.name = name
        self.wait_s = wait_s


@dataclass(frozen=True)
class Found:
    """The facts that a device without an owner shows to everyone."""

    brand: str
    model: str
    sentence: str
    is_press_needed: bool


def plain(value: object) -> str:
    """Return `value` as text that is safe on a terminal, cut at SHOWN_CHARS."""
    text = "".join(one if one.isprintable() else " " for one in str(value))
    return text[:SHOWN_CHARS]


def look(client: DeviceClient) -> Found:
    """Ask a device for its brand and model, and whether it waits for set-up.

    Raises AlreadySetUpError, OnboardError, FingerprintError, OSError.
    """
    form = client.request("GET", "/setup", accept=JSON)
    if form.status == 404 and client.request("GET", "/login", accept=JSON).status == 200:
        raise AlreadySetUpError
    asked = _object(form)
    public = _object(client.request("GET", "/public.json"))
    period = public.get("support")
    sentence = period.get("sentence") if isinstance(period, dict) else None
    return Found(
        plain(public.get("brand", "")),
        plain(public.get("model", "")),
        plain(sentence or "The support period cannot be read."),
        asked.get("press_needed") is True,
    )


def set_up(client: DeviceClient, code: str, password: str) -> None:
    """Set `password` as the owner's password. Raises RefusedError, AlreadySetUpError, FingerprintError, OSError."""
    password = unicodedata.normalize("NFKC", password)
    form = {"code": code, "password": password, "again": password, "normalised": "1"}
    try:
        reply = client.request("POST", "/setup", form, accept=JSON)
    except FingerprintError:
        raise
    except OSError:
        if _has_accepted(client, password):
            return
        raise
    if reply.status == 404:
        raise AlreadySetUpError
    if reply.status != 200:
        raise _refusal(reply)


def _has_accepted(client: DeviceClient, password: str) -> bool:
    try:
        return client.sign_in(password)
    except OSError:
        return False


def prove(client: DeviceClient, password: str) -> dict[str, Any]:
    """Sign in with the new password and sign out again. Returns the status.

    Raises OnboardError, FingerprintError, OSError.
    """
    if not client.sign_in(unicodedata.normalize("NFKC", password)):
        raise OnboardError("The device accepted the new password, but then refused to sign in with it.")
    found = client.status()
    client.request("POST", "/logout", {})
    client.sign_out()
    return found


def _object(reply: Reply) -> dict[str, Any]:
    try:
        found = reply.json() if reply.status == 200 else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise OnboardError(
            f"This is not a device that can be set up: it answered with status {reply.status}."
        )
    return found


def _refusal(reply: Reply) -> RefusedError:
    try:
        error = reply.json()["error"]
        wait_s = error.get("wait_s", 0)
        text, name = plain(error["text"]), plain(error.get("name", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return RefusedError(reply.status, f"The device answered with status {reply.status}.", "", 0)
    is_number = isinstance(wait_s, int) and not isinstance(wait_s, bool)
    return RefusedError(reply.status, text, name, wait_s if is_number else 0)
