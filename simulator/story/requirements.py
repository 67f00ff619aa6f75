"""The requirements that the steps of the story show: a failed step names them.

Ids and sentences are those of docs/requirements.md; `tests/architecture/test_documents.py` compares both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

REQUIREMENTS: Final = {
    "PW-01": "Outside factory default no interface accepts a credential that is neither user-defined nor unique per"
    " product.",
    "PW-02": "In factory default only the set-up operations answer; set-up cannot be skipped, dismissed or timed out.",
    "PW-15": "At least 15 characters, at least 64 accepted, no composition rule, a list of common ones, the reason"
    " is stated.",
    "PW-16": "Passwords that contain brand, model, serial or set-up code are refused.",
    "PW-18": "Only someone with the unit's code completes set-up; of two racing clients one wins.",
    "PW-19": "A printed set-up code is dead after set-up, revived only by factory reset.",
    "RP-10": "The device shows the contact locally and offline.",
    "SC-05": "The statement travels with the unit: readable on the device, offline.",
    "SE-06": "Before sign-in nothing is disclosed beyond the declared minimum.",
    "SE-07": "Serial and web REPL are closed in release images.",
    "SP-04": 'Readable without technical knowledge: "We will provide security updates for MODEL until DATE."',
    "SP-08": "The device tells that support ended, keeps its function and still takes a valid update.",
    "UP-01": "Only an image whose manifest signature and digest verify is installed, before any switch.",
    "UP-02": "Older manifests are refused, also after reset and rollback.",
    "UP-05": "Checks after initialisation and periodically, with jitter.",
    "UP-10": "A hostile broker or server can at worst deny service.",
}


def sentences(ids: Sequence[str]) -> list[str]:
    """Return a line for each requirement: its id and its sentence."""
    return [f"{name}: {REQUIREMENTS[name]}" for name in ids]
