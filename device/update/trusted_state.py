"""The keys, the time, the support record and the security contact that this unit trusts now.

Rules:
1. Only a verified newer value replaces a value. A refusal changes nothing.
2. Keys come first: a key set needs no clock, and everything else is signed with its keys (UP-11).
3. A refused or unreadable record becomes an event. It never stops a security update.
"""

from device.compat import const
from device.crypto import backend
from device.errors import CounterLostError, FirstbootError
from device.limits import NONCE_BYTES
from device.records import freshness, support
from device.records.floors import Floors
from device.records.staleness import Staleness
from device.trust import keyset
from device.trust.anchors import ROLE_TRACKER
from device.trust.signed_record import verify_record_key
from device.update import trial_state
from device.update.refusals import Refusals
from device.update.signed_records import contact_record, support_record
from device.update.withheld import ABOVE_ALL, Withheld

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable

    from device.interfaces import Entropy, Source
    from device.records.contact import Contact
    from device.records.freshness import Freshness
    from device.records.store import Store
    from device.records.timekeeper import TimeKeeper
    from device.trust.anchors import Anchors
    from device.update.journal import Journal
    from device.update.progress import ProgressRecord
    from device.update.signed_records import SignedRecord, Stored


class TrustedState:
    """The trust of one unit. `anchors`: the keys of the newest key set. Every method may raise StorageError."""

    def __init__(
        self,
        store: "Store",
        anchors: "Anchors",
        time: "TimeKeeper",
        entropy: "Entropy",
        progress: "ProgressRecord",
        journal: "Journal",
    ) -> None:
        self._store = store
        self.anchors = anchors
        self.time = time
        self._entropy = entropy
        self._progress = progress
        self._journal = journal
        # Key sets that replace nothing under the present keys: refused ones and the one in force.
        self._seen_keysets = Refusals()
        self.staleness = Staleness(store, time.clock)
        self.withheld = Withheld(store, time.clock)
        self.support = support_record(store, progress)
        self._floors = Floors(store)
        self.contact = contact_record(store, self._floors)
        self.last_contact: "tuple[str, int] | None" = None  # name of the source, unix s
        self.fresh: "Freshness | None" = None  # the last accepted freshness record

    def start(self) -> "list[FirstbootError]":
        """Bring the floors up to the stored records. Returns an error for each record that is lost.

        Call it once at every start.
        """
        floors = self._floors
        errors: "list[FirstbootError]" = [] if floors.fault is None else [floors.fault]
        if self.anchors.rules.sequence < floors.keyset:
            errors.append(CounterLostError(name="keyset"))
        if not self._store.has("support"):
            errors.append(CounterLostError(name="support"))
        newest = self._stored_contact()
        if newest is None or newest.is_trusted:
            if (0 if newest is None else newest.content.sequence) < floors.contact:
                errors.append(CounterLostError(name="contact.newest"))
        self._save_floors()
        return errors

    def _stored_contact(self) -> "Stored | None":
        """Return the contact that came over the network, even if its key is no longer trusted."""
        return self.contact.stored("contact.newest", self.anchors)

    def _save_floors(self) -> None:
        """Raise the floors to the stored records (floors.py, rules 1 and 3)."""
        newest, contact = self._stored_contact(), self._floors.contact
        if newest is not None:
            contact = max(contact, newest.content.sequence) if newest.is_trusted else 0
        self._floors.save(max(self._floors.keyset, self.anchors.rules.sequence), contact)

    # keys --------------------------------------------------------------------------------------------------
    async def refresh_keys(self, source: "Source", renew_keys: "Callable[[int | None], None]") -> bool:
        """Fetch the key set of `source` and use it if it is newer. Returns whether the keys changed.

        `renew_keys(ceiling)` forgets what the roots do not vouch for (PendingRelease.renew_keys).
        """
        offered = await source.keyset()
        if offered is None:
            return False
        if self._seen_keysets.has(offered, self.anchors):
            return False  # a refused one is checked again after its predecessor arrived
        try:
            found = keyset.verify(offered, self.anchors, backend)
        except FirstbootError as error:
            self._seen_keysets.add(offered, self.anchors)
            # The set in force has the current number: after a restart it is refused without an event.
            if error.fields.get("have") != error.fields.get("offered", -1):
                self._journal.note(error)
            return False
        # Store the floors first, in one record: after a power cut between the two writes the set is offered again and
        # sets the same floors. The end date that the old keys signed stays a floor, unless the root keys lower it.
        floor_s = max(self.anchors.build_time_floor_s, found.root_time_s)
        progress = trial_state.with_time_floor(self._progress.value, floor_s)
        progress = trial_state.with_support_end(progress, self._trusted_end_day())
        self._progress.save(trial_state.with_ceilings(progress, found.ceilings))
        renew_keys(found.ceilings.manifest_sequence)
        self._store.write("keyset", offered)
        self.anchors = keyset.apply(self.anchors, found)
        self._seen_keysets.add(offered, self.anchors)
        self.time.set_floor(floor_s)
        self.withheld.forget()
        self.fresh = None
        self._save_floors()
        return True

    def _trusted_end_day(self) -> int:
        """Return the end day of the stored support record, 0 without one. A damaged record must not block a key set."""
        try:
            record = self.support.trusted(self.anchors)
        except FirstbootError as error:
            self._journal.note(error)
            return 0
        return 0 if record is None else record.end_day

    def revoked_images(self) -> "tuple[int, ...]":
        """Return the numbers of the image keys that the stored key set revokes."""
        found: "tuple[int, ...]" = keyset.revoked_images(self._store.read("keyset"))
        return found

    # time --------------------------------------------------------------------------------------------------
    async def refresh_time(self, source: "Source") -> bool:
        """Get a freshness record for a nonce of this unit. Returns whether this is the first trusted time.

        Raises LinkError, CodecError, TrustError, FreshnessError.
        """
        time = self.time
        was_unknown = time.now_s() is None
        asked_ms = time.clock.ticks_ms()
        asked = freshness.challenge(self._entropy.random_bytes(NONCE_BYTES), self.anchors.class_id, asked_ms)
        record = await source.freshness(freshness.encode_request(asked))
        payload, key = verify_record_key(record, freshness.TYP, ROLE_TRACKER, self.anchors, backend)
        age_ms = time.clock.ticks_diff(time.clock.ticks_ms(), asked_ms)
        fresh = freshness.accept(payload, asked, age_ms, time.floor_s)
        keyset.require_interval(self.anchors, key, fresh.time_s)
        if time.accept(fresh.time_s):
            self._save_floor(fresh.time_s)
        self.staleness.heard()
        self.withheld.hear(fresh)
        self.fresh = fresh
        self.last_contact = (source.name, fresh.time_s)
        return was_unknown

    def _save_floor(self, floor_s: int) -> None:
        self._progress.save(trial_state.with_time_floor(self._progress.value, floor_s))

    # records -----------------------------------------------------------------------------------------------
    async def refresh_records(self, source: "Source") -> None:
        """Fetch support record and security contact, and store each that is newer (SP-03, RP-10)."""
        self._take_over(self.support, await source.support())
        if self._take_over(self.contact, await source.contact()) is not None:
            self._save_floors()

    def _take_over(self, record: "SignedRecord", offered: "bytes | None") -> "Any | None":
        """Return the content of a newer record, or None (rule 3)."""
        try:
            return record.refresh(offered, self.anchors)
        except FirstbootError as error:
            self._journal.note(error)
            return None

    def numbers(self) -> "tuple[int, int]":
        """Return two numbers: of the newest support record that a source sent, refused or not, and of the key set.

        A damaged support record is a fault of its own (its state is *unknown*) and is not compared.
        """
        try:
            record = self.support.trusted(self.anchors)
            number = 0 if record is None else record.sequence
        except FirstbootError:
            number = ABOVE_ALL
        if self.support.offered is not None:
            offered, anchors = self.support.offered
            if anchors is self.anchors and offered.class_id == anchors.class_id:
                number = max(number, offered.sequence)
        return number, self.anchors.rules.sequence

    def newest_contact(self) -> "Contact | None":
        """Return the contact that came over the network, None without one or if its key is no longer trusted."""
        found = self._stored_contact()
        return found.content if found is not None and found.is_trusted else None

    def support_status(self) -> "support.SupportStatus":
        """Return the support state at the trusted time. It is *unknown* if the record's key is no longer trusted."""
        return support.support_state(self.support.trusted(self.anchors), self.time.now_s())

    def support_state(self) -> str:
        """Return one of support.STATES; *unknown* if the record cannot be read. Raises nothing."""
        try:
            return str(self.support_status().state)
        except FirstbootError:
            return support.UNKNOWN
