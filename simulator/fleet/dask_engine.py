"""The same run on a cluster of Dask: each shard is one task, from the beginning to the end (docs/adr, 43).

Dask runs a task again if its worker is lost. A task depends on nothing but its arguments, so the second answer is the
first one, and the report is that of engine.run, byte for byte.

The cluster is the one that Dask's configuration names (`DASK_SCHEDULER_ADDRESS`), else one of local processes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from simulator.fleet import base as bases
from simulator.fleet import shard_file
from simulator.fleet.engine import Run
from simulator.fleet.errors import FleetError
from simulator.fleet.plan import Event
from simulator.fleet.results import Results, replayed
from simulator.fleet.scenario import Scenario
from simulator.fleet.shard_file import Job

SHARD_UNITS: Final = 1000
# A busy machine starts processes slowly and answers late; neither means that a worker is lost.
_PATIENCE: Final = {
    "distributed.comm.timeouts.connect": "120s",
    "distributed.comm.timeouts.tcp": "120s",
    "distributed.scheduler.allowed-failures": 10,
}


def run(
    scenario: Scenario,
    *,
    workers: int = 1,
    shard_units: int = SHARD_UNITS,
    is_remembered: bool = True,
    folder: Path | None = None,
    results: Path | None = None,
    on_window: Callable[[list[Event], int], None] = lambda events, end_s: None,
    on_shard: Callable[[Any, int, int], None] = lambda client, done, all_: None,
) -> Run:
    """Run a scenario to its end. Raises FleetError, OSError.

    `workers`: processes of a local cluster. `folder`: of the base of the units, on a file system of all workers.
    `results`: the folder of the shards' files, which stays (a temporary one if None). `on_window` gets the log, window
    by window; `on_shard` the client of Dask and how many shards are done, of how many.
    """
    base = bases.make(folder)
    with ExitStack() as stack:
        kept = results or Path(stack.enter_context(TemporaryDirectory(prefix="firstboot-fleet-")))
        shards = Results(kept, scenario, shard_units, is_remembered)
        shards.open()
        began_s = time.monotonic()
        client = stack.enter_context(_client(workers))

        def run_shards(jobs: list[Job]) -> None:
            _run_shards(client, shards, jobs, folder, on_shard)

        replay = replayed(shards, base, run_shards, on_window)
        used = len(client.scheduler_info()["workers"])
        wall_s = time.monotonic() - began_s
    cost, rollout = replay.cost, replay.rollout.document(scenario.end_s)
    return Run(scenario, replay.outcome, rollout, used, wall_s, cost.cpu_s, cost.memory_bytes)


def _run_shards(
    client: Any,
    shards: Results,
    jobs: list[Job],
    folder: Path | None,
    on_shard: Callable[[Any, int, int], None],
) -> None:
    """Let the cluster run the shards whose files are missing, and write each file as soon as it is there."""
    missing = shards.missing(jobs)
    done = len(jobs) - len(missing)
    futures = {client.submit(shard_file.run, job, folder, pure=False): job for job in missing}
    waiting = _distributed().as_completed(list(futures))
    while futures:
        future = next(waiting)
        job = futures.pop(future)
        shards.keep(job, _answer(future))
        future.release()
        done += 1
        on_shard(client, done, len(jobs))


def _answer(future: Any) -> bytes:
    """Return the file of a shard. Raises FleetError."""
    try:
        data: bytes = future.result()
    except FleetError:
        raise
    except _distributed().KilledWorker as error:
        raise FleetError(f"a shard ended each worker that ran it: {error}") from None
    except Exception as error:
        raise FleetError(f"a shard failed: {type(error).__name__}: {error}") from error
    return data


@contextmanager
def _client(workers: int) -> Iterator[Any]:
    """Yield a client of the configured cluster, or of a local one with `workers` processes."""
    dask, distributed = _imported("dask"), _distributed()
    with dask.config.set(_PATIENCE), ExitStack() as stack:
        if dask.config.get("scheduler-address", None) is None:
            cluster = distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                memory_limit=0,
            )
            stack.enter_context(cluster)
            yield stack.enter_context(distributed.Client(cluster))
        else:
            try:
                client = distributed.Client()
            except OSError as error:
                raise FleetError(f"the scheduler of Dask does not answer: {error}") from None
            yield stack.enter_context(client)


def _distributed() -> Any:
    return _imported("distributed")


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise FleetError("the engine needs Dask: pip install firstboot[fleet]") from None
