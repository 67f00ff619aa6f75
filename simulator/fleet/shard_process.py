"""A shard in a process of its own, which is asked for one window of time after the other."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path

from device.records.freshness import Rollout
from simulator.fleet.base import Base
from simulator.fleet.errors import FleetError
from simulator.fleet.plan import Event
from simulator.fleet.scenario import Scenario
from simulator.fleet.shard import Shard


@dataclass(frozen=True)
class Cost:
    """The cost of a shard so far: processor seconds, and bytes of memory for its units."""

    cpu_s: float
    memory_bytes: int


Message = tuple[list[Event], Cost] | str


def resident_bytes(process: str = "self") -> int:
    """Return the memory that a process (its id, "self": this one) holds now; 0 where /proc does not tell."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def serve(
    pipe: Connection, scenario: Scenario, base: Base, numbers: Sequence[int], is_remembered: bool
) -> None:
    """Answer each end of a window with its events and the cost so far, until the other end closes."""
    gc.freeze()
    before, began_s = resident_bytes(), time.process_time()
    try:
        with Shard(scenario, base, numbers, is_remembered=is_remembered).opened() as shard:
            gc.freeze()  # units live to the end; looking for garbage in them costs a fifth of the run
            while True:
                events = shard.run_until(*pipe.recv())
                cost = Cost(time.process_time() - began_s, max(0, resident_bytes() - before))
                pipe.send(([tuple(event) for event in events], cost))
    except EOFError:
        return
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")


class ShardProcess:
    """The other end: `ask(end_s)`, then `answer()`."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.cost = Cost(0.0, 0)

    def ask(self, end_s: float, rollout: Rollout | None) -> None:
        """Let the shard run to the true time `end_s` with this rollout. Raises FleetError if its process has ended."""
        try:
            self._pipe.send((end_s, rollout))
        except OSError as error:
            raise FleetError(f"a process of the fleet ended: {error}") from None

    def answer(self) -> list[Event]:
        """Return the events of the window. Raises FleetError."""
        try:
            found: Message = self._pipe.recv()
        except (EOFError, OSError):
            raise FleetError("a process of the fleet ended") from None
        if isinstance(found, str):
            raise FleetError(f"a process of the fleet failed: {found}")
        events, self.cost = found
        return [Event(*event) for event in events]


@contextmanager
def started(
    scenario: Scenario, base: Base, workers: int, *, is_remembered: bool
) -> Iterator[list[ShardProcess]]:
    """Start one process for each shard, and end them."""
    context = get_context("fork")  # the base is there already, and its pages are shared
    processes: list[ForkProcess] = []
    ends: list[Connection] = []
    try:
        for index in range(workers):
            ours, theirs = context.Pipe()
            numbers = range(index, scenario.units, workers)
            process = context.Process(
                target=_run, args=(theirs, [*ends, ours], scenario, base, numbers, is_remembered), daemon=True
            )
            process.start()
            theirs.close()
            processes.append(process)
            ends.append(ours)
        yield [ShardProcess(end) for end in ends]
    finally:
        for end in ends:
            end.close()
        for process in processes:
            process.join(10)
            if process.is_alive():
                process.terminate()
                process.join()


def _run(
    pipe: Connection,
    others: Sequence[Connection],
    scenario: Scenario,
    base: Base,
    numbers: Sequence[int],
    is_remembered: bool,
) -> None:
    for other in others:
        other.close()  # inherited ends would keep the pipes of other shards open
    serve(pipe, scenario, base, numbers, is_remembered)
