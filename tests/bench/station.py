"""The registry's pace: durable commits of the station beside a bare durable commit loop of the same database.

    python -m tests.bench.station [--seconds 5]

Boards are instant (no link, no labels): what a unit costs the registry is reserve, seal, release and its phases, four
commits, with signatures and all. Both loops run in turns in one process against files in one folder, so the ratio says
something where the times of this machine do not. Prints; asserts nothing.
"""

from __future__ import annotations

import argparse
import secrets
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psycopg

from provisioning.factory.phases import Outcome, PhaseResult
from provisioning.factory.setup_code import draw_code
from provisioning.registry.registry import Registry
from tests.postgres import Cluster, missing_reason
from tests.unit.registry_bench import FACTS, open_batch

COMMITS_PER_UNIT: Final = 4
TURNS: Final = 6
REACH: Final = 0.8
PHASES: Final = [PhaseResult(f"phase{n}", Outcome.PASS, 0.1, {"bytes": 1}) for n in range(15)]


def one_unit(registry: Registry) -> None:
    """What a unit costs a registry."""
    hardware_id = secrets.token_bytes(16)
    reserved = registry.reserve(hardware_id, "B1", "SN-", draw_code(), is_development=False)
    registry.seal(reserved.unit_id, FACTS)
    facts = {"serial": reserved.serial, "device_id": reserved.device_id.hex(), "station": "bench"}
    registry.release(reserved.unit_id, facts)
    registry.add_phases(secrets.token_hex(8), reserved.unit_id, PHASES)


def bare_sqlite(path: Path) -> Callable[[], None]:
    """A commit of one row of 100 bytes with the registry's own settings."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE bare (data BLOB)")

    def commit() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO bare VALUES (?)", (secrets.token_bytes(100),))
        connection.execute("COMMIT")

    return commit


def bare_postgres(address: str) -> Callable[[], None]:
    """The same on PostgreSQL."""
    connection = psycopg.connect(address, autocommit=False)
    connection.execute("CREATE TABLE bare (data BYTEA)")
    connection.commit()

    def commit() -> None:
        connection.execute("INSERT INTO bare VALUES (%s)", (secrets.token_bytes(100),))
        connection.commit()

    return commit


def pace(action: Callable[[], None], seconds: float, threads: int = 1) -> float:
    """Calls per second."""
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
    return sum(counts) / (time.monotonic() - started)


def compare(name: str, registry: Registry, bare: Callable[[], None], seconds: float) -> None:
    """Print one database's line for each number of workers."""
    open_batch(registry)
    for threads in (1, 4, 16):
        ours, floor = 0.0, 0.0
        for _ in range(TURNS):
            floor += pace(bare, seconds / TURNS / 2) / TURNS
            ours += pace(lambda: one_unit(registry), seconds / TURNS / 2, threads) * COMMITS_PER_UNIT / TURNS
        ratio = ours / floor
        verdict = "reached" if ratio >= REACH else f"NOT REACHED (reach {REACH})"
        print(
            f"{name:11} {threads:2} workers: bare {floor:7.0f}/s, station {ours:7.0f} commits/s,"
            f" ratio {ratio:4.2f} {verdict}"
        )
    print(f"{name:11} {registry.verify_chain()} units, {COMMITS_PER_UNIT} commits each; chain whole")
    registry.close()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=6.0, help="for each line")
    seconds = parser.parse_args().seconds
    print("registry pace; instant boards; both loops in turns")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        compare("sqlite", Registry(path / "registry.db"), bare_sqlite(path / "bare.db"), seconds)
        if reason := missing_reason():
            print(f"postgresql  NOT MEASURED: {reason}")
            return
        with Cluster(is_on_disk=True) as cluster:
            registry = Registry(cluster.new_database(), files=path / "pg")
            compare("postgresql", registry, bare_postgres(cluster.new_database()), seconds)


if __name__ == "__main__":
    main()
