"""One life of a unit after a cut: from power-on to the end of the flow, judged, with its recovery recorded.

The recovery is the part of a life in which a second cut is new: from power-on until the unit restarts by itself with
its doors checked, or until the flow is at its end.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.ports.flash import SimFlash, Snapshot
from simulator.powercut import bench as made
from simulator.powercut import checks
from simulator.powercut.checks import Findings
from simulator.powercut.engine import Operation, Recording, place_of_caller
from simulator.powercut.errors import LostError, OpenedError
from simulator.powercut.flows import Flow
from simulator.powercut.machine import Machine
from simulator.powercut.same import AtCut, Judged
from simulator.powercut.world import World


@dataclass(frozen=True)
class Recorded:
    """A run of a flow: its flash states, and the world after it."""

    flow: Flow
    recording: Recording
    after: World
    base: int  # flash.operations when the recording began
    end: Snapshot


@dataclass(frozen=True)
class Life:
    """The findings of a life, and its recovery; None if the unit did not start."""

    found: Findings
    recovery: Recorded | None


class _Judged(BaseException):
    """The unit restarts in a state that was judged before. Device code must not catch it."""


class _Watch:
    """Records the operations of a life, and compares its restarts with those of other lives."""

    def __init__(self, flow: Flow, flash: SimFlash, world: World, judged: Judged) -> None:
        self._flow = flow
        self._flash = flash
        self._world = world
        self._judged = judged
        self._at_cut = AtCut(flash)
        self._operations: list[Operation] = []
        self._states: list[Snapshot] = []
        self._base = flash.operations
        self.keys: list[bytes] = []
        self.doors_are_checked = False
        self._ended_at: int | None = None

    def operation(self, kind: str, offset: int, length: int) -> None:
        if self._ended_at is None:
            self._operations.append(Operation(kind, offset, length, place_of_caller()))
            self._states.append(self._flash.snapshot())

    def restart(self, reason: int) -> None:
        if not self.doors_are_checked:
            return
        self.end_recovery()
        key = self._at_cut.restart_key(self._flash, self._world, reason)
        if key is None:
            return
        if self._judged.may_stop(self._flow.name, key):
            raise _Judged
        self.keys.append(key)

    def end_recovery(self) -> None:
        """End the recovery, if it has not ended before."""
        if self._ended_at is None:
            self._ended_at = len(self._operations)
            self._states.append(self._flash.snapshot())

    def recovery(self) -> Recorded:
        """Return the recovery."""
        self.end_recovery()
        recording = Recording(made.LAYOUT, tuple(self._operations), tuple(self._states))
        return Recorded(self._flow, recording, self._world, self._base, self._states[-1])


def at_rest(flash: SimFlash, world: World) -> Findings:
    """Check the flash of a unit that is off. An error that the boot ROM or a reader raises is a finding."""
    try:
        return checks.check_at_rest(flash, world)
    except Exception as error:
        found = Findings()
        found.add(checks.BRICKED, f"{type(error).__name__}: {error}")
        return found


def go_on(flow: Flow, flash: SimFlash, world: World, found: Findings, judged: Judged) -> Life:
    """Power the unit on, check its doors, run the flow to its end. Adds to `found`."""
    watch = _Watch(flow, flash, world, judged)
    machine = Machine(flash, world)
    machine.on_restart = watch.restart
    flash.on_operation = watch.operation
    try:
        _live(machine, flow, watch, found)
        is_at_end = True
    except _Judged:
        is_at_end = False
    finally:
        flash.on_operation = None
    for text in world.reused:
        found.add(checks.NONCE_REUSE, text)
    for text in world.leaked:
        found.add(checks.OPEN, text)
    if is_at_end and not found.texts:
        judged.add(flow.name, watch.keys)
    return Life(found, watch.recovery())


def _live(machine: Machine, flow: Flow, watch: _Watch, found: Findings) -> None:
    async def script(machine: Machine) -> None:
        await checks.check_doors(machine, found)
        watch.doors_are_checked = True
        await flow.script(machine)

    try:
        machine.live(script)
    except OpenedError as error:
        found.add(checks.OPEN, str(error))
        return
    except LostError as error:
        found.add(checks.LOST, str(error))
        return
    except Exception as error:  # any other error keeps the unit from the flow's goal
        found.add(checks.BRICKED, f"{type(error).__name__}: {error}")
        return
    end = at_rest(machine.flash, machine.world)
    found.counts.update(end.counts)
    found.texts += [f"at the end of the flow: {text}" for text in end.texts]
