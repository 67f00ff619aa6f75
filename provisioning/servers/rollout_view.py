"""A rollout as one document, for programs and pages."""

from __future__ import annotations

import time
from typing import Any

from provisioning.servers.error_names import error_name
from provisioning.servers.rollout_table import Shown, spread_of
from provisioning.servers.spread import SHARE


def document_of(found: Shown) -> dict[str, Any]:
    """Return a rollout for a program."""
    return {
        **found.rollout.document(int(time.time())),
        "units": found.units,
        "stale": found.stale,
        "versions": dict(sorted(found.versions.items())),
        "errors": [
            {"error": code, "name": error_name(code), "units": units}
            for code, units in sorted(found.errors.items())
        ],
        "seconds_to_95_percent": spread_of(found).time_to(SHARE),
        "changes": [{"time_s": one.time_s, "what": one.what} for one in found.changes],
    }
