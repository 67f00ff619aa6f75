"""The life of a unit: four states, one table of what leads from one to another, nothing else.

Rules:
1. TRANSITIONS is the whole truth; what is not in it is refused (PW-02: no way from factory default to
   initialised but the owner's set-up).
2. After a restart `derive` finds the state again from durable facts alone; no state lives in RAM only.
3. Whether the unit was ever set up is known twice: by the credential (user region) and by the record `owned`
   (device region, written right after the credential). A lock without a readable identity, an unreadable
   user region, a damaged credential, and a credential that vanished from an owned unit all give FAILED.
   So damage never opens the device and never brings the set-up code back to life (PW-04, PW-19); the way out
   is a factory reset by someone who holds the device.
4. A unit whose credential is readable is initialised even when `owned` is missing: power went between the two
   writes of set-up, and the start repairs the mark.
5. While `owned` says that a factory reset is under way (device/owner/reset.py), the unit is closed: FAILED, until
   the next start has finished it. What is left of the old owner's data is neither shown nor believed (PW-03).
"""

from collections import namedtuple

from device.compat import const
from device.errors import LifecycleError, RecordDamagedError, StorageError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.records.store import Store

UNPROVISIONED = "unprovisioned"
FACTORY_DEFAULT = "factory default"
INITIALISED = "initialised"
FAILED = "failed"
STATES = (UNPROVISIONED, FACTORY_DEFAULT, INITIALISED, FAILED)

LOCK = "lock"  # the station closed the factory port for good
SETUP = "set-up"  # the owner's credential is stored
RESET = "factory reset"  # the user region is erased, then `owned` is deleted
FAULT = "fault"  # a durable fact that this state rests on cannot be read
EVENTS = (LOCK, SETUP, RESET, FAULT)

# (state, event, next state), in the order of a unit's life. An unprovisioned unit has nothing to lose: a fault
# there leaves it to the station, which starts anew.
TRANSITIONS = (
    (UNPROVISIONED, LOCK, FACTORY_DEFAULT),
    (UNPROVISIONED, FAULT, UNPROVISIONED),
    (FACTORY_DEFAULT, SETUP, INITIALISED),
    (FACTORY_DEFAULT, RESET, FACTORY_DEFAULT),
    (FACTORY_DEFAULT, FAULT, FAILED),
    (INITIALISED, RESET, FACTORY_DEFAULT),
    (INITIALISED, FAULT, FAILED),
    (FAILED, RESET, FACTORY_DEFAULT),
    (FAILED, FAULT, FAILED),
)

# What a reader found where a record should be.
ABSENT = "absent"
PRESENT = "present"
DAMAGED = "damaged"

# The durable facts a state rests on; identity and credential are ABSENT, PRESENT or DAMAGED.
Facts = namedtuple("Facts", ("is_locked", "identity", "credential", "is_owned", "is_resetting"))

# Keys of the record `owned`: both true while a factory reset is under way.
OWNED = 1
RESETTING = 2

# What answers in a state (docs/design.md, Life cycle).
Access = namedtuple("Access", ("factory_port", "web", "network_out"))
ACCESS = {
    UNPROVISIONED: Access(factory_port=True, web=False, network_out=False),
    FACTORY_DEFAULT: Access(factory_port=True, web=True, network_out=False),
    INITIALISED: Access(factory_port=True, web=True, network_out=True),
    FAILED: Access(factory_port=False, web=False, network_out=False),
}


def step(state: str, event: str) -> str:
    """Give the state that `event` leads to; raises LifecycleError (fields `state`, `event`) where none is."""
    for before, happened, after in TRANSITIONS:
        if before == state and happened == event:
            return after
    raise LifecycleError(state=state, event=event)


def derive(facts: "Facts") -> str:
    """Give the state that durable facts describe."""
    if not facts.is_locked:
        return UNPROVISIONED
    if facts.identity != PRESENT or facts.is_resetting:
        return FAILED
    if facts.credential == PRESENT:
        return INITIALISED
    if facts.credential == ABSENT and not facts.is_owned:
        return FACTORY_DEFAULT
    return FAILED


def examine(store: "Store", name: str) -> str:
    """Say whether a record is ABSENT, PRESENT or DAMAGED; a region that cannot be read counts as DAMAGED."""
    try:
        return ABSENT if store.read(name) is None else PRESENT
    except (RecordDamagedError, StorageError):
        return DAMAGED


def gather(is_locked: bool, device: "Store", user: "Store | None") -> "Facts":
    """Read the facts of a unit; `user` is None when its region does not mount.

    An unreadable `owned` counts as owned: it errs on the side that opens less.
    """
    is_owned, is_resetting = _mark(device)
    return Facts(
        is_locked,
        examine(device, "identity"),
        DAMAGED if user is None else examine(user, "credential"),
        is_owned,
        is_resetting,
    )


def _mark(device: "Store") -> "tuple[bool, bool]":
    """What the record `owned` says: (the unit has an owner, a factory reset is under way)."""
    try:
        fields = device.read_map("owned")
    except (RecordDamagedError, StorageError):
        return True, False
    if fields is None:
        return False, False
    return True, fields.get(RESETTING) is True


def reason(facts: "Facts") -> str:
    """Say in words why `derive` gives FAILED, for the console; empty in every other state."""
    if derive(facts) != FAILED:
        return ""
    if facts.identity != PRESENT:
        return "the identity is {}".format(facts.identity)
    if facts.is_resetting:
        return "a factory reset is not finished"
    if facts.credential == DAMAGED:
        return "the owner's credential is damaged"
    return "the owner's credential is lost"
