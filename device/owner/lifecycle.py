"""The life of a unit: four states, and one table of the events that each state accepts.

Rules:
1. `step` refuses every event that TRANSITIONS does not list for the state (PW-02: only the owner's set-up leads from
   factory default to initialised). The owner's operations (onboarding.py) ask `step` before they change anything.
2. No state is kept in RAM. `derive` computes it from durable facts, so it survives any restart. A test carries out
   each event of the table and compares `derive` with `step`.
3. Two records show that the unit was set up: `credential` (user region) and `owned` (device region, written right
   after the credential). A locked unit is FAILED if its identity or user region cannot be read, if the credential is
   damaged, or if the credential is missing although the unit is owned. So damage never opens the unit and never
   revives the set-up code (PW-04, PW-19). The way out is a factory reset by a person who holds the device.
4. A unit with a readable credential is initialised even if `owned` is missing: the power failed between the two
   writes of set-up. The next start writes the mark.
5. While `owned` says that a factory reset is under way (device/owner/reset.py), the unit is FAILED. The next start
   finishes the reset. Until then the pages show and accept nothing of the old owner (PW-03).
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

LOCK = "lock"  # the station closes the factory port permanently
SETUP = "set-up"  # the owner's credential is stored
SIGN_IN = "sign-in"  # the owner's password is compared
CHANGE_PASSWORD = "change of password"  # another credential replaces the stored one
RESET = "factory reset"  # the mark is stored: a reset is under way
RESET_DONE = "factory reset done"  # the user region is empty again and `owned` is deleted
FAULT = "fault"  # a record that the state depends on cannot be read

# (state, event, next state), in the order of a unit's life. An unprovisioned unit has nothing to lose: after a fault
# the station provisions it again from the start.
TRANSITIONS = (
    (UNPROVISIONED, LOCK, FACTORY_DEFAULT),
    (UNPROVISIONED, FAULT, UNPROVISIONED),
    (FACTORY_DEFAULT, SETUP, INITIALISED),
    (FACTORY_DEFAULT, RESET, FAILED),
    (FACTORY_DEFAULT, FAULT, FAILED),
    (INITIALISED, SIGN_IN, INITIALISED),
    (INITIALISED, CHANGE_PASSWORD, INITIALISED),
    (INITIALISED, RESET, FAILED),
    (INITIALISED, FAULT, FAILED),
    (FAILED, RESET, FAILED),
    (FAILED, RESET_DONE, FACTORY_DEFAULT),
    (FAILED, FAULT, FAILED),
)

# Results of `examine`.
ABSENT = "absent"
PRESENT = "present"
DAMAGED = "damaged"

# The durable facts that decide the state; identity and credential are ABSENT, PRESENT or DAMAGED.
Facts = namedtuple("Facts", ("is_locked", "identity", "credential", "is_owned", "is_resetting"))

# Keys of the record `owned`: both true while a factory reset is under way.
OWNED = 1
RESETTING = 2

# Which interfaces the agent opens in a state (docs/design.md, Life cycle).
Access = namedtuple("Access", ("factory_port", "web"))
ACCESS = {
    UNPROVISIONED: Access(factory_port=True, web=False),
    FACTORY_DEFAULT: Access(factory_port=True, web=True),
    INITIALISED: Access(factory_port=True, web=True),
    FAILED: Access(factory_port=False, web=False),
}


def step(state: str, event: str) -> str:
    """Return the state after `event`.

    Raises LifecycleError (fields `state`, `event`) if TRANSITIONS does not allow `event` in `state`.
    """
    for before, happened, after in TRANSITIONS:
        if before == state and happened == event:
            return after
    raise LifecycleError(state=state, event=event)


def derive(facts: "Facts") -> str:
    """Return the state (one of STATES) that the durable facts describe."""
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
    """Return ABSENT, PRESENT or DAMAGED for a record; a region that cannot be read counts as DAMAGED."""
    try:
        return ABSENT if store.read(name) is None else PRESENT
    except (RecordDamagedError, StorageError):
        return DAMAGED


def gather(is_locked: bool, device: "Store", user: "Store | None") -> "Facts":
    """Return the facts of a unit, read from its stores; `user` is None if its region does not mount.

    An unreadable `owned` counts as owned, because that opens less. Raises nothing.
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
    """Return (the unit has an owner, a factory reset is under way) from the record `owned`."""
    try:
        fields = device.read_map("owned")
    except (RecordDamagedError, StorageError):
        return True, False
    if fields is None:
        return False, False
    return True, fields.get(RESETTING) is True


def reason(facts: "Facts") -> str:
    """Return why `derive` gives FAILED, as words for the console; "" in every other state."""
    if derive(facts) != FAILED:
        return ""
    if facts.identity != PRESENT:
        return "the identity is {}".format(facts.identity)
    if facts.is_resetting:
        return "a factory reset is not finished"
    if facts.credential == DAMAGED:
        return "the owner's credential is damaged"
    return "the owner's credential is lost"
