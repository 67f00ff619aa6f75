"""The unit's conversation with its maker's servers: one check at a time, over whichever source is given.

Order of one check (docs/design.md, Update): connect, key set, fresh record for a nonce of our own, confirm a trial,
support record, envelope, install. Nothing that a source says changes state before it is verified.

A refusal becomes `last_error` (a typed error with its number) and, where it is about content and not about the link,
an event that the owner can read. A link that fails is tried again at the next check.
"""

from hashlib import sha256

from device.compat import const
from device.crypto import backend
from device.errors import FirstbootError, KnownBadError, LinkError, StorageError, UpdateError
from device.limits import NONCE_BYTES
from device.records import freshness, support
from device.records.staleness import Staleness
from device.suit import report
from device.trust import keyset
from device.trust.anchors import ROLE_TRACKER
from device.trust.verify import Circumstances, require_newer, verify_envelope, verify_record_key
from device.update import flow as steps
from device.update import patching, trial_state
from device.update.flow import install
from device.update.papers import contact_paper, support_paper

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Awaitable, Callable

    from device.interfaces import Entropy, Source
    from device.owner.settings import Consent
    from device.records.contact import Contact
    from device.records.events import Events
    from device.records.store import Store
    from device.records.timekeeper import TimeKeeper
    from device.trust.anchors import Anchors
    from device.trust.verify import VerifiedManifest
    from device.update.papers import Paper
    from device.update.trial import Trials

IDLE = "idle"
CHECKING = "checking"
DOWNLOADING = "downloading"
RESTARTING = "restarting"


