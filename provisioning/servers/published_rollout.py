"""The rollout that the tracker signs, as a file of the release store: {"release", "key" in hex, "share"}.

The tracker reads this file for each answer and so follows a rollout without a restart. Every server of one store signs
the same stage. The file is not signed: who can write the store can publish anyway, and a unit bounds how long it is
held back (device/update/rollout.py, rule 2).
"""

from __future__ import annotations

import json
from typing import Final

from device.limits import ROLLOUT_KEY_BYTES, ROLLOUT_SHARES
from device.records.freshness import Rollout as Record
from provisioning.servers.rollout import RolloutError

_MOST_BYTES: Final = 1000
_MOST_NUMBER: Final = (1 << 53) - 1  # as device/records/freshness.py


def encode(record: Record) -> bytes:
    """Return the file's content."""
    fields = {"release": record.sequence, "key": record.key.hex(), "share": record.share}
    return json.dumps(fields).encode() + b"\n"


def decode(data: bytes) -> Record:
    """Return what `encode` was given. Raises RolloutError."""
    try:
        fields = json.loads(data[:_MOST_BYTES])
        release, key, share = fields["release"], bytes.fromhex(fields["key"]), fields["share"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise RolloutError("the published rollout cannot be read: begin or end it again") from None
    is_whole = type(release) is int and type(share) is int
    if not is_whole or not 0 < release <= _MOST_NUMBER or not 0 <= share <= ROLLOUT_SHARES:
        raise RolloutError("the published rollout has a number out of range: begin or end it again")
    if len(key) != ROLLOUT_KEY_BYTES:
        raise RolloutError("the published rollout has a key of another length: begin or end it again")
    return Record(release, key, share)
