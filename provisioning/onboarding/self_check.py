"""Check that a device is set up securely and looked after, as its owner can see it (SE-12; EN 303 645 5.12-3).

Rules:
1. Every answer comes from the device itself, over a connection to the certificate on the label. Nothing is changed, and
   nobody else is asked.
2. An answer that the device does not give is a problem and not a success.
3. Each problem names what the owner does about it, in the words of docs/how-to/owner.md.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from device.records import support
from provisioning.onboarding.client import DeviceClient
from provisioning.onboarding.flow import JSON, OnboardError, plain


@dataclass(frozen=True)
class Answer:
    """One answer. `advice`: what the owner does if it is not well; empty if it is."""

    name: str
    is_well: bool
    text: str
    advice: str = ""


def self_check(client: DeviceClient, password: str) -> list[Answer]:
    """Return the answers in a fixed order; only those that need no sign-in if the device has no owner or no password.

    `password` may be "". The session is closed on the device. Raises OnboardError for a wrong password,
    FingerprintError, OSError.
    """
    answers = [Answer("certificate", True, "The device has the certificate on its label.")]
    if client.request("GET", "/setup", accept=JSON).status != 404:
        advice = "Set it up with `firstboot onboard`, or in a browser."
        return [
            *answers,
            Answer("owner", False, "The device has no owner: its set-up code still works.", advice),
        ]
    answers.append(Answer("owner", True, "The device has an owner, so the code on the label does not work."))
    answers.append(_closed(client))
    if not password:
        return answers
    if not client.sign_in(unicodedata.normalize("NFKC", password)):
        raise OnboardError("The device refused the password.")
    try:
        status = client.status()
    finally:
        client.request("POST", "/logout", {})
        client.sign_out()
    return [*answers, *owner_answers(status)]


def _closed(client: DeviceClient) -> Answer:
    """Return whether the device keeps its status from a visitor without a sign-in."""
    if client.request("GET", "/status.json").status == 403:
        return Answer("sign-in", True, "Without a sign-in the device shows nothing of its owner.")
    advice = "Do not use the device. Tell its manufacturer (page *Security contact*)."
    return Answer("sign-in", False, "The device shows its status without a sign-in.", advice)


def owner_answers(status: Any) -> list[Answer]:
    """Return the answers that follow from the status of a device (docs/reference/local-pages.md)."""
    update = _part(status, "update")
    return [
        _support(_part(status, "support")),
        _of(
            "automatic-updates", update.get("automatic") is True and not update.get("postponed_until"),
            "Updates are installed automatically.",
            "Automatic updates are off or postponed.",
            "Turn them on, on the page *Updates*, or install updates there yourself.",
        ),
        _of(
            "manufacturer", update.get("is_stale") is False,
            "The device is in contact with its manufacturer.",
            "The device had no verified contact with its manufacturer for 72 hours of running time.",
            "Check the network of the device.",
        ),
        _of(
            "withheld", update.get("withheld") == [],
            "Nothing that the manufacturer published is held back.",
            "The device did not receive something that the manufacturer published.",
            "Check the network of the device. If this stays for some days, ask the manufacturer.",
        ),
        _last_error(update),
    ]  # fmt: skip


def _part(status: Any, name: str) -> Mapping[str, Any]:
    found = status.get(name) if isinstance(status, dict) else None
    return found if isinstance(found, dict) else {}


def _of(name: str, is_well: bool, well: str, problem: str, advice: str) -> Answer:
    return Answer(name, True, well) if is_well else Answer(name, False, problem, advice)


def _support(found: Mapping[str, Any]) -> Answer:
    state = found.get("state")
    sentence = plain(found.get("sentence") or "The device does not say until when it gets security updates.")
    if state in (support.SUPPORTED, support.ENDING):
        return Answer("support-period", True, sentence)
    if state == support.ENDED:
        return Answer(
            "support-period",
            False,
            f"The support period has ended. {sentence}",
            "Do not rely on further updates.",
        )
    advice = "Connect the device to the internet, so that it learns the time from its manufacturer."
    return Answer("support-period", False, f"The device does not know the time. {sentence}", advice)


def _last_error(update: Mapping[str, Any]) -> Answer:
    error = update.get("last_error", "")
    if error is None:
        return Answer("last-problem", True, "The device noted no problem since it started.")
    text = plain(error.get("text", "") if isinstance(error, dict) else "the device does not say")
    advice = "Look at the page *Status*. If it stays, ask the manufacturer."
    return Answer("last-problem", False, f"The device noted a problem: {text}", advice)
