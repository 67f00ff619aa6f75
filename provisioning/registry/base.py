"""An open registry: its database, its key, the station's signer, batches, their documents and the chains."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from sqlalchemy import select
from sqlalchemy.orm import Session

from provisioning.keys.signer import Signer
from provisioning.registry import checkpoints
from provisioning.registry.chains import Report, verify_chains
from provisioning.registry.database import Database, create_database, open_database
from provisioning.registry.errors import BatchError
from provisioning.registry.location import Location
from provisioning.registry.models import Batch, Document
from provisioning.registry.numbers import is_branch, keep_for_batch
from provisioning.registry.open_store import OpenStore
from provisioning.registry.writer import Writer


class RegistryBase(OpenStore):
    """An open registry, usable by many threads. Every method is one durable transaction and raises RegistryError.

    `location`: a SQLite file, or `postgresql://HOST/NAME` with `files` as the folder of its key files. The
    registry must exist; `create` creates one. `signer`: the station's key. If it is None, the first record
    generates a key in a file next to the fingerprint key.
    """

    def __init__(
        self,
        location: Path | str,
        *,
        files: Path | None = None,
        signer: Signer | None = None,
        now: Callable[[], int] = lambda: int(time.time()),
        open_with: Callable[[Location], Database] = open_database,
    ) -> None:
        where = Location.of(location, files)
        super().__init__(open_with(where), signer=signer, now=now)
        self.path = where.file or where.folder
        # The threads of one process queue at the writer's lock. With only the database's lock they would
        # poll.
        self.writer = Writer(self.database)
        # a document is written once, so a cached one stays correct
        self._documents: dict[tuple[str, str], bytes] = {}

    @classmethod
    def create(
        cls,
        location: Path | str,
        *,
        files: Path | None = None,
        signer: Signer | None = None,
        key: bytes | None = None,
        exist_ok: bool = False,
        now: Callable[[], int] = lambda: int(time.time()),
    ) -> Self:
        """Create a registry and open it. Raises RegistryError if it exists, unless `exist_ok`.

        `key`: the fingerprint key (32 bytes) if this is a branch, which shares the key of its main registry.
        """

        def made(where: Location) -> Database:
            return create_database(where, key=key, exist_ok=exist_ok)

        return cls(location, files=files, signer=signer, now=now, open_with=made)

    def close(self) -> None:
        self.writer.close()
        super().close()

    @property
    def registry_id(self) -> bytes:
        """Return the 16 random bytes that were generated with the registry. A copy has the same id."""
        return self.database.registry_id

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a session in one durable transaction. For the modules of this package."""
        with self.writer.lock, self.database.writing() as session:
            yield session

    # Batches -------------------------------------------------------------------------------------------------

    def open_batch(
        self,
        number: str,
        model: str,
        declared_digest: bytes,
        *,
        is_development: bool,
        serial_prefix: str = "",
        numbers: tuple[int, int] | None = None,
    ) -> int:
        """Open a batch, or continue it. Return the time when it was opened, in unix seconds.

        `numbers`: the batch's range of serial numbers, both ends included. The main registry keeps this range
        for the batch; a branch leases its share. Raises BatchError if the batch is closed or was opened with
        other values, RegistryError if a number of the range was given out before.
        """
        with self.writing() as session:
            batch = session.get(Batch, number)
            if batch is None:
                batch = Batch(
                    number=number,
                    model=model,
                    declared_digest=declared_digest,
                    is_development=is_development,
                    is_closed=False,
                    opened_s=self.now(),
                )
                session.add(batch)
                if numbers is not None and not is_branch(session):
                    keep_for_batch(session, serial_prefix, numbers, number)
            if batch.is_closed:
                raise BatchError(f"batch {number} is closed; its number is not used again (PR-06)")
            if batch.is_development != is_development:
                raise BatchError(f"batch {number} mixes development and production keys")
            if batch.declared_digest != declared_digest:
                raise BatchError(
                    f"batch {number} was opened with another product definition; use a new number"
                )
            return batch.opened_s

    def close_batch(self, number: str) -> None:
        """Close a batch permanently. Raises RegistryError if the batch does not exist."""
        with self.writing() as session:
            batch = session.get(Batch, number)
            if batch is None:
                raise BatchError(f"there is no batch {number}")
            batch.is_closed = True

    def batches(self) -> list[Batch]:
        """Return all batches, sorted by number, detached."""
        with self.reading() as session:
            return list(session.scalars(select(Batch).order_by(Batch.number)))

    def document(self, batch: str, kind: str, make: Callable[[], bytes]) -> bytes:
        """Return the batch's document of this kind. The first unit makes and stores it; all others get the same."""
        known = self._documents.get((batch, kind))
        if known is None:
            known = self._documents[batch, kind] = self._stored_document(batch, kind, make)
        return known

    def stored_document(self, batch: str, kind: str) -> bytes | None:
        """Return the batch's document of this kind; None if no station has stored it yet."""
        with self.reading() as session:
            found = session.get(Document, (batch, kind))
        return None if found is None else found.data

    def _stored_document(self, batch: str, kind: str, make: Callable[[], bytes]) -> bytes:
        known = self.stored_document(batch, kind)
        if known is not None:
            return known
        with self.writing() as session:
            found = session.get(Document, (batch, kind))
            if found is None:
                found = Document(batch=batch, kind=kind, data=make())
                session.add(found)
            return found.data

    # Chains
    # --------------------------------------------------------------------------------------------------

    def checkpoint(self) -> str:
        """Sign and store the next checkpoint over all chains. Return its JSON text, to be kept elsewhere."""
        signer = self.signer
        with self.writing() as session:
            return checkpoints.add_checkpoint(session, self.registry_id, self.now(), signer)

    def verify(self, exported: Sequence[str] = (), trusted: Sequence[bytes] = ()) -> Report:
        """Check chains, signatures, checkpoints, and units against records. Raises ChainError with every problem."""
        with self.reading() as session:
            chains, stored = checkpoints.stored_chains(session), checkpoints.stored_checkpoints(session)
            checkpoints.check_units(session)
        return verify_chains(chains, stored, exported, trusted)

    def verify_chain(self) -> int:
        """Check the chains and return the number of production records. Raises ChainError."""
        return self.verify().records
