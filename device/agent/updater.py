"""Run the update service of a unit: when to check, how long a trial may last, when to restart.

Rules:
1. Sources are asked in turn. Then the unit waits the check interval with up to a tenth of jitter (UP-05). If no source
   could be reached, or a transfer broke off, it waits less: LINK_RETRY_S, doubled with each round, up to the check
   interval. Half of that wait is random, so that the units of a fleet do not all return at the same moment.
2. If a trial did not confirm within limits.TRIAL_WINDOW_S, the unit records that and restarts into the other slot.
3. A trial that ended for another reason than the release (no server, a power cut) proves nothing about it. The release
   is staged again after a pause that doubles with each attempt, up to limits.RETRY_PAUSE_CAP_S. A newer release does
   not wait for the end of the pause, but inherits its length. An older one waits, and is asked for before the release
   is staged again: perhaps the manufacturer went back to it.
"""

import asyncio

from device.agent.restart import announce, restart
from device.compat import const, forget
from device.errors import CounterLostError, DefectError, FirstbootError, LinkError, MemoryShortError
from device.limits import (
    LINK_RETRY_S,
    REST_SLICE_S,
    RETRY_PAUSE_CAP_S,
    RETRY_PAUSE_S,
    STALE_TICK_S,
    TRIAL_CHECK_INTERVAL_S,
    TRIAL_WINDOW_S,
)
from device.update.trial_state import NO_SERVER

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.agent.agent import Ports
    from device.agent.home import HomeHost
    from device.agent.sources import Sources
    from device.interfaces import Source
    from device.update.service import UpdateService


class Updater:
    """The update tasks of one initialised unit."""

    def __init__(
        self,
        service: "UpdateService",
        sources: "Sources",
        ports: "Ports",
        wake: "asyncio.Event",
        home: "HomeHost | None" = None,
    ) -> None:
        """`home`: the link that is closed while this unit checks; None for a unit without one."""
        self.service = service
        self._sources = sources
        self._ports = ports
        self._wake = wake
        self._home = home
        self._broken_rounds = 0  # rounds in a row in which every source ended with a LinkError

    async def run(self) -> None:
        """Check forever."""
        while True:
            if self._home is not None:
                await self._home.step_aside()
            is_broken = await self._round()
            forget()  # the sources of this round; their modules are unloaded
            self._broken_rounds = self._broken_rounds + 1 if is_broken else 0
            if self._home is not None and not self.service.releases.pending.is_trial:
                self._home.come_back()
            await self._rest()

    async def _round(self) -> bool:
        """Ask every source once. Return whether each of them ended with a LinkError."""
        is_broken = True
        for source in self._sources:
            error = await self._check(source)
            is_broken = is_broken and isinstance(error, (LinkError, CounterLostError))
            if error is not None:
                self._ports.say("update over {}: {}".format(source.name, error.describe()))
            if self.service.is_restart_wanted:
                await restart(self._ports, "a release is staged")
        return is_broken

    async def _check(self, source: "Source") -> "FirstbootError | None":
        """Do one check. A check that ends for lack of memory, or by a defect, is a refusal of that source and not the
        end of this task: the repair may come from the next source. On trial a defect is the release's own failure.
        """
        try:
            return await self.service.check(source)
        except MemoryError:
            error: "FirstbootError" = MemoryShortError(what="update check")
        except Exception as defect:
            if self.service.releases.pending.is_trial:
                raise
            error = DefectError(kind=type(defect).__name__)
        await source.close()
        forget()
        self.service.journal.note(error)
        return error

    async def _rest(self) -> None:
        """Wait for the next check; the owner's "Install now" and "Check now" end it at once (UP-07).

        The check interval may be a month. MicroPython's asyncio raises OverflowError for more than six days at once.
        """
        left_s = self._pause_s()
        clock = self._ports.clock
        self.service.next_check_ms = clock.ticks_ms() + int(left_s * 1000)
        while left_s > 0:
            try:
                await asyncio.wait_for(self._wake.wait(), min(left_s, REST_SLICE_S))
                break
            except asyncio.TimeoutError:
                left_s -= REST_SLICE_S
        self._wake.clear()
        self.service.next_check_ms = None

    def _pause_s(self) -> float:
        if self.service.releases.pending.is_trial:
            return TRIAL_CHECK_INTERVAL_S
        jitter = int.from_bytes(self._ports.entropy.random_bytes(2), "big") / 65536
        if self._broken_rounds:
            # Bound the exponent first: the interval is at most a month.
            wait_s = min(LINK_RETRY_S << min(self._broken_rounds - 1, 20), self._sources.interval_s)
            return wait_s * (1 + jitter) / 2
        return self._sources.interval_s * (1 + jitter / 10)

    async def watch_silence(self) -> None:
        """Forever count powered-on time without contact with the manufacturer (staleness.py)."""
        staleness = self.service.trusted.staleness
        while True:
            await asyncio.sleep(STALE_TICK_S)
            was_stale = staleness.is_stale
            try:
                staleness.tick()
                self.service.trusted.withheld.tick()
            except FirstbootError as error:  # a count that cannot be stored ends no other work
                self._ports.say("silence: " + error.describe())
            if staleness.is_stale and not was_stale:
                self._ports.say("stale: no contact with the manufacturer for 72 hours of running time")

    async def watch_trial(self) -> None:
        """End a trial that reaches no server in time; repeat a trial that proved nothing (rules 2 and 3)."""
        release = self.service.releases.pending
        if release.is_trial:
            await asyncio.sleep(TRIAL_WINDOW_S)
            if release.is_trial:
                release.record_outcome(NO_SERVER)
                await restart(self._ports, "no server in the trial window")
            return
        trials = min(release.trials(), 20)
        if trials:
            await asyncio.sleep(min(RETRY_PAUSE_S << trials, RETRY_PAUSE_CAP_S))
            release.is_pause_over = True
            if release.is_held_back:
                self._wake.set()
                await asyncio.sleep(RETRY_PAUSE_S)
            if release.is_retry_wanted:
                await announce(self._ports, "a release is tried again")
                if release.is_retry_wanted:  # no newer release was begun meanwhile
                    release.retry()
                self._ports.boot.reset()
