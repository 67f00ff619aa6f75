"""The unit's conversation with its maker's servers: one check at a time, over whichever source is given.

Order of one check (design.md, Update): connect, key set, fresh record for a nonce of our own, confirm a trial, support
record, envelope, install. Nothing that a source says changes state before it is verified.

A refusal becomes `last_error` (a typed error with its number) and, where it is about content and not about the link,
an event that the owner can read. A link that fails is tried again at the next check.
"""

from hashlib import sha256

from device import contact, freshness, support
from device.compat import const
from device.crypto import backend
from device.errors import (
    ContactRecordError,
    FirstbootError,
    KnownBadError,
    LinkError,
    TrustError,
    UpdateError,
)
from device.limits import NONCE_BYTES
from device.staleness import Staleness
from device.suit import report
from device.trust import keyset
from device.trust.anchors import ROLE_SUPPORT, ROLE_TRACKER
from device.trust.verify import (
    Circumstances,
    require_newer,
    verify_envelope,
    verify_record,
    verify_record_key,
)
from device.update import flow as steps
from device.update import tracker
from device.update.flow import install

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Awaitable, Callable

    from device.events import Events
    from device.interfaces import Entropy, Source
    from device.settings import Consent
    from device.store import Store
    from device.timekeeper import TimeKeeper
    from device.trust.anchors import Anchors
    from device.trust.verify import VerifiedManifest
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
        self.consent = consent
        self.staleness = Staleness(store, time.clock)
        self._settled: "dict[str, bytes]" = {}  # per source, digest of the envelope last found not to be for us
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
            self.trials.confirm()
            self.trials.revoke_image_keys(keyset.revoked_images(self._store.read("keyset")))
            await self._refresh_support(source)
            await self._refresh_contact(source)
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
        self.trials.save_progress(tracker.with_time_floor(self.trials.progress, floor_s))
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
            self.trials.save_progress(tracker.with_time_floor(self.trials.progress, fresh.time_s))
        self.staleness.heard()
        self.last_contact = (source.name, fresh.time_s)
        return was_unknown

    async def _refresh_support(self, source: "Source") -> None:
        offered = await source.support()
        stored = self._store.require("support")
        if offered is None or offered == stored:
            return
        try:
            record = self._support_record(offered)
            if not support.accept(
                self._believed_support(stored), record, self.anchors.class_id, self.anchors.support_horizon_s
            ):
                return
        except FirstbootError as error:
            self.note(error)  # a refused support record does not keep a security update away
            return
        self._store.write("support", offered)
        self.trials.save_progress(tracker.with_support(self.trials.progress, record.sequence))

    async def _refresh_contact(self, source: "Source") -> None:
        """Take a newer security contact over: addresses and times change while a unit is in use (RP-10)."""
        offered = await source.contact()
        if offered is None or offered in (self._store.read("contact.newest"), self._store.read("contact")):
            return
        try:
            found = self._contact_record(offered)
            have = self._contact_sequence()
            if found.sequence <= have:
                raise ContactRecordError(reason="sequence", have=have, offered=found.sequence)
        except FirstbootError as error:
            self.note(error)  # as with support: a refused contact keeps no security update away
            return
        self._store.write("contact.newest", offered)

    def _contact_record(self, signed: bytes) -> "contact.Contact":
        return contact.decode(verify_record(signed, contact.TYP, ROLE_SUPPORT, self.anchors, backend))

    def _contact_sequence(self) -> int:
        """The sequence of the newest stored contact whose key is still believed; 0 where none is."""
        for name in ("contact.newest", "contact"):
            signed = self._store.read(name)
            try:
                if signed is not None:
                    sequence: int = self._contact_record(signed).sequence
                    return sequence
            except FirstbootError:
                continue  # its key was revoked: it binds nobody any more
        return 0

    def newest_contact(self) -> "contact.Contact | None":
        """The contact that arrived over the network, None where none did or its key is believed no more."""
        signed = self._store.read("contact.newest")
        try:
            return None if signed is None else self._contact_record(signed)
        except FirstbootError:
            return None

    def support_status(self) -> "support.SupportStatus":
        """The support state now, from the stored record and trusted time. Raises StorageError, TrustError."""
        record = self._believed_support(self._store.require("support"))
        return support.support_state(record, self._time.now_s())

    def _believed_support(self, stored: bytes) -> "support.SupportRecord | None":
        """The stored record, None where its key is believed no more: then it promises nothing that would bind."""
        try:
            return self._support_record(stored)
        except TrustError:
            return None

    def _support_record(self, signed: bytes) -> "support.SupportRecord":
        return support.decode(verify_record(signed, support.TYP, ROLE_SUPPORT, self.anchors, backend))

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
        around = Circumstances(self._time.now_s(), self._device_id, lambda _priority: True)
        try:
            manifest = verify_envelope(envelope, self.anchors, backend, around)
        except UpdateError as error:
            report.locate(error, envelope)
            raise
        self._reference = report.reference_of(envelope, True)
        progress = self.trials.progress
        if manifest.sequence_number == progress.manifest_sequence:
            return None
        require_newer(manifest, progress.manifest_sequence)
        if manifest.sequence_number == progress.failed_sequence:
            raise KnownBadError(sequence=manifest.sequence_number)
        return manifest

    async def _install(self, manifest: "VerifiedManifest", source: "Source") -> None:
        slot = self.trials.begin(manifest)
        self.state = DOWNLOADING
        running = install(manifest, self.trials.boot_state, slot)
        answer = None
        try:
            while True:
                effect = running.send(answer)
                answer = await self._perform(effect, source)
        except StopIteration:
            self.is_restart_wanted = True
        finally:
            running.close()

    async def _perform(self, effect: object, source: "Source") -> "bytes | None":
        if isinstance(effect, steps.FetchChunk):
            return await source.chunk(effect.index)
        if isinstance(effect, steps.FetchObject):
            return await source.object(effect.digest, effect.size)
        if isinstance(effect, steps.PlanPayload):
            source.plan(effect.digest, effect.size, effect.chunk_digests, effect.wanted)
        elif isinstance(effect, steps.Progress):
            self.done_chunks, self.total_chunks = effect.done, effect.total
            await self._pause()
        return None

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
                    {
                        report.SUPPORT_STATE: support.STATES.index(self.support_status().state),
                        report.IS_STALE: self.staleness.is_stale,
                    },
                )
            )
        )

    async def _report_quietly(self, source: "Source", error: "FirstbootError") -> None:
        if isinstance(error, LinkError):
            return
        try:
            await self._report(source, error)
        except LinkError:
            pass  # the refusal stands whether or not the server hears of it
