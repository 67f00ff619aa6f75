"""Set-up of one device from a terminal: what is asked of the device in which order, and what its answers mean.

Rules:
1. Every exchange goes through a DeviceClient, so the certificate on the label is checked before each of them.
2. The device decides about code and password; here a password is only brought to NFKC, as the page's script does.
3. When an answer to the set-up form is lost, signing in tells whether the device took it: nothing is guessed.
4. What the device says is shown without control characters and cut: it may be damaged, and a terminal obeys.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any, Final

from provisioning.onboarding.client import DeviceClient, FingerprintError, Reply

JSON: Final = "application/json"
SHOWN_CHARS: Final = 400


class OnboardError(Exception):
    """The device could not be set up; the text says why and holds no secret."""


class AlreadySetUpError(OnboardError):
    """The device has an owner."""

    def __init__(self) -> None:
        super().__init__(
            "this device is set up already: if not by you, reset it to factory default (hold its button while you"
            " switch it on)"
        )


class RefusedError(OnboardError):
    """The device refused the form. `name`: its error's class, `wait_s`: seconds until it looks at another one."""

    def __init__(self, status: int, text: str, name: str, wait_s: int) -> None:
        super().__init__(text)
        self.status = status
        self.name = name
        self.wait_s = wait_s


@dataclass(frozen=True)
class Found:
    """What a device that waits for set-up tells anyone."""

    brand: str
    model: str
    sentence: str
    is_press_needed: bool


def plain(value: object) -> str:
    """`value` as text that is safe on a terminal, cut at SHOWN_CHARS."""
    text = "".join(sign if sign.isprintable() else " " for sign in str(value))
    return text[:SHOWN_CHARS]


def look(client: DeviceClient) -> Found:
    """Ask a device who it is and whether it waits for set-up.

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
    """Make `password` the owner's. Raises RefusedError, AlreadySetUpError, FingerprintError, OSError."""
    password = unicodedata.normalize("NFKC", password)
    form = {"code": code, "password": password, "again": password, "normalised": "1"}
    try:
        reply = client.request("POST", "/setup", form, accept=JSON)
    except FingerprintError:
        raise
    except OSError:
        if _took_it(client, password):
            return
        raise
    if reply.status == 404:
        raise AlreadySetUpError
    if reply.status != 200:
        raise _refusal(reply)


def _took_it(client: DeviceClient, password: str) -> bool:
    try:
        return client.sign_in(password)
    except OSError:
        return False


def prove(client: DeviceClient, password: str) -> dict[str, Any]:
    """Sign in with the new password, give the status, sign out. Raises OnboardError, FingerprintError, OSError."""
    if not client.sign_in(unicodedata.normalize("NFKC", password)):
        raise OnboardError("the device took the password and then did not let it in")
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
        raise OnboardError(f"this is no device that can be set up: it answered {reply.status}")
    return found


def _refusal(reply: Reply) -> RefusedError:
    try:
        error = reply.json()["error"]
        wait_s = error.get("wait_s", 0)
        text, name = plain(error["text"]), plain(error.get("name", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return RefusedError(reply.status, f"the device answered {reply.status}", "", 0)
    is_number = isinstance(wait_s, int) and not isinstance(wait_s, bool)
    return RefusedError(reply.status, text, name, wait_s if is_number else 0)