class UpdateService:
    """Update state of one unit. `is_restart_wanted` asks the agent for a reset through the boot ROM."""

    def __init__(  # noqa: PLR0913  the parts of one composition, by name
        self,
        *,
        trials: "Trials",
        store: "Store",
        events: "Events",
        anchors: "Anchors",
        time: "TimeKeeper",
        entropy: "Entropy",
        version: str,
        pause: "Callable[[], Awaitable[None]]",
        consent: "Consent",
        device_id: "bytes | None" = None,
        is_proven: "Callable[[], bool]" = lambda: True,
    ) -> None:
        self.trials = trials
        self._store = store
        self._events = events
        self.anchors = anchors  # as the newest key set has them
        self._keyset: "bytes | None" = None
        self._refused_keyset: "bytes | None" = None
        self._device_id = device_id
        self._reference = report.NO_REFERENCE
        self._time = time
        self._entropy = entropy
        self._version = version
        self._pause = pause
        self._is_proven = is_proven  # the self-test of a trial, beside its reaching a server
        self.consent = consent
        self.staleness = Staleness(store, time.clock)
        self.support_paper = support_paper(store)
        self.contact_paper = contact_paper(store)
        self._settled: "dict[str, bytes]" = {}  # per source, digest of the envelope last found not to be for us
        self._delta: "int | None" = (
            None  # of the install under way: 0 made from a delta, else why not (error number)
        )
        self.state = IDLE
        self.done_chunks = self.total_chunks = 0
        self.last_error: "FirstbootError | None" = None
        self.last_contact: "tuple[str, int] | None" = None
        self.is_restart_wanted = False

    @property
    def events(self) -> "list[list[object]]":
        """The owner's journal: [time or 0, error number, text], newest last."""
        return self._events.entries

    def note(self, error: "FirstbootError") -> None:
        """Show `error` as the last one; keep it as an event unless it is only about the link."""
        self.last_error = error
        if not isinstance(error, LinkError):
            self._events.add(error, self._time.now_s())

    async def check(self, source: "Source") -> "FirstbootError | None":
        """One check over `source`; gives what went wrong in it, None where all was well. Never raises it."""
        self.state = CHECKING
        try:
            await source.open()
            await self._refresh_keys(source)
            if await self._refresh_time(source):
                # TLS dates could not be checked before there was a time: connect again and check them.
                await source.close()
                await source.open()
            if self._is_proven():
                self.trials.confirm()
            self.trials.revoke_image_keys(keyset.revoked_images(self._store.read("keyset")))
            await self._refresh_papers(source)
            if not self.trials.is_trial:  # what is on trial is confirmed or given up before anything newer
                await self._update(source)
            await self._report(source, self.last_error)
            return None
        except FirstbootError as error:
            self.note(error)
            await self._report_quietly(source, error)
            return error
        finally:
            await source.close()
            self.state = RESTARTING if self.is_restart_wanted else IDLE

    async def _refresh_keys(self, source: "Source") -> None:
        """Take a newer key set over, before anything that its keys sign; it needs no clock (UP-11)."""
        offered = await source.keyset()
        if offered is None or offered in (self._keyset, self._refused_keyset):
            return
        try:
            found = keyset.verify(offered, self.anchors, backend)
        except FirstbootError as error:
            self._refused_keyset = offered
            if error.fields.get("have") != error.fields.get("offered", -1):  # not merely what holds already
                self.note(error)
            return
        # The floor first: cut between the two, the set is offered again and lowers the same floor.
        floor_s = max(self.anchors.build_time_floor_s, found.root_time_s)
        self.trials.save_progress(trial_state.with_time_floor(self.trials.progress, floor_s))
        self._store.write("keyset", offered)
        self._keyset = offered
        self.anchors = keyset.apply(self.anchors, found)
        self._time.set_floor(floor_s)
        self._settled.clear()  # what the old keys did not sign, the new ones may have

    async def _refresh_time(self, source: "Source") -> bool:
        """Get a freshness record for a nonce of our own; True when this is the first trusted time."""
        was_unknown = self._time.now_s() is None
        drawn_ms = self._time.clock.ticks_ms()
        asked = freshness.challenge(self._entropy.random_bytes(NONCE_BYTES), self.anchors.class_id, drawn_ms)
        record = await source.freshness(freshness.encode_request(asked))
        payload, key = verify_record_key(record, freshness.TYP, ROLE_TRACKER, self.anchors, backend)
        age_ms = self._time.clock.ticks_diff(self._time.clock.ticks_ms(), drawn_ms)
        fresh = freshness.accept(payload, asked, age_ms, self._time.floor_s)
        keyset.require_interval(self.anchors, key, fresh.time_s)
        if self._time.accept(fresh.time_s):
            self.trials.save_progress(trial_state.with_time_floor(self.trials.progress, fresh.time_s))
        self.staleness.heard()
        self.last_contact = (source.name, fresh.time_s)
        return was_unknown

    def _take(self, paper: "Paper", offered: "bytes | None") -> "Any | None":
        """Take a newer paper over; its content, None where there is none. A refused or unreadable one keeps no
        security update away.
        """
        try:
            return paper.refresh(offered, self.anchors)
        except FirstbootError as error:
            self.note(error)
            return None

    async def _refresh_papers(self, source: "Source") -> None:
        """Support record and security contact change while a unit is in use (SP-03, RP-10)."""
        record = self._take(self.support_paper, await source.support())
        if record is not None:
            self.trials.save_progress(trial_state.with_support(self.trials.progress, record.sequence))
        self._take(self.contact_paper, await source.contact())

    def newest_contact(self) -> "Contact | None":
        """The contact that arrived over the network, None where none did or its key is believed no more."""
        seen = self.contact_paper.stored("contact.newest", self.anchors)
        return seen.content if seen is not None and seen.is_believed else None

    def support_status(self) -> "support.SupportStatus":
        """The support state now, from the stored record and trusted time. Raises StorageError.

        A record whose key is believed no more promises nothing that would bind: *unknown*.
        """
        return support.support_state(self.support_paper.believed(self.anchors), self._time.now_s())

    async def _update(self, source: "Source") -> None:
        envelope = await source.envelope()
        if envelope is None:
            return
        digest = sha256(envelope).digest()
        if digest == self._settled.get(source.name):
            return
        try:
            manifest = self._newer_manifest(envelope)
        except FirstbootError:
            self._settled[source.name] = digest
            raise
        if manifest is None:
            self._settled[source.name] = digest
        elif self.trials.is_waiting(manifest):
            return  # it is stored and missed its server; it is staged again after its pause, so many times (UP-04)
        elif self.consent.allows(manifest):  # verified before it is offered (UP-06)
            await self._install(manifest, source)
        self.last_error = None

    def _newer_manifest(self, envelope: bytes) -> "VerifiedManifest | None":
        """The manifest to install, None where it is the one that runs. Raises TrustError, UpdateError."""
        self._reference = report.reference_of(envelope, False)
        # The owner's consent is asked for every manifest before it is installed, so "authorised" holds here.
        around = Circumstances(self._time.now_s(), self._device_id, lambda _priority: True, self.trials.runs)
        try:
            manifest = verify_envelope(envelope, self.anchors, backend, around)
        except UpdateError as error:
            report.locate(error, envelope)
            raise
        self._reference = report.reference_of(envelope, True)
        progress = self.trials.progress
        if manifest.sequence_number != progress.manifest_sequence:
            require_newer(manifest, progress.manifest_sequence)
        elif not self.trials.lacks_set(manifest):
            return None  # it runs; only an application set of it that does not run is fetched again
        if manifest.sequence_number == progress.failed_sequence:
            raise KnownBadError(sequence=manifest.sequence_number)
        return manifest

    async def _install(self, manifest: "VerifiedManifest", source: "Source") -> None:
        slot = self.trials.begin(manifest)
        self.state = DOWNLOADING
        running = install(manifest, self.trials.boot_state, slot, self.trials.place())
        self._delta = None
        try:
            effect = running.send(None)
            while True:
                try:
                    answer = await self._perform(effect, source)
                except LinkError as error:  # the flow knows what it can do without
                    effect = running.throw(error)
                else:
                    effect = running.send(answer)
        except StopIteration:
            self.is_restart_wanted = True
        finally:
            running.close()

    async def _perform(self, effect: object, source: "Source") -> "bytes | bool | None":
        if isinstance(effect, steps.FetchChunk):
            return await source.chunk(effect.index)
        if isinstance(effect, steps.FetchObject):
            return await source.object(effect.digest, effect.size)
        if isinstance(effect, steps.PlanPayload):
            source.plan(effect.digest, effect.size, effect.chunk_digests, effect.wanted)
        elif isinstance(effect, patching.TryDelta):
            return self.trials.may_try_delta()
        elif isinstance(effect, patching.DeltaDone):
            self._delta_done(effect)
        elif isinstance(effect, (steps.Progress, patching.Applied)):
            self.done_chunks, self.total_chunks = effect.done, effect.total
            await self._pause()
        return None

    def _delta_done(self, outcome: "patching.DeltaDone") -> None:
        """Keep what became of a delta, for the report; a patch that was refused is an event and not tried again."""
        self._delta = 0 if outcome.error is None else outcome.error.code
        if outcome.error is not None and outcome.is_final:
            self.trials.refuse_delta()
            self.note(outcome.error)

    def _extensions(self) -> "dict[int, object]":
        found: "dict[int, object]" = {
            report.SUPPORT_STATE: support.STATES.index(self._support_state()),
            report.IS_STALE: self.staleness.is_stale,
        }
        if self._delta is not None:
            found[report.DELTA] = self._delta
        if self.trials.app is not None:
            found[report.APP] = self.trials.app.binding.digest
        return found

    async def _report(self, source: "Source", error: "FirstbootError | None") -> None:
        """Tell the server what runs, what went wrong last (draft-ietf-suit-report), and the support state (SP-08)."""
        await source.report(
            report.encode(
                report.Report(
                    self._reference,
                    report.failure_of(error) if error else None,
                    self.trials.image_digest,
                    self._version,
                    self.trials.progress.manifest_sequence,
                    error.code if error else 0,
                    self.is_restart_wanted,
                    self._extensions(),
                )
            )
        )

    def _support_state(self) -> str:
        try:
            return str(self.support_status().state)
        except StorageError:  # the server hears of what goes wrong elsewhere all the same
            return support.UNKNOWN

    async def _report_quietly(self, source: "Source", error: "FirstbootError") -> None:
        if isinstance(error, LinkError):
            return
        try:
            await self._report(source, error)
        except LinkError:
            pass  # the refusal stands whether or not the server hears of it
