"""Durable transactions: queries are rendered once, and callers that wait at the same time share one commit.

Rules:
1. An operation is done when its commit has returned. Operations that arrive during a commit share the next one, so a
   slow disk is waited for once, not once for each port. The first caller becomes the leader and commits for everyone in
   the queue; then it promotes the next caller.
2. An operation refuses before it writes; the others in its commit are not affected. If one wrote and then failed, or if
   the database refuses a row, the shared transaction is rolled back and each operation runs again by itself, so none
   fails because of another. An operation that may have been committed is never repeated.
3. One connection is kept for writing. It is dropped after an error, and tested after a pause.
4. Queries are SQLAlchemy's, made from the models, so both databases use the same text. They run on the driver's own
   connection. PostgreSQL runs them in pipeline mode: one round trip to read, one to write and commit.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

import psycopg
from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql import ClauseElement

from provisioning.registry.database import Database, reporting_errors
from provisioning.registry.errors import RegistryError
from provisioning.registry.write_link import DRIVER_ERRORS, PostgresLink, SqliteLink

T = TypeVar("T")
Row = tuple[Any, ...]

MOST_TOGETHER: Final = 64  # operations in one commit
REFUSALS: Final = (  # the database refused the row: nothing was committed
    sqlite3.IntegrityError, sqlite3.DataError, psycopg.IntegrityError, psycopg.DataError,
)  # fmt: skip
_DIALECTS: Final[dict[str, Dialect]] = {
    "sqlite": SQLiteDialect_pysqlite(paramstyle="named"),
    "postgresql": PGDialect_psycopg(),  # type: ignore[no-untyped-call]
}


class Query:
    """A SQLAlchemy Core query with named parameters, as text for each database."""

    def __init__(self, element: ClauseElement) -> None:
        self._texts, self._fixed = {}, {}
        for name, dialect in _DIALECTS.items():
            compiled = element.compile(dialect=dialect)
            self._texts[name] = str(compiled)
            self._fixed[name] = {key: value for key, value in compiled.params.items() if value is not None}

    def text(self, dialect: str) -> str:
        """Return the SQL for "sqlite" or "postgresql"."""
        return self._texts[dialect]

    def parameters(self, dialect: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return `values` and the query's own constants."""
        fixed = self._fixed[dialect]
        return {**fixed, **values} if fixed else values


BoundQuery = tuple[Query, Mapping[str, Any]]


class Transaction:
    """The running transaction, as an operation sees it. It holds the database's write lock."""

    def __init__(self, connection: Any, dialect: str) -> None:
        self._connection = connection
        self._dialect = dialect
        self.writes = 0

    def ask(self, *queries: BoundQuery) -> list[list[Row]]:
        """Return the rows of each query. Independent queries asked together cost one round trip."""
        cursors = [self._run(*query) for query in queries]
        return [cursor.fetchall() for cursor in cursors]

    def insert(self, query: Query, values: Mapping[str, Any]) -> Row:
        """Run an INSERT ... RETURNING. Return its row."""
        self.writes += 1
        row: Row = self._run(query, values).fetchone()
        return row

    def put(self, query: Query, values: Mapping[str, Any]) -> None:
        """Run a query that writes. An error may appear here or at the commit."""
        self.writes += 1
        self._run(query, values)

    def _run(self, query: Query, values: Mapping[str, Any]) -> Any:
        return self._connection.execute(query.text(self._dialect), query.parameters(self._dialect, values))


Operation = Callable[[Transaction], T]


_Result = tuple[Any, Exception | None]


class _Job(Generic[T]):
    """An operation that waits for its commit. `woken` opens when it is done, or when its caller has to lead."""

    def __init__(self, operation: Operation[T]) -> None:
        self.operation = operation
        self.is_done = False
        self.has_to_lead = False
        self.error: Exception | None = None
        self.value: T | None = None
        self.woken = threading.Lock()
        self.woken.acquire()


