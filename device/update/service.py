"""The unit's exchange with the manufacturer's servers: one check at a time, over the source that the caller gives.

One check, in this order (docs/design.md, Update): connect; key set; freshness record for a nonce of this unit;
confirm a trial; support record and security contact; envelope; install; report. Nothing that a source sends changes
state before it is verified.

The modules that read a manifest and write a report are in memory only while they are used (compat.unload): a transfer
and the pages need their 9 KB of heap.

A refusal becomes `journal.last_error` and, if it is about content and not about the link, an event that the owner can
read. After a link error the next check tries again.
"""

from collections import namedtuple
from hashlib import sha256

from device.compat import const, unload
from device.crypto import backend
from device.errors import (
    ClassMismatchError,
    ConditionError,
    FirstbootError,
    KnownBadError,
    LinkError,
    UpdateError,
    VendorMismatchError,
    WithheldError,
)
from device.records import support
from device.update import rollout, trial_state, withheld
from device.update.installer import Installer

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.interfaces import Source
    from device.owner.settings import Consent
    from device.suit.report import Reference
    from device.trust.verify import VerifiedManifest
    from device.update.journal import Journal
    from device.update.releases import Releases
    from device.update.trusted_state import TrustedState

IDLE = "idle"
CHECKING = "checking"
DOWNLOADING = "downloading"
RESTARTING = "restarting"

# What only a decision or a report imports, from functions; they import each other and modules that stay.
_BRIEF = (
    "device.suit.report",
    "device.trust.verify",
    "device.trust.fixed_form",
    "device.trust.profile",
    "device.suit.manifest",
    "device.suit.commands",
    "device.suit.parameters",
    "device.suit.envelope",
    "device.suit.registry",
    "device.suit",
)

# How a unit identifies itself: device id (bytes, None if no manifest may ask for it) and version text.
Profile = namedtuple("Profile", ("device_id", "version"))
# What the service needs from the agent: pause() is a coroutine function that lets other tasks run; is_proven() returns
# whether the release on trial passed its self-test.
Hooks = namedtuple("Hooks", ("pause", "is_proven"))


