"""The case store: an append-only, hash-chained, signed log of what was reported, decided and sent.

Rules:
1. Everything that a case is follows from its events; nothing of it is changed in place (`models.py`).
2. A decision names the version of the case on which it was made. If the case has another one, it is refused.
3. Events are signed with the key next to the store, and chained as the registry's decisions are
   (provisioning/registry/chains.py). A checkpoint that is kept elsewhere shows later that nothing was cut off.
4. Time never goes back in the log. A clock that is up to CLOCK_STEP_S behind is taken as that of the last event; one
   that is further behind is refused, because deadlines would be wrong. A person records that the clock was wrong.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from provisioning.disclosure import models
from provisioning.disclosure.errors import CaseClockError, CaseConflictError, UnknownCaseError
from provisioning.disclosure.models import CaseEvent
from provisioning.keys.signer import Signer
from provisioning.registry import chains
from provisioning.registry.chains import GENESIS, ChainData, make_entry
from provisioning.registry.checkpoints import assemble_chains
from provisioning.registry.database import Database, create_database, open_database
from provisioning.registry.fingerprint_key import fingerprint
from provisioning.registry.location import Location
from provisioning.registry.open_store import OpenStore
from provisioning.registry.schema import StoreKind

CASES: Final = StoreKind(
    noun="case store",
    metadata=models.Base.metadata,
    setting=models.Setting,
    known=("cases 0001",),
    scripts="",  # the first revision: there is nothing to migrate
    create="firstboot report init",
    user="command",
)
CHAIN: Final = "reports "  # prefix of the name of a chain; the id of its key follows
CODE: Final = "SR"  # security report
CLOCK_STEP_S: Final = 120
CLOCK: Final = "clock"


@dataclass(frozen=True)
class Event:
    """One event of the log. `case`: None if it is about the store. `facts`: its content, without what is above."""

    chain: str
    number: int
    case: str | None
    version: int
    kind: str
    time_s: int
    facts: Mapping[str, Any]


class CaseStore(OpenStore):
    """An open case store. Its methods raise RegistryError if the database fails."""

    def __init__(
        self,
        location: Path | str,
        *,
        files: Path | None = None,
        signer: Signer | None = None,
        now: Callable[[], int] = lambda: int(time.time()),
        open_with: Callable[[Location], Database] = lambda where: open_database(where, CASES),
    ) -> None:
        super().__init__(open_with(Location.of(location, files)), signer=signer, now=now)

    @classmethod
    def create(
        cls,
        location: Path | str,
        *,
        files: Path | None = None,
        signer: Signer | None = None,
        now: Callable[[], int] = lambda: int(time.time()),
    ) -> Self:
        """Create a store and its key files, and open it. Raises RegistryError if it exists."""

        def made(where: Location) -> Database:
            return create_database(where, kind=CASES)

        return cls(location, files=files, signer=signer, now=now, open_with=made)

    def mark(self, purpose: str, data: bytes) -> bytes:
        """Return the keyed fingerprint (32 bytes) of `data` for one purpose; nobody without the store's key can."""
        return fingerprint(self.database.key, purpose, data)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a session in one durable transaction that holds the store's write lock."""
        with self.database.writing() as session:
            yield session

    # The log -------------------------------------------------------------------------------------------------------

    def append(
        self,
        session: Session,
        kind: str,
        facts: Mapping[str, Any],
        *,
        case: str | None = None,
        expected: int | None = None,
    ) -> Event:
        """Append one event inside the transaction that it describes.

        `expected`: the version of the case that the person saw; None if no person decided. Raises CaseConflictError,
        CaseClockError.
        """
        if reserved := set(facts) & set(_ENVELOPE):
            raise ValueError(f"an event has {', '.join(sorted(reserved))} of its own")
        version = 0 if case is None else 1 + version_of(session, case)
        if expected is not None and expected != version - 1:
            raise CaseConflictError(case or "", version - 1, expected)
        chain = self._own_chain(session)
        last = session.scalar(
            select(CaseEvent).where(CaseEvent.chain == chain.name).order_by(CaseEvent.number.desc()).limit(1)
        )
        time_s = self._event_time(last, kind)
        body = {**facts, "kind": kind, "time": time_s, "case": case, "version": version}
        number, previous = (last.number + 1, last.hash) if last is not None else (1, GENESIS)
        entry = make_entry(chain.name, number, previous, body, self.signer)
        session.add(
            CaseEvent(
                chain=chain.name,
                number=number,
                case_code=case,
                version=version,
                body=entry.body,
                previous_hash=entry.previous_hash,
                hash=entry.hash,
                signature=entry.signature,
            )
        )
        session.flush()
        return Event(chain.name, number, case, version, kind, time_s, facts)

    def _event_time(self, last: CaseEvent | None, kind: str) -> int:
        """Return the time of the next event (rule 4). Raises CaseClockError."""
        now = self.now()
        if last is None or kind == CLOCK:
            return now
        before = int(json.loads(last.body)["time"])
        if now < before - CLOCK_STEP_S:
            shown = dt.datetime.fromtimestamp(before, dt.UTC).isoformat(timespec="seconds")
            raise CaseClockError(
                f"the last event of the log is from {shown}, and the clock of this machine is {before - now} s earlier:"
                " set the clock, or record with `firstboot report set-clock` that it was wrong then"
            )
        return max(now, before)

    def _own_chain(self, session: Session) -> models.Chain:
        name = f"{CHAIN}{self.signer.key_id.hex()}"
        chain = session.get(models.Chain, name)
        if chain is None:
            chain = models.Chain(name=name, public_key=self.signer.public)
            session.add(chain)
            session.flush()
        return chain

    def new_code(self, session: Session, kind: str = CODE, taken: Iterable[str] = ()) -> str:
        """Return the next number of a kind: SR-YEAR-0001 and so on, by the year in UTC. `taken`: numbers not to use."""
        start = f"{kind}-{dt.datetime.fromtimestamp(self.now(), dt.UTC).year}-"
        found = session.scalars(
            select(CaseEvent.case_code).where(CaseEvent.case_code.startswith(start)).distinct()
        )
        used = [*found, *(code for code in taken if code.startswith(start))]
        numbers = [int(code.removeprefix(start)) for code in used if code]
        return f"{start}{max(numbers, default=0) + 1:04}"

    def new_id(self) -> str:
        """Return a random number for a reporter (16 hex digits)."""
        return secrets.token_hex(8)

    def checkpoint(self) -> str:
        """Sign and store the next checkpoint. Return its JSON text, to be kept elsewhere."""
        with self.writing() as session:
            last = session.scalar(
                select(models.Checkpoint).order_by(models.Checkpoint.number.desc()).limit(1)
            )
            number, previous = (last.number + 1, last.data.decode()) if last is not None else (1, None)
            text = chains.make_checkpoint(
                self.database.registry_id, number, self.now(), previous, stored_chains(session), self.signer
            )
            session.add(models.Checkpoint(number=number, data=text.encode()))
        return text