class Writer:
    """Runs the operations of many threads on one connection. Other writers of this process take `lock`."""

    def __init__(self, database: Database) -> None:
        self.lock = threading.Lock()
        self.commits = 0  # of this writer, for measurements
        self._database = database
        self._waiting: deque[_Job[Any]] = deque()
        self._is_led = False
        self._gate = threading.Lock()  # guards the two above
        self._link = (SqliteLink if database.engine.dialect.name == "sqlite" else PostgresLink)(database)

    def run(self, operation: Operation[T]) -> T:
        """Return the operation's result after its commit. Raises the operation's errors, and RegistryError."""
        job: _Job[T] = _Job(operation)
        with self._gate:
            self._waiting.append(job)
            is_leader, self._is_led = not self._is_led, True
        if not is_leader:
            self._wait(job)
        if not job.is_done:
            self._lead(job)
        if job.error is not None:
            raise job.error
        return job.value  # type: ignore[return-value]

    def _wait(self, job: _Job[Any]) -> None:
        try:
            job.woken.acquire()
        except BaseException:  # interrupted: the others must not wait for this leader
            with self._gate:
                if job in self._waiting:
                    self._waiting.remove(job)
            if job.has_to_lead:
                self._hand_on(job, [])
            raise

    def close(self) -> None:
        """Close the connection."""
        with self.lock:
            self._link.drop()

    def _lead(self, own: _Job[Any]) -> None:
        """Commit the waiting jobs, `own` among them, then promote the next leader."""
        jobs: list[_Job[Any]] = []
        try:
            with self.lock:
                with self._gate:
                    jobs = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER))]
                if not self._together(jobs):
                    for job in jobs:
                        self._together([job])
        finally:
            self._hand_on(own, jobs)

    def _hand_on(self, own: _Job[Any], jobs: Sequence[_Job[Any]]) -> None:
        """Wake the finished callers and the next leader, which takes over what an interrupted leader left."""
        with self._gate:
            left = [job for job in jobs if not job.is_done]
            self._waiting.extendleft(reversed(left))
            if own in self._waiting:
                self._waiting.remove(own)
            self._is_led = bool(self._waiting)
            following = self._waiting[0] if self._waiting else None
            if following is not None:
                following.has_to_lead = True
        if following is not None:
            following.woken.release()
        for job in jobs:
            if job.is_done and job is not own:
                job.woken.release()

    # The caller of these methods holds `lock` -----------------------------------------------------------------------

    def _together(self, jobs: Sequence[_Job[Any]]) -> bool:
        """Run and commit jobs. Return False if each has to run by itself (rule 2)."""
        results: list[_Result] = []
        try:
            with reporting_errors(self._database):
                try:
                    self._commit(jobs, results)
                except REFUSALS:
                    if len(jobs) > 1:
                        return False
                    raise
        except _TornError as error:
            if len(jobs) > 1:
                return False
            results = [(None, error.cause)]
        except RegistryError as error:
            results = [(None, error)] * len(jobs)
        for job, (value, failure) in zip(jobs, results, strict=True):
            job.value, job.error, job.is_done = value, failure, True
        return True

    def _commit(self, jobs: Sequence[_Job[Any]], results: list[_Result]) -> None:
        try:
            transaction = Transaction(self._link.begin(), self._database.engine.dialect.name)
            results += [_result(job, transaction) for job in jobs]
            self._link.commit()
            self.commits += 1
        except BaseException:
            self._link.roll_back()
            raise


class _TornError(Exception):
    """An operation wrote and then failed: the transaction must be rolled back."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause
        super().__init__()


def _result(job: _Job[Any], transaction: Transaction) -> _Result:
    before = transaction.writes
    try:
        return job.operation(transaction), None
    except DRIVER_ERRORS:
        raise
    except Exception as error:
        if transaction.writes > before:
            raise _TornError(error) from None
        return None, error
