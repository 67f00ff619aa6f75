"""Run the install flow (device/update/flow.py) of one verified manifest over one source."""

from device.compat import const
from device.errors import LinkError
from device.update import flow, patching

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Awaitable, Callable

    from device.interfaces import Source
    from device.trust.verify import VerifiedManifest
    from device.update.journal import Journal
    from device.update.releases import Releases


class Installer:
    """The runner of the flow: it carries out the flow's effects. `pause()` lets other tasks run between two steps.

    `done` and `total` count the steps of the payload under way, `fetched` the chunks that the source of this install
    served. `delta` is the result of the last delta: None
    without one, 0 if the firmware was made from it, else the error number.
    """

    def __init__(
        self, releases: "Releases", journal: "Journal", pause: "Callable[[], Awaitable[None]]"
    ) -> None:
        self._releases = releases
        self._journal = journal
        self._pause = pause
        self.done = self.total = self.fetched = 0
        self.delta: "int | None" = None

    async def install(self, manifest: "VerifiedManifest", source: "Source") -> None:
        """Fetch and stage a release. Raises what flow.install raises."""
        releases = self._releases
        slot = releases.pending.begin(manifest)
        running = flow.install(manifest, releases.image.boot_state, slot, releases.application.next_slot())
        self.delta = None
        self.fetched = 0
        try:
            effect = running.send(None)
            while True:
                try:
                    answer = await self._answer(effect, source)
                except LinkError as error:  # the flow decides whether it can go on without the answer
                    effect = running.throw(error)
                else:
                    effect = running.send(answer)
        except StopIteration:
            pass
        finally:
            running.close()

    async def _answer(
        self, effect: object, source: "Source"
    ) -> "bytes | bytearray | memoryview | bool | None":
        if isinstance(effect, flow.FetchChunk):
            data = await source.chunk(effect.index)
            self.fetched += 1
            return data
        if isinstance(effect, flow.FetchObject):
            return await source.object(effect.digest, effect.size)
        if isinstance(effect, flow.PlanPayload):
            source.plan(effect.digest, effect.size, effect.chunk_digests, effect.wanted)
        elif isinstance(effect, patching.TryDelta):
            return bool(self._releases.pending.may_try_delta())
        elif isinstance(effect, patching.DeltaDone):
            self._delta_done(effect)
        elif isinstance(effect, flow.Refused):
            self._releases.pending.refuse()
        elif isinstance(effect, (flow.Progress, patching.Applied)):
            self.done, self.total = effect.done, effect.total
            await self._pause()
        return None

    def _delta_done(self, outcome: "patching.DeltaDone") -> None:
        """Keep the outcome of a delta for the report. A refused patch becomes an event and is not tried again."""
        self.delta = 0 if outcome.error is None else outcome.error.code
        if outcome.error is not None and outcome.is_final:
            self._releases.pending.refuse_delta()
            self._journal.note(outcome.error)
