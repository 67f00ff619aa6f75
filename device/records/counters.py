"""Durable counters that are always there: a missing one is lost and never a beginning.

Rules:
1. `owned` member COUNTED says that the counters of ALWAYS exist. It is written after they are, and nothing deletes
   one of them before the next factory reset: a counter that is back at its beginning is stored as such.
2. From then on a missing counter is CounterLostError, an error that its reader handles as damage.
3. Release 0.1 deleted counters that were zero. So a unit without the mark may lack them, and the next start of a
   confirmed release writes them and then the mark (`begin`; ADR 17). A release on trial writes no mark: the release
   before it may run again and delete counters.
4. An unreadable `owned` counts as marked.
"""

from device.compat import const
from device.errors import CounterLostError, RecordDamagedError, StorageError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.records.store import Store

COUNTED = const(3)  # member of `owned`; the members 1 and 2 are lifecycle.py's

# Record of the device region and its beginning. `attempts` of the user region belongs to them (owner/throttle.py).
NOTHING_WITHHELD: "dict[int, object]" = {1: 0, 2: [0, 0, 0], 3: [0, 0, 0]}
ALWAYS: "tuple[tuple[str, dict[int, object]], ...]" = (("unheard", {1: 0}), ("withheld", NOTHING_WITHHELD))
ATTEMPTS = "attempts"
NO_ATTEMPTS: "dict[int, object]" = {1: 0}


def are_kept(device: "Store") -> bool:
    """Return whether every counter of this unit must exist (rule 1). Raises nothing."""
    try:
        fields = device.read_map("owned")
    except StorageError:
        return True
    return fields is not None and fields.get(COUNTED) is True


def read(store: "Store", name: str, device: "Store") -> "dict[Any, Any] | None":
    """Return the fields of a counter, None if it did not begin yet.

    `device`: the store of `owned`; it is read only if the counter is missing. Raises CounterLostError,
    RecordDamagedError.
    """
    fields = store.read_map(name)
    if fields is None and are_kept(device):
        raise CounterLostError(name=name)
    return fields


def begin(device: "Store", user: "Store") -> None:
    """Write the counters that do not exist yet. The caller then marks the unit. Raises StorageError."""
    for name, beginning in ALWAYS:
        if not device.has(name):
            device.write_map(name, beginning)
    if not user.has(ATTEMPTS):
        user.write_map(ATTEMPTS, NO_ATTEMPTS)


def lost(device: "Store", user: "Store") -> "list[RecordDamagedError]":
    """Return an error for each counter that is lost or damaged. Raises StorageError."""
    found = []
    for store, name in [(device, name) for name, _ in ALWAYS] + [(user, ATTEMPTS)]:
        try:
            read(store, name, device)
        except RecordDamagedError as error:
            found.append(error)
    return found
