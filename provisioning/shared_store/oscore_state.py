"""OSCORE numbers and replay windows that several CoAP servers share, so that they act as one (RFC 8613 5.2, 7.4).

Rules:
1. A server reserves sender numbers in the database before it uses them. No two servers get the same one, and none is
   below what the credential store or the clock asks for (provisioning/servers/oscore_store.py, rule 2).
2. A request is accepted by the process that enters its number in the database first, by comparing and exchanging the
   window in one statement, after the request was decrypted and before it is served. To all others it is a replay.
3. After its start each process challenges the first request of a unit with Echo. The fresh number that answers the
   challenge ends the validity of all numbers below it. So a database that was restored from a backup accepts no old
   request, if the servers are started again. A window that went back while a server runs is noticed and challenged.
4. A server that cannot reach the database accepts nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from aiocoap import oscore
from sqlalchemy import text

from provisioning.servers.oscore_store import RESERVE_STEP, OscoreStore, OscoreUnit
from provisioning.shared_store.database import SharedDatabase, SharedStoreError
from provisioning.shared_store.replay_window import EMPTY, Window

TRIES: Final = 20  # exchanges that other processes may win before this one gives up
_KEY_NAME_BYTES: Final = 8

_RESERVE: Final = text(
    "INSERT INTO oscore_state (sender_id, key_name, upto, window_start, window_seen)"
    " VALUES (:sender_id, :key_name, :first + :step, :start, :seen) ON CONFLICT (sender_id, key_name) DO UPDATE"
    " SET upto = CASE WHEN oscore_state.upto > :first THEN oscore_state.upto ELSE :first END + :step RETURNING upto"
)
_READ: Final = text(
    "SELECT window_start, window_seen FROM oscore_state WHERE sender_id = :sender_id AND key_name = :key_name"
)
_EXCHANGE: Final = text(
    "UPDATE oscore_state SET window_start = :start, window_seen = :seen WHERE sender_id = :sender_id"
    " AND key_name = :key_name AND window_start = :known_start AND window_seen = :known_seen"
)


def key_name(unit: OscoreUnit) -> bytes:
    """Return 8 bytes that name the unit's key; nobody finds the 128-bit secret from them."""
    text_ = b"firstboot oscore state" + unit.salt + unit.device_id
    return hmac.new(unit.secret, text_, hashlib.sha256).digest()[:_KEY_NAME_BYTES]


class SharedNumbers:
    """The numbers of every unit in the database. `store` has the lowest number that a unit's key allows."""

    def __init__(self, database: SharedDatabase, store: OscoreStore) -> None:
        self._database = database
        self._store = store

    def reserve(self, unit: OscoreUnit) -> range:
        """Return sender numbers that only this caller may use; durable on return. Raises SharedStoreError."""
        first = self._store.first_sequence(unit.sender_id)
        values = {
            **_key(unit),
            **{"first": first, "step": RESERVE_STEP, "start": EMPTY.start, "seen": EMPTY.seen},
        }
        with self._database.changing() as connection:
            upto = int(connection.execute(_RESERVE, values).scalar_one())
        return range(upto - RESERVE_STEP, upto)

    def window(self, unit: OscoreUnit) -> SharedWindow:
        """Return the unit's replay window, which is unknown to this process until a challenge was answered."""
        return SharedWindow(self, unit)

    def read(self, unit: OscoreUnit) -> Window | None:
        """Return what the database has; None without a row. Raises SharedStoreError."""
        with self._database.reading() as connection:
            row = connection.execute(_READ, _key(unit)).first()
        return None if row is None else Window(int(row[0]), int(row[1]))

    def exchange(self, unit: OscoreUnit, known: Window, new: Window) -> bool:
        """Replace the window if it is still `known`; durable on return. Returns whether it was."""
        values = {
            **_key(unit),
            **{"known_start": known.start, "known_seen": known.seen, "start": new.start, "seen": new.seen},
        }
        with self._database.changing() as connection:
            return bool(connection.execute(_EXCHANGE, values).rowcount)


class SharedWindow:
    """The replay window of one unit as aiocoap uses it. Raises oscore.ReplayError, SharedStoreError.

    `_known` is a window that the database had: what it refuses is refused there too.
    """

    def __init__(self, numbers: SharedNumbers, unit: OscoreUnit) -> None:
        self._numbers = numbers
        self._unit = unit
        self._known: Window | None = None

    def is_initialized(self) -> bool:
        """Return whether the challenge of this process was answered (rule 3)."""
        return self._known is not None

    def is_valid(self, number: int) -> bool:
        """Return whether this process knows nothing against the number; strike_out decides."""
        return self._known is None or self._known.is_new(number)

    def strike_out(self, number: int) -> None:
        """Accept a number; durable on return."""
        for _ in range(TRIES):
            known = self._known
            if known is None:
                raise oscore.ReplayError("the window is unknown")
            new = known.accept(number)
            if new is None:
                raise oscore.ReplayError("another server accepted the number")
            if self._numbers.exchange(self._unit, known, new):
                self._known = new
                return
            found = self._numbers.read(self._unit)
            self._known = found if found is not None and found.includes(known) else None
        raise SharedStoreError("the replay window of a unit is in use: it was changed too often")

    def initialize_from_freshlyseen(self, number: int) -> None:
        """Accept the fresh number that answered a challenge, and nothing below it; durable on return."""
        for _ in range(TRIES):
            found = self._numbers.read(self._unit)
            if found is None:  # the challenge reserved its number in another database
                self._numbers.reserve(self._unit)
                continue
            new = found.begin(number)
            if new is None:
                raise oscore.ReplayError("another server accepted the number")
            if self._numbers.exchange(self._unit, found, new):
                self._known = new
                return
        raise SharedStoreError("the replay window of a unit is in use: it was changed too often")


def _key(unit: OscoreUnit) -> dict[str, bytes]:
    return {"sender_id": unit.sender_id, "key_name": key_name(unit)}
