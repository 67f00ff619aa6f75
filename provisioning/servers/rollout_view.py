"""A rollout as one document, for programs and pages."""

from __future__ import annotations

import time
from typing import Any

from device.errors import FirstbootError
from provisioning.servers.rollout_table import Shown, spread_of
from provisioning.servers.spread import SHARE


def document_of(found: Shown) -> dict[str, Any]:
    """Return a rollout for a program."""
    names = _names(FirstbootError)
    return {
        **found.rollout.document(int(time.time())),
        "units": found.units,
        "stale": found.stale,
        "versions": dict(sorted(found.versions.items())),
        "errors": [
            {"error": code, "name": names.get(code, "unknown"), "units": units}
            for code, units in sorted(found.errors.items())
        ],
        "seconds_to_95_percent": spread_of(found).time_to(SHARE),
        "changes": [{"time_s": one.time_s, "what": one.what} for one in found.changes],
    }


def _names(kind: type[FirstbootError]) -> dict[int, str]:
    """Return the names of an error class and its subclasses, by their codes."""
    found = {kind.code: kind.__name__}
    for one in kind.__subclasses__():
        found |= _names(one)
    return found