def version_of(session: Session, case: str) -> int:
    """Return the version of a case: the number of its events; 0 if it does not exist."""
    return session.scalar(select(func.max(CaseEvent.version)).where(CaseEvent.case_code == case)) or 0


def read_events(session: Session, case: str | None = None) -> list[Event]:
    """Return the events of one case by version, or all in the order of their time. Raises UnknownCaseError."""
    query = select(CaseEvent).order_by(CaseEvent.chain, CaseEvent.number)
    found = [
        _event(row)
        for row in session.scalars(query if case is None else query.where(CaseEvent.case_code == case))
    ]
    if case is not None and not found:
        raise UnknownCaseError(f"there is no case {case}")
    return sorted(found, key=lambda each: each.version if case is not None else each.time_s)


def read_store_events(session: Session) -> list[Event]:
    """Return the events that are about the store itself, in the order of their time."""
    query = select(CaseEvent).where(CaseEvent.case_code.is_(None)).order_by(CaseEvent.chain, CaseEvent.number)
    return sorted((_event(row) for row in session.scalars(query)), key=lambda each: each.time_s)


def is_case(code: str | None) -> bool:
    """Return whether this is the number of a case about a security issue; the log has other numbers too."""
    return code is not None and code.startswith(f"{CODE}-")


def stored_chains(session: Session) -> list[ChainData]:
    """Return every chain with its events in order."""
    events = session.scalars(select(CaseEvent).order_by(CaseEvent.chain, CaseEvent.number))
    return assemble_chains(session.scalars(select(models.Chain).order_by(models.Chain.name)), events)


def stored_checkpoints(session: Session) -> list[models.Checkpoint]:
    """Return every stored checkpoint, in order."""
    return list(session.scalars(select(models.Checkpoint).order_by(models.Checkpoint.number)))


_ENVELOPE: Final = ("kind", "time", "case", "version", "chain", "number")


def _event(row: CaseEvent) -> Event:
    body = json.loads(row.body)
    facts = {name: value for name, value in body.items() if name not in _ENVELOPE}
    return Event(row.chain, row.number, row.case_code, row.version, body["kind"], int(body["time"]), facts)
