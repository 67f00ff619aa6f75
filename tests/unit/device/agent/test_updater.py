"""The update tasks of a unit in virtual time, around a restart."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from device.agent import updater as updater_module
from device.agent.sources import Sources
from device.agent.updater import Updater
from device.limits import CHECK_INTERVAL_S
from device.update import trial_state
from simulator import virtual
from simulator.ports.clock import SimClock


class Reset(Exception):
    """The unit restarts."""


class Pending:
    """A release that only missed its server, or one on trial."""

    def __init__(self, *, is_trial: bool) -> None:
        self.is_trial = is_trial
        self.is_retry_wanted = not is_trial
        self.is_pause_over = self.is_held_back = False
        self.log: list[str] = []

    def trials(self) -> int:
        return 1

    def retry(self) -> None:
        self.log.append("staged again")
        self.is_retry_wanted = False

    def record_outcome(self, outcome: int) -> None:
        self.log.append(f"outcome {outcome}")


def updater(pending: Pending) -> Updater:
    def reset() -> None:
        pending.log.append("reset")
        raise Reset

    ports: Any = SimpleNamespace(
        say=pending.log.append,
        boot=SimpleNamespace(reset=reset),
        clock=SimClock(),
        network=SimpleNamespace(hang_up=lambda: None),
    )
    service: Any = SimpleNamespace(releases=SimpleNamespace(pending=pending))
    return Updater(service, Sources([], 60), ports, asyncio.Event())


def watch(pending: Pending, meanwhile: Any = None) -> None:
    async def run() -> None:
        watching = asyncio.ensure_future(updater(pending).watch_trial())
        if meanwhile is not None:
            while not pending.log:
                await asyncio.sleep(1)
            meanwhile()
        await watching

    with pytest.raises(Reset):
        virtual.run(run())


def test_a_trial_that_reaches_no_server_is_recorded_before_the_restart() -> None:
    pending = Pending(is_trial=True)
    watch(pending)
    assert pending.log == [
        f"outcome {trial_state.NO_SERVER}",
        "restart: no server in the trial window",
        "reset",
    ]


def test_a_release_is_staged_again_right_before_the_restart() -> None:
    """Until then it counts as waiting, so no check fetches it again."""
    pending = Pending(is_trial=False)
    watch(pending)
    assert pending.log == ["restart: a release is tried again", "staged again", "reset"]


def test_a_release_that_a_newer_one_replaced_meanwhile_is_not_staged_again() -> None:
    pending = Pending(is_trial=False)

    def replace() -> None:
        pending.is_retry_wanted = False

    watch(pending, replace)
    assert pending.log == ["restart: a release is tried again", "reset"]


def test_before_a_release_is_staged_again_an_older_one_that_waited_is_asked_for() -> None:
    pending = Pending(is_trial=False)
    pending.is_held_back = True

    async def run() -> None:
        unit = updater(pending)
        watching = asyncio.ensure_future(unit.watch_trial())
        await unit._wake.wait()
        assert pending.is_pause_over and pending.log == []
        await watching

    with pytest.raises(Reset):
        virtual.run(run())
    assert pending.log == ["restart: a release is tried again", "staged again", "reset"]


def test_the_pause_is_over_although_the_newer_release_was_never_complete() -> None:
    pending = Pending(is_trial=False)
    pending.is_retry_wanted = False
    virtual.run(updater(pending).watch_trial())
    assert pending.is_pause_over and pending.log == []


def test_the_end_of_the_wait_is_known_while_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        waiting = updater(Pending(is_trial=False))
        monkeypatch.setattr(waiting, "_pause_s", lambda: 60.0)
        rest = asyncio.ensure_future(waiting._rest())
        await asyncio.sleep(1)
        assert waiting.service.next_check_ms == 60_000
        await rest
        assert waiting.service.next_check_ms is None

    virtual.run(run())


def test_the_wait_for_the_next_check_is_cut_into_pieces_that_the_board_bears(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """MicroPython's asyncio raises OverflowError for 2**29 ms or more; an interval of a month is allowed."""
    longest = 0.0
    wait_for = asyncio.wait_for

    async def bounded(awaitable: Any, timeout: float) -> Any:
        nonlocal longest
        longest = max(longest, timeout)
        return await wait_for(awaitable, timeout)

    monkeypatch.setattr(updater_module.asyncio, "wait_for", bounded)

    async def run(woken_after_s: float | None) -> float:
        waiting = updater(Pending(is_trial=False))
        monkeypatch.setattr(waiting, "_pause_s", lambda: CHECK_INTERVAL_S[1] * 1.1)
        start = asyncio.get_running_loop().time()
        if woken_after_s is not None:
            asyncio.get_running_loop().call_later(woken_after_s, waiting._wake.set)
        await waiting._rest()
        return asyncio.get_running_loop().time() - start

    assert virtual.run(run(None)) == pytest.approx(CHECK_INTERVAL_S[1] * 1.1)
    assert virtual.run(run(100_000)) == pytest.approx(100_000)
    assert longest * 1000 < 1 << 29
