"""A line at its pace: `firstboot station run` over sixteen boards of fifteen seconds each.

The boards are in another process (tests/benchmarks/boards.py) and the station is the command itself, so the CPU time of
that process, with its start, is the station's. Sixteen boards of fifteen seconds are at most 3 840 an hour, because
there is no pause between boards.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests import patience

PLACES: Final = 16
BOARD_S: Final = 15.0
REACH_PER_HOUR: Final = 3600
REACH_CPU_PERCENT: Final = 10.0
COMMAND: Final = [sys.executable, "-c", "from provisioning.cli.main import main; main()"]


@dataclass(frozen=True)
class Shift:
    """A line's result: units and seconds from the first start to the last pass, CPU seconds of its process."""

    units: int
    failed: int
    seconds: float
    cpu_s: float
    process_s: float

    @property
    def per_hour(self) -> float:
        return self.units * 3600 / self.seconds

    @property
    def cpu_percent(self) -> float:
        """Return the share of one core, over the life of the process."""
        return 100 * self.cpu_s / self.process_s


@contextmanager
def boards(folder: Path, places: int, seconds: float) -> Iterator[list[str]]:
    """Yield the addresses of boards that another process serves."""
    command = [sys.executable, "-m", "tests.benchmarks.boards", str(folder)]
    command += ["--places", str(places), "--seconds", str(seconds)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    try:
        if "places" not in process.stdout.readline():
            raise RuntimeError("the boards did not start")
        yield [f"unix:{folder}/p{number:02}" for number in range(1, places + 1)]
    finally:
        process.stdin.close()
        patience.ended(process)


def shift(units: int, places: int = PLACES, board_s: float = BOARD_S) -> Shift:
    """Let a line provision `units` units. Raises RuntimeError if the command fails."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        station = folder / "station"
        subprocess.run(
            [*COMMAND, "station", "init", str(station), "--development"], check=True, capture_output=True
        )
        with boards(folder, places, board_s) as addresses:
            return _run(station, addresses, units)


def _run(station: Path, addresses: list[str], units: int) -> Shift:
    command = [*COMMAND, "station", "run", "--json", "--development"]
    for option, value in {
        "--product": "product.toml",
        "--keys": "keys",
        "--registry": "registry.db",
        "--labels": "labels",
        "--oscore-key": "server/oscore.pub",
    }.items():
        command += [option, str(station / value)]
    command += [word for address in addresses for word in ("--port", address)]
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    first = last = 0.0
    done = {"passed": 0, "failed": 0}
    for line in process.stdout:
        state = json.loads(line).get("state")
        if state == "running" and not first:
            first = time.monotonic()
        if state in done and sum(done.values()) < units:
            done[state] += 1
            last = time.monotonic()
            if sum(done.values()) == units:
                process.send_signal(signal.SIGINT)
    _, status, used = os.wait4(process.pid, 0)
    if not done["passed"]:
        raise RuntimeError(f"the station made no unit (status {status})")
    return Shift(
        done["passed"], done["failed"], last - first, used.ru_utime + used.ru_stime, time.monotonic() - began
    )


def report(*, is_full: bool) -> None:
    """Print the figures of ten minutes, or of one."""
    units = PLACES * (40 if is_full else 4)
    found = shift(units)
    pace = "reached" if found.per_hour > REACH_PER_HOUR else "NOT REACHED"
    cpu = "reached" if found.cpu_percent < REACH_CPU_PERCENT else "NOT REACHED"
    print(
        f"line: {PLACES} boards of {BOARD_S:.0f} s, {found.units} units, {found.failed} failed, {found.seconds:.0f} s"
    )
    print(
        f"  {found.per_hour:.0f} units/h of {PLACES * 3600 / BOARD_S:.0f} (reach more than {REACH_PER_HOUR}): {pace}"
    )
    print(
        f"  station {found.cpu_percent:.1f} % of one core, {1000 * found.cpu_s / found.units:.0f} ms a unit, its start"
        f" among it (reach less than {REACH_CPU_PERCENT:.0f} %): {cpu}"
    )
