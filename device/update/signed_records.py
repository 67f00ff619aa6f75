"""Signed records that a newer one can replace over the network: the support record and the security contact.

Rules:
1. A record counts while the unit trusts the support key that signed it. A later key set may revoke that key.
2. An offered record replaces the current one only if it is newer by the record type's own rule. A refused record
   changes nothing and is reported once, not at every check.
3. Nothing is stored before it is verified.
4. Each record is verified once per key set. A signature costs about 11 million instructions, and the pages and the
   light ask often.
"""

from collections import namedtuple

from device.codec import cose
from device.compat import const
from device.crypto import backend
from device.errors import ContactRecordError, FirstbootError, RecordDamagedError, TrustError
from device.records import contact, support
from device.trust.anchors import ROLE_SUPPORT
from device.trust.signed_record import verify_record
from device.update import trial_state
from device.update.refusals import Refusals

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable

    from device.records.floors import Floors
    from device.records.store import Store
    from device.trust.anchors import Anchors
    from device.update.progress import ProgressRecord

# `content`: the decoded payload; `is_trusted`: whether `anchors` still trust the key that signed it.
Stored = namedtuple("Stored", ("signed", "anchors", "content", "is_trusted"))


class SignedRecord:
    """A record that can be replaced over the network.

    `names`: the stored records that may hold it; a newer one is written to the first name.
    `decode(payload)` returns the content. `is_newer(current or None, offered, anchors)` compares two contents and
    raises an error if the offered one must be refused. `before_store(content)` is called before a newer one is
    written.
    """

    def __init__(
        self,
        store: "Store",
        names: "tuple[str, ...]",
        typ: str,
        decode: "Callable[[bytes], Any]",
        is_newer: "Callable[[Any, Any, Anchors], bool]",
        before_store: "Callable[[Any], None]" = lambda content: None,
    ) -> None:
        self._store = store
        self._names = names
        self._typ = typ
        self._decode = decode
        self._is_newer = is_newer
        self._before_store = before_store
        self._verified: "dict[str, Stored]" = {}
        self._refused = Refusals()
        # Of what sources offered, the content verified last, taken over or refused, and the anchors that verified it.
        self.offered: "tuple[Any, Anchors] | None" = None

    def stored(self, name: str, anchors: "Anchors") -> "Stored | None":
        """Return what the record `name` holds, None if it is absent. Raises StorageError."""
        signed = self._read(name)
        if signed is None:
            return None
        found = self._verified.get(name)
        if found is None or found.signed != signed or found.anchors is not anchors:
            is_trusted = True
            try:
                payload = verify_record(signed, self._typ, ROLE_SUPPORT, anchors, backend)
            except TrustError:  # its key was revoked after the record was verified and stored
                payload = cose.decode(signed).payload
                is_trusted = False
            found = self._verified[name] = Stored(signed, anchors, self._decode(payload), is_trusted)
        return found

    def trusted(self, anchors: "Anchors") -> "Any | None":
        """Return the content that counts now, None if no stored record is trusted. Raises StorageError."""
        for name in self._names:
            found = self.stored(name, anchors)
            if found is not None and found.is_trusted:
                return found.content
        return None

    def refresh(self, offered: "bytes | None", anchors: "Anchors") -> "Any | None":
        """Store a newer record. Returns its content, None if `offered` is not newer or was refused before.

        Raises StorageError, CodecError, TrustError and the errors of the record type's own rule.
        """
        if offered is None or offered in [self._read(name) for name in self._names]:
            return None
        if self._refused.has(offered, anchors):
            return None
        try:
            found = self._decode(verify_record(offered, self._typ, ROLE_SUPPORT, anchors, backend))
            self.offered = (found, anchors)
            if not self._is_newer(self.trusted(anchors), found, anchors):
                return None
        except FirstbootError:
            self._refused.add(offered, anchors)
            raise
        self._before_store(found)
        self._store.write(self._names[0], offered)
        self._refused.forget()
        return found

    def _read(self, name: str) -> "bytes | None":
        """Return the record. A damaged one counts as absent if the factory's record can take its place."""
        try:
            return self._store.read(name)
        except RecordDamagedError:
            if name == self._names[-1]:
                raise
            return None


def support_record(store: "Store", progress: "ProgressRecord") -> SignedRecord:
    """Return the support record: the factory's, until a newer one replaces it (SP-09).

    The end date is stored as a floor before the record itself, so that no later record can shorten the period.
    """

    def is_newer(
        current: "support.SupportRecord | None", found: "support.SupportRecord", anchors: "Anchors"
    ) -> bool:
        floor_day = progress.value.support_end_day
        return support.accept(current, found, anchors.class_id, anchors.support_horizon_s, floor_day)

    def raise_floor(found: "support.SupportRecord") -> None:
        progress.save(trial_state.with_support_end(progress.value, found.end_day))

    return SignedRecord(store, ("support",), support.TYP, support.decode, is_newer, raise_floor)


def contact_record(store: "Store", floors: "Floors") -> SignedRecord:
    """Return the security contact. The factory's stays stored and counts again if the newer one's key is revoked
    (RP-10). If the newer one is lost, no older one takes its place.
    """

    def is_newer(current: "contact.Contact | None", found: "contact.Contact", _anchors: "Anchors") -> bool:
        if found.sequence < floors.contact:
            raise ContactRecordError(reason="sequence", have=floors.contact, offered=found.sequence)
        return contact.accept(current, found)

    return SignedRecord(store, ("contact.newest", "contact"), contact.TYP, contact.decode, is_newer)
