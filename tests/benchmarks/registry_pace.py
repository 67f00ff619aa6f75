"""The registry's pace: durable steps of the station compared with a bare loop of durable commits in the same database.

Boards answer at once (no link, no labels). A unit takes three steps in the registry: reserve, complete, and pass with
its phases; each returns when it is on disk. The bare loop commits one row at a time, with the average bytes of a step,
its phases; each returns when it is on disk. The bare loop commits one row at a time, with as many bytes as a step,
ratio depends less on the machine than the times do.

Steps that wait for the disk together share a commit (provisioning/registry/writer.py): with many ports there are fewer
commits than steps, so the ratio can be above 1. Both numbers are printed.
"""

from __future__ import annotations

import dataclasses
import secrets
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy import text

from provisioning.registry.engine import SQLITE_SETTINGS
from provisioning.registry.registry import Registry
from provisioning.station.phases import Outcome, PhaseResult
from provisioning.station.setup_code import generate_code
from tests.postgres import Cluster, missing_reason
from tests.unit.provisioning.registry.registry_bench import FACTS, open_batch

STEPS_PER_UNIT: Final = 3
TURN_S: Final = 0.25
REACH: Final = 0.8
WORKERS: Final = (1, 4, 16)
TABLES: Final = ("unit", "code_fingerprint", "production_record", "phase_entry")
# The data of a real unit: 15 phases with their measurements, a certificate of usual size.
PHASES: Final = [
    PhaseResult(f"phase{number}", Outcome.PASS, 0.1, {"bytes": 1000, "sha256": "0" * 64})
    for number in range(15)
]
SEALED: Final = dataclasses.replace(FACTS, device_certificate=bytes(520))
RECORD: Final = {
    "model": "FB-1", "batch": "B1", "version": "1.0.0+0", "image_digest": "0" * 64, "record_hash": "0" * 64,
    "statement_sha256": "0" * 64, "hardware_id": "0" * 32, "support_end_day": 22000, "is_development": False,
    "for_sale": True, "station": "bench",
}  # fmt: skip


def one_unit(registry: Registry) -> None:
    """Take one unit through the three steps of the registry."""
    hardware_id = secrets.token_bytes(16)
    reserved = registry.reserve(hardware_id, "B1", "SN-", generate_code(), is_development=False)
    registry.complete(reserved.unit_id, SEALED)
    facts = RECORD | {"serial": reserved.serial, "device_id": reserved.device_id.hex()}
    registry.record_pass(reserved.unit_id, facts, lambda entry_hash: PHASES)


def step_bytes(registry: Registry) -> int:
    """Return the bytes of values that a step stores on average, measured with one unit."""
    one_unit(registry)
    with registry.reading() as session:
        rows = [row for table in TABLES for row in session.execute(text(f"SELECT * FROM {table}"))]  # noqa: S608
    units = len(registry.units())
    sizes = [len(value) if isinstance(value, (str, bytes)) else 4 for row in rows for value in row]
    return sum(sizes) // units // STEPS_PER_UNIT


def bare_sqlite(path: Path, size: int) -> Callable[[], None]:
    """Yield a function that commits one row with the registry's own settings."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in SQLITE_SETTINGS:
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE bare (data BLOB)")

    def commit() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO bare VALUES (?)", (secrets.token_bytes(size),))
        connection.execute("COMMIT")

    return commit


def bare_postgres(address: str, size: int) -> Callable[[], None]:
    """Yield the same function for PostgreSQL."""
    connection = psycopg.connect(address, autocommit=False)
    connection.execute("CREATE TABLE bare (data BYTEA)")
    connection.commit()

    def commit() -> None:
        connection.execute("INSERT INTO bare VALUES (%s)", (secrets.token_bytes(size),))
        connection.commit()

    return commit


def pace(action: Callable[[], None], seconds: float, threads: int = 1) -> tuple[int, float]:
    """Return (calls, their seconds)."""
    counts, until = [0] * threads, time.monotonic() + seconds

    def work(index: int) -> None:
        while time.monotonic() < until:
            action()
            counts[index] += 1

    started = time.monotonic()
    workers = [threading.Thread(target=work, args=(index,)) for index in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts), time.monotonic() - started


@dataclass
class Loop:
    """Calls and seconds of one loop over its turns."""

    calls: int = 0
    seconds: float = 0.0

    def add(self, calls: int, seconds: float) -> None:
        self.calls, self.seconds = self.calls + calls, self.seconds + seconds

    @property
    def rate(self) -> float:
        return self.calls / self.seconds


@dataclass(frozen=True)
class Pace:
    """One database with one number of workers. Rates are per second; `commits`: those of the database itself."""

    database: str
    workers: int
    bare: float
    steps: float
    commits: float

    @property
    def ratio(self) -> float:
        return self.steps / self.bare


def compare(registry: Registry, bare: Callable[[], None], workers: int, seconds: float) -> Pace:
    """Run both loops in turns, half of the seconds each."""
    ours, floor, commits = Loop(), Loop(), registry.writer.commits
    while ours.seconds + floor.seconds < seconds:
        floor.add(*pace(bare, TURN_S))
        ours.add(*pace(lambda: one_unit(registry), TURN_S, workers))
    commits = registry.writer.commits - commits
    name = "sqlite" if registry.database.location.file else "postgresql"
    return Pace(name, workers, floor.rate, ours.rate * STEPS_PER_UNIT, commits / ours.seconds)


@contextmanager
def both(folder: Path) -> Iterator[list[tuple[Registry, Callable[[], None]]]]:
    """Yield (registry, bare loop) of each available database, in files of `folder`."""
    found = [Registry.create(folder / "registry.db")]
    open_batch(found[0])
    size = step_bytes(found[0])
    bares = [bare_sqlite(folder / "bare.db", size)]
    if missing_reason():
        yield list(zip(found, bares, strict=True))
        return
    with Cluster(is_on_disk=True) as cluster:
        found.append(Registry.create(cluster.new_database(), files=folder / "pg"))
        open_batch(found[1])
        bares.append(bare_postgres(cluster.new_database(), step_bytes(found[1])))
        yield list(zip(found, bares, strict=True))


def measure(seconds: float) -> Iterator[Pace]:
    """Measure each database with each number of workers, `seconds` for each."""
    with tempfile.TemporaryDirectory() as folder, both(Path(folder)) as pairs:
        for registry, bare in pairs:
            for workers in WORKERS:
                yield compare(registry, bare, workers, seconds)
            registry.verify_chain()
            registry.close()


def report(seconds: float) -> None:
    """Print the table."""
    print(f"registry: {STEPS_PER_UNIT} durable steps for each unit; instant boards; both loops in turns")
    for found in measure(seconds):
        verdict = "reached" if found.ratio >= REACH else f"NOT REACHED (reach {REACH})"
        print(
            f"  {found.database:11} {found.workers:2} ports: bare {found.bare:7.0f} commits/s; station"
            f" {found.steps:7.0f} steps/s in {found.commits:6.0f} commits/s, {found.steps / STEPS_PER_UNIT:6.0f}"
            f" units/s; ratio {found.ratio:5.2f} {verdict}"
        )
    if reason := missing_reason():
        print(f"  postgresql  NOT MEASURED: {reason}")
