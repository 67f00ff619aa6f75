"""Record a run over simulated flash once, then derive the flash that a power cut at any of its operations leaves.

Up to the cut, a run with a cut is the same as a run without. So the recording keeps the flash before each operation
(snapshots share sectors), and a cut costs no second run; `test_engine.py` compares this with real reruns. A case is one
number, so that each case can be named and replayed:

    operation = seed // 3 % total + 1        when = before, torn, after        tear = seed // (3 * total)

So seeds 0 .. 3 * total - 1 are all cuts. Each further round tears into another shape (simulator/ports/torn.py), and
after the last shape into the first one again, with other random bits.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from device.layout import NvmLayout
from simulator.ports.flash import CUTS, TORN, PowerCut, SimFlash, Snapshot
from simulator.ports.torn import shape_name


class Operation(NamedTuple):
    """One program or erase: `kind` is "write" or "erase"; offset and length in bytes.

    `place`: file and line of the device code that asked for it, "" if none did.
    """

    kind: str
    offset: int
    length: int
    place: str = ""

    def __str__(self) -> str:
        return f"{self.kind} of {self.length} bytes at {self.offset:#x}"


class Case(NamedTuple):
    """One cut: the operation's number (1 is the first), when, and which shape and random bits a torn one leaves."""

    seed: int
    operation: int
    when: str
    tear: int

    def __str__(self) -> str:
        return f"seed {self.seed}: {self.when} operation {self.operation}"


@dataclass(frozen=True)
class Recording:
    """The flash before each operation of one run, and after the last."""

    layout: NvmLayout
    operations: tuple[Operation, ...]
    states: tuple[Snapshot, ...]  # one more than operations

    @property
    def total(self) -> int:
        """The number of flash operations in the run."""
        return len(self.operations)

    def case(self, seed: int) -> Case:
        """Return the case of this number, 0 or greater. Raises ValueError."""
        if self.total == 0 or seed < 0:
            raise ValueError("no such case")
        operation = seed // len(CUTS) % self.total + 1
        return Case(seed, operation, CUTS[seed % len(CUTS)], seed // (len(CUTS) * self.total))

    def cases(self, tears: int = 1) -> Iterator[Case]:
        """Yield every cut once, and torn cuts `tears` times, each with other bits."""
        for tear in range(tears):
            for seed in range(len(CUTS) * self.total):
                case = self.case(tear * len(CUTS) * self.total + seed)
                if tear == 0 or case.when == TORN:
                    yield case

    def first(self, operations: int) -> Recording:
        """Return the recording of the first `operations` operations only."""
        return Recording(self.layout, self.operations[:operations], self.states[: operations + 1])

    def describe(self, case: Case) -> str:
        """Return the case in words."""
        what = self.operations[case.operation - 1]
        shape = f" ({shape_name(what.kind, case.tear)})" if case.when == TORN and case.tear else ""
        return f"{case.when}{shape} operation {case.operation} of {self.total}, {what}"

    def flash_after(self, case: Case) -> SimFlash:
        """Return the flash as this cut leaves it, with the power on."""
        flash = SimFlash(self.layout, seed=tear_seed(case))
        flash.restore(self.states[case.operation - 1])
        kind, offset, length, _ = self.operations[case.operation - 1]
        flash.cut_at(1, case.when, case.tear)
        try:
            if kind == "erase":
                flash.erase(offset)
            else:
                finished = SimFlash(self.layout)
                finished.restore(self.states[case.operation])
                flash.write(offset, finished.read(offset, length))
        except PowerCut:
            pass
        flash.power_on()
        return flash


def tear_seed(case: Case) -> int:
    """Return the seed for SimFlash with which a rerun with `cut_at` tears the same bits."""
    return case.operation * 1000 + case.tear


_ROOT = str(Path(__file__).resolve().parents[2])
_DEVICE = str(Path(_ROOT) / "device") + os.sep
# The lines that carry out every write say less than their callers.
_CARRIERS = tuple(
    _DEVICE + os.path.join(*parts) for parts in (("records", "store.py"), ("update", "slots.py"))
)


def place_of_caller() -> str:
    """Return file and line of the device code that is running, "" if none is."""
    frame = sys._getframe(1)
    best = ""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_DEVICE):
            best = f"{name[len(_ROOT) + 1 :]}:{frame.f_lineno}".replace(os.sep, "/")
            if name not in _CARRIERS:
                return best
        frame = frame.f_back  # type: ignore[assignment]
    return best


def record(flash: SimFlash, action: Callable[[], object], layout: NvmLayout) -> Recording:
    """Run `action` on `flash` to its end and record its operations."""
    operations: list[Operation] = []
    states: list[Snapshot] = []

    def keep(kind: str, offset: int, length: int) -> None:
        operations.append(Operation(kind, offset, length, place_of_caller()))
        states.append(flash.snapshot())

    flash.on_operation = keep
    try:
        action()
    finally:
        flash.on_operation = None
    states.append(flash.snapshot())
    return Recording(layout, tuple(operations), tuple(states))


def cuts(
    start: Snapshot, layout: NvmLayout, action: Callable[[SimFlash], object], tears: int = 1
) -> Iterator[tuple[Case, SimFlash]]:
    """Yield (case, flash after the cut, powered) for every cut of `action` from `start` on.

    Raises ValueError if the action has no flash operation.
    """
    flash = SimFlash(layout)
    flash.restore(start)
    recording = record(flash, lambda: action(flash), layout)
    if recording.total == 0:
        raise ValueError("nothing to cut")
    for case in recording.cases(tears):
        yield case, recording.flash_after(case)