class UpdateService:
    """The update state of one unit. `is_restart_wanted` asks the agent for a reset through the boot ROM."""

    def __init__(
        self,
        profile: Profile,
        releases: "Releases",
        trusted: "TrustedState",
        consent: "Consent",
        journal: "Journal",
        hooks: Hooks,
    ) -> None:
        self.profile = profile
        self.releases = releases
        self.trusted = trusted
        self.consent = consent
        self.journal = journal
        self._is_proven = hooks.is_proven
        self.installer = Installer(releases, journal, hooks.pause)
        self._reference: "Reference | None" = None  # to the last envelope
        # Source name -> digest of the last envelope that is not to be installed, why (None: it is running), its number.
        self._settled: "dict[str, tuple[bytes, FirstbootError | None, int]]" = {}
        # The check under way: the number of the authentic release of this class that it was offered, and whether it
        # compared the tracker's numbers.
        self._arrived, self._is_compared = 0, False
        self.state = IDLE
        self.is_restart_wanted = False
        # Trusted time (unix s) of the last check that found nothing newer than the running release, None if the last
        # check that reached its end found something, or went wrong.
        self.up_to_date_s: "int | None" = None
        self.next_check_ms: "int | None" = None  # ticks of trusted.time.clock; the agent decides it

    async def check(self, source: "Source") -> "FirstbootError | None":
        """Do one check over `source`. Returns what went wrong in it, None after success. Raises no FirstbootError."""
        self.state = CHECKING
        pending, trusted = self.releases.pending, self.trusted
        self.journal.begin(source.name)
        self.consent.begin(source.name)
        self._arrived, self._is_compared = 0, False
        try:
            await source.open()
            if await trusted.refresh_keys(source, pending.renew_keys):
                self._settled.clear()  # the new key set may trust keys that the old one did not
                self.consent.withdraw()  # and the other way round
                if pending.is_void or self._is_application_void():
                    self.is_restart_wanted = True
            if await trusted.refresh_time(source):
                # TLS could not check dates before there was a time: connect again and check them.
                await source.close()
                await source.open()
            if self._is_proven():
                left_open = pending.confirm()
                if left_open is not None:
                    self.journal.note(left_open)
            self.releases.image.revoke_keys(trusted.revoked_images(), pending.is_trial)
            try:
                await trusted.refresh_records(source)
                if not pending.is_trial:  # a trial is confirmed or given up before anything newer is fetched
                    await self._update(source)
                    self.consent.end()
            finally:
                self._compare()
            await self._report(source, self.journal.last_error)
            self._note_standing(self.journal.end())
            return None
        except FirstbootError as error:
            self.journal.note(error)
            if not isinstance(error, LinkError):
                self.up_to_date_s = None
            await self._report_refusal(source, error)
            return error
        finally:
            await source.close()
            unload(_BRIEF)
            self.state = RESTARTING if self.is_restart_wanted else IDLE

    def _note_standing(self, is_clean: bool) -> None:
        """Note at the end of a check whether the running release is the newest that the manufacturer published."""
        newest = self.trusted.withheld.named(0)
        is_newest = newest <= self.releases.progress.value.manifest_sequence
        is_waiting = self.is_restart_wanted or self.consent.offered is not None
        is_newest = is_clean and is_newest and not is_waiting and not self.releases.pending.is_trial
        self.up_to_date_s = self.trusted.time.now_s() if is_newest else None

    async def _update(self, source: "Source") -> None:
        envelope = await source.envelope()
        if envelope is None:
            return
        digest = sha256(envelope).digest()
        settled = self._settled.get(source.name)
        if settled is not None and settled[0] == digest:
            self._arrived = settled[2]
            if settled[1] is not None:
                self.journal.show(settled[1])
            return
        try:
            manifest = self._newer_manifest(envelope)
        except FirstbootError as error:
            if _is_lasting(error):
                self._settled[source.name] = (digest, error, self._arrived)
            raise
        if manifest is None:
            self._settled[source.name] = (digest, None, self._arrived)
        elif self.releases.pending.is_waiting(manifest):
            self._retry_or_offer(manifest)
        elif not self._must_wait(manifest) and self.consent.allows(
            manifest
        ):  # verified before it is offered (UP-06)
            self.state = DOWNLOADING
            unload(_BRIEF)
            await self._install(manifest, source)
            self.is_restart_wanted = True

    def _retry_or_offer(self, manifest: "VerifiedManifest") -> None:
        """A stored release is staged again by the agent after a pause, or at once if the owner asks (UP-04, UP-07)."""
        if self.consent.is_asked(manifest):
            self.releases.pending.retry()
            self.is_restart_wanted = True
        else:
            self.consent.offer(manifest)

    def _must_wait(self, manifest: "VerifiedManifest") -> bool:
        """Return whether a release waits for its rollout or for the end of a pause. The owner lifts both."""
        if self.consent.is_asked(manifest):
            return False
        if self.releases.pending.is_held(manifest):
            self.consent.offer(manifest)
            return True
        trusted = self.trusted
        found: bool = rollout.holds(
            trusted.fresh, manifest.sequence_number, self.profile.device_id, trusted.withheld
        )
        if found:
            self._arrived = 0  # the time that it waits counts as behind (update/rollout.py)
        return found

    async def _install(self, manifest: "VerifiedManifest", source: "Source") -> None:
        try:
            await self.installer.install(manifest, source)
        except LinkError:
            if not self.installer.fetched:
                self._arrived = 0  # a source that serves the manifest and no chunk serves no release
            raise

    def _compare(self) -> None:
        """Compare what the tracker names with what this unit has (update/withheld.py)."""
        self._is_compared = True
        found = self.trusted.withheld
        release = max(self._arrived, self.releases.progress.value.manifest_sequence)
        if release < found.named(0):  # only then are more records read
            known = self.releases.pending.known_sequence(found.named(0))
            release = max(release, known, self.consent.waiting_sequence())
        have = (release,) + self.trusted.numbers()
        began = found.compare(have)
        for index in range(len(have)):
            if began >> index & 1:
                what = withheld.KINDS[index]
                self.journal.record(WithheldError(what=what, named=found.named(index), have=have[index]))

    def _is_application_void(self) -> bool:
        """Return whether the running application set has a number above the one that the root keys allow."""
        application = self.releases.application
        running = application.running
        return running is not None and application.is_above(
            running.binding.sequence, self.releases.pending.read()
        )

    def _newer_manifest(self, envelope: bytes) -> "VerifiedManifest | None":
        """Return the manifest to install, None if it is the running one. Raises TrustError, UpdateError."""
        from device.trust.verify import require_newer

        manifest = self._verified(envelope)
        progress = self.releases.progress.value
        if manifest.sequence_number != progress.manifest_sequence:
            require_newer(manifest, progress.manifest_sequence)
        elif not self.releases.application.lacks(manifest):
            return None  # it is running, and so is its application set
        cause = self.releases.pending.verdict(manifest, self.consent.is_asked(manifest))
        if cause:
            if cause in trial_state.LIFTED_BY_OWNER:
                self.consent.offer(manifest)
            raise KnownBadError(sequence=manifest.sequence_number, cause=trial_state.CAUSES[cause])
        return manifest

    def _verified(self, envelope: bytes) -> "VerifiedManifest":
        """Verify an envelope for this unit, and keep the reference to it for the next report."""
        from device.suit import report
        from device.trust.verify import Circumstances, authenticate, examine

        # Every manifest needs the owner's consent before it is installed, so the condition "update authorised" is true.
        circumstances = Circumstances(
            self.trusted.time.now_s(),
            self.profile.device_id,
            lambda _priority: True,
            self.releases.image.is_payload,
        )
        try:
            content = authenticate(envelope, self.trusted.anchors, backend)
            self._arrived = content.sequence_number
            manifest = examine(content, envelope, self.trusted.anchors, circumstances)
        except FirstbootError as error:
            if isinstance(error, (VendorMismatchError, ClassMismatchError)):
                self._arrived = 0
            self._reference = report.reference_of(envelope)
            if isinstance(error, UpdateError):
                report.locate(error, envelope)
            raise
        self._reference = report.reference_of(envelope, content)
        return manifest

    # the report --------------------------------------------------------------------------------------------
    async def _report(self, source: "Source", error: "FirstbootError | None") -> None:
        """Report the running release, the last error (draft-ietf-suit-report) and the support state (SP-08)."""
        from device.suit import report

        await source.report(
            report.encode(
                report.Report(
                    self._reference or report.NO_REFERENCE,
                    report.failure_of(error) if error else None,
                    self.releases.image.digest,
                    self.profile.version,
                    self.releases.progress.value.manifest_sequence,
                    error.code if error else 0,
                    self.is_restart_wanted,
                    self._extensions(),
                )
            )
        )

    def _extensions(self) -> "dict[int, object]":
        from device.suit import report

        found: "dict[int, object]" = {
            report.SUPPORT_STATE: support.STATES.index(self.trusted.support_state()),
            report.IS_STALE: self.trusted.staleness.is_stale,
        }
        if self.trusted.withheld.bits:
            found[report.WITHHELD] = self.trusted.withheld.bits
        if self.installer.delta is not None:
            found[report.DELTA] = self.installer.delta
        running = self.releases.application.running
        if running is not None:
            found[report.APP] = running.binding.digest
        return found

    async def _report_refusal(self, source: "Source", error: "FirstbootError") -> None:
        # A link error is usually the end of the link. A source that withholds may break off the transfer only.
        if isinstance(error, LinkError) and not (self._is_compared and self.trusted.withheld.bits):
            return
        try:
            await self._report(source, error)
        except LinkError:
            pass  # the refusal counts even if the server does not learn of it


def _is_lasting(error: "FirstbootError") -> bool:
    """Return whether the same envelope would be refused again. Time can change a condition, the owner a verdict."""
    return not isinstance(error, (ConditionError, KnownBadError))
