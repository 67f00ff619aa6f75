"""Runs the update service on a unit: what to check when, the trial window, the restarts.

Rules:
1. Sources are asked in turn; then the unit waits the check interval with up to a tenth of jitter (UP-05).
2. A trial image that has not confirmed inside limits.TRIAL_WINDOW_S says so and restarts into the other slot.
3. A release that only missed its server is staged again after a pause that doubles with each attempt.
"""

import asyncio

from device.compat import const
from device.limits import RETRY_PAUSE_S, TRIAL_CHECK_INTERVAL_S, TRIAL_WINDOW_S

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

    async def run(self) -> None:
        """Check for ever."""
        while True:
            for source in self._sources:
                error = await self.service.check(source)
                if error is not None:
                    self._say("update over {}: {}".format(source.name, error.describe()))
                if self.service.is_restart_wanted:
                    await self._restart("a release is staged")
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
        return self._interval_s * (1 + jitter / 10)

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
