"""One shard from the beginning to the end of a run, as a Parquet file. Nothing else decides what is in the file.

An engine may run a shard on any machine, twice, or again after its machine was lost: `run` depends on its Job only.

The file has one row for each event (time_us, unit, order, text) and one row group for each hour, in the order of the
log. Its metadata has the key of the job and what the run cost.
"""

from __future__ import annotations

import gc
import hashlib
import io
import json
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from device.records.freshness import Rollout
from simulator.fleet import base as bases
from simulator.fleet.base import Base
from simulator.fleet.errors import FleetError
from simulator.fleet.plan import Event
from simulator.fleet.scenario import Scenario
from simulator.fleet.shard import Shard
from simulator.fleet.shard_process import Cost, resident_bytes
from simulator.powercut.bench import default_folder

HOUR_S: Final = 3600
_METADATA: Final = b"firstboot"
Schedule = tuple[
    tuple[int, Rollout | None], ...
]  # what the tracker signs from each second on; the first is 0

_one_at_a_time = threading.Lock()  # a shard takes the place of asyncio in its process


def code_name() -> str:
    """Return a name of exactly this code: machines that run one fleet must have the same."""
    return default_folder().name


@dataclass(frozen=True)
class Job:
    """The units from `first` to `end` (not included) of a scenario, with the rollouts of `schedule`."""

    scenario: Scenario
    first: int
    end: int
    schedule: Schedule
    is_remembered: bool
    code: str

    @property
    def key(self) -> str:
        """A digest of everything that the events depend on."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


def run(job: Job, folder: Path | None = None) -> bytes:
    """Return the file of a shard. `folder`: of the base of the units (one of this code and machine if None).

    Raises FleetError if this machine has other code, or lacks pyarrow.
    """
    if job.code != code_name():
        raise FleetError("a machine of the cluster has another version of Firstboot")
    parquet = _pyarrow().parquet
    with _one_at_a_time:
        base = _base(folder)
        before, began_s = resident_bytes(), time.thread_time()
        sink = io.BytesIO()
        try:
            with parquet.ParquetWriter(sink, _schema(), compression="zstd") as writer:
                _write(job, base, writer)
                cost = Cost(time.thread_time() - began_s, max(0, resident_bytes() - before))
                facts = {"key": job.key, "cpu_s": cost.cpu_s, "memory_bytes": cost.memory_bytes}
                writer.add_key_value_metadata({_METADATA: json.dumps(facts).encode()})
        finally:
            gc.unfreeze()
            gc.collect()  # the next shard of this process needs the memory
    return sink.getvalue()


def _write(job: Job, base: Base, writer: Any) -> None:
    """Run the shard, and write one row group for each hour."""
    numbers = range(job.first, job.end)
    with Shard(job.scenario, base, numbers, is_remembered=job.is_remembered).opened() as shard:
        gc.freeze()  # as in shard_process.serve
        changes = [(at_s, record) for at_s, record in job.schedule if at_s < job.scenario.end_s]
        events: list[Event] = []
        for hour in range(job.scenario.hours):
            start_s, end_s = hour * HOUR_S, (hour + 1) * HOUR_S
            inside = [at_s for at_s, _ in changes if start_s < at_s < end_s]
            for begin_s, until_s in zip([start_s, *inside], [*inside, end_s], strict=True):
                record = [record for at_s, record in changes if at_s <= begin_s][-1]
                events += shard.run_until(until_s, record)
            writer.write_table(_table(events), row_group_size=max(1, len(events)))
            events = []


class ShardFile:
    """A file that `run` returned. Raises FleetError if it is damaged or belongs to another job."""

    def __init__(self, path: Path, job: Job) -> None:
        pa = _pyarrow()
        try:
            self._file = pa.parquet.ParquetFile(path)
            facts = json.loads(self._file.metadata.metadata[_METADATA])
            is_whole = self._file.num_row_groups == job.scenario.hours
            self.cost = Cost(float(facts["cpu_s"]), int(facts["memory_bytes"]))
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
            raise FleetError(f"{path}: not a shard of a fleet: {error}") from None
        if facts["key"] != job.key or not is_whole:
            raise FleetError(f"{path}: a shard of another run")

    def hour(self, number: int) -> Any:
        """Return the events of an hour as a table of pyarrow. Raises FleetError."""
        pa = _pyarrow()
        try:
            return self._file.read_row_group(number)
        except (pa.ArrowException, OSError) as error:
            raise FleetError(f"a shard is damaged: {error}") from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def merged(tables: Sequence[Any]) -> list[Event]:
    """Return the events of tables in the order of the log."""
    table = _pyarrow().concat_tables(tables)
    order = [("time_us", "ascending"), ("unit", "ascending"), ("order", "ascending")]
    columns = [column.to_pylist() for column in table.sort_by(order).itercolumns()]
    return list(map(Event, *columns))


def _table(events: Sequence[Event]) -> Any:
    pa = _pyarrow()
    columns = zip(*events, strict=True) if events else ([], [], [], [])
    arrays = [pa.array(values, type=field.type) for values, field in zip(columns, _schema(), strict=True)]
    return pa.Table.from_arrays(arrays, schema=_schema())


@cache
def _schema() -> Any:
    pa = _pyarrow()
    return pa.schema(
        [("time_us", pa.int64()), ("unit", pa.int32()), ("order", pa.int32()), ("text", pa.string())]
    )


@cache
def _base(folder: Path | None) -> Base:
    """Return the base of this process. Processes of one machine that begin together must not make one folder."""
    made = folder or default_folder().with_name(f"{code_name()}-fleet")
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(mkdtemp(dir=made.parent))
        bases.make(draft)
        try:
            draft.rename(made)
        except OSError:  # another process was faster
            shutil.rmtree(draft)
    return bases.make(made)


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise FleetError("Parquet needs pyarrow: pip install firstboot[fleet]") from None
    return pyarrow
