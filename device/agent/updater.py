"""Runs the update service on a unit: what to check when, the trial window, the restarts.

Rules:
1. Sources are asked in turn; then the unit waits the check interval with up to a tenth of jitter (UP-05). Where no
   source could be reached, or a transfer broke off, it comes back sooner: LINK_RETRY_S doubled with each round, up
   to the check interval, half of it drawn at random, so that a fleet does not come back all at once.
2. A trial image that has not confirmed inside limits.TRIAL_WINDOW_S says so and restarts into the other slot.
3. A release that only missed its server is staged again after a pause that doubles with each attempt.
"""

import asyncio

from device.compat import const
from device.errors import LinkError
from device.limits import LINK_RETRY_S, RETRY_PAUSE_S, STALE_TICK_S, TRIAL_CHECK_INTERVAL_S, TRIAL_WINDOW_S

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable

    from device.interfaces import Boot, Entropy, Source
    from device.update.service import UpdateService

_LAST_WORDS_S = 0.5  # lets a page or a line on the console go out before the restart


class Updater:
    """The update tasks of one initialised unit."""

    def __init__(
        self,
        service: "UpdateService",
        sources: "list[Source]",
        interval_s: int,
        boot: "Boot",
        entropy: "Entropy",
        say: "Callable[[str], None]",
        wake: "asyncio.Event",
    ) -> None:
        self.service = service
        self._sources = sources
        self._interval_s = interval_s
        self._boot = boot
        self._entropy = entropy
        self._say = say
        self._wake = wake
        self._broken_rounds = 0  # in a row, in which every source ended with a LinkError

    async def run(self) -> None:
        """Check for ever."""
        while True:
            is_broken = True
            for source in self._sources:
                error = await self.service.check(source)
                is_broken = is_broken and isinstance(error, LinkError)
                if error is not None:
                    self._say("update over {}: {}".format(source.name, error.describe()))
                if self.service.is_restart_wanted:
                    await self._restart("a release is staged")
            self._broken_rounds = self._broken_rounds + 1 if is_broken else 0
            await self._rest()

    async def _rest(self) -> None:
        """Wait for the next check; the owner's "install now" ends it at once (UP-07)."""
        try:
            await asyncio.wait_for(self._wake.wait(), self._pause_s())
        except asyncio.TimeoutError:
            pass
        self._wake.clear()

    def _pause_s(self) -> float:
        if self.service.trials.is_trial:
            return TRIAL_CHECK_INTERVAL_S
        jitter = int.from_bytes(self._entropy.random_bytes(2), "big") / 65536
        if self._broken_rounds:
            # The exponent is bounded first: the interval is a month at most.
            wait_s = min(LINK_RETRY_S << min(self._broken_rounds - 1, 20), self._interval_s)
            return wait_s * (1 + jitter) / 2
        return self._interval_s * (1 + jitter / 10)

    async def watch_silence(self) -> None:
        """Count powered-on time without word of the maker (staleness.py), for ever."""
        while True:
            await asyncio.sleep(STALE_TICK_S)
            was_stale = self.service.staleness.is_stale
            self.service.staleness.tick()
            if self.service.staleness.is_stale and not was_stale:
                self._say("stale: no word of the maker for 72 hours of running")

    async def watch_trial(self) -> None:
        """End a trial that reaches no server in time; stage a release again that only missed its server."""
        trials = self.service.trials
        if trials.is_trial:
            await asyncio.sleep(TRIAL_WINDOW_S)
            if trials.is_trial:
                trials.window_over()
                await self._restart("no server in the trial window")
        elif trials.is_retry_wanted:
            pending = trials.pending()
            await asyncio.sleep(RETRY_PAUSE_S << (pending.attempts if pending else 0))
            if trials.is_retry_wanted:
                trials.retry()
                await self._restart("a release is tried again")

    async def _restart(self, why: str) -> None:
        self._say("restart: " + why)
        await asyncio.sleep(_LAST_WORDS_S)
        self._boot.reset()
