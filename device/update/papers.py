"""Signed papers of the maker that a newer one replaces over the network: the support record, the security contact.

Rules:
1. A paper counts while the support key that signed it is believed; the key set may take that away later.
2. One that is offered replaces the one that counts only where the paper's own rule says that it is newer; a refusal
   changes nothing and is told once, not at every check.
3. Nothing is stored before it is verified.
4. Each content is verified once for each key set: a signature costs some 11 million instructions, pages and the
   light ask often.
"""

from collections import namedtuple

from device.codec import cose
from device.compat import const
from device.crypto import backend
from device.errors import FirstbootError, RecordDamagedError, TrustError
from device.records import contact, support
from device.trust.anchors import ROLE_SUPPORT
from device.trust.verify import verify_record

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable

    from device.records.store import Store
    from device.trust.anchors import Anchors

# `content`: what the paper's `decode` gave; `is_believed`: whether the key that signed it still is.
Seen = namedtuple("Seen", ("signed", "anchors", "content", "is_believed"))


class Paper:
    """One kind of paper. `names`: the records that may hold it; a newer one is written to the first.

    `decode(payload)` gives its content; `is_news(current or None, offered, anchors)` says whether it is newer, or
    raises where it must not be taken over.
    """

    def __init__(
        self,
        store: "Store",
        names: "tuple[str, ...]",
        typ: str,
        decode: "Callable[[bytes], Any]",
        is_news: "Callable[[Any, Any, Anchors], bool]",
    ) -> None:
        self._store = store
        self._names = names
        self._typ = typ
        self._decode = decode
        self._is_news = is_news
        self._seen: "dict[str, Seen]" = {}
        self._refused: "tuple[bytes, Anchors] | None" = None

    def stored(self, name: str, anchors: "Anchors") -> "Seen | None":
        """What record `name` holds, None where it holds nothing. Raises StorageError."""
        signed = self._read(name)
        if signed is None:
            return None
        seen = self._seen.get(name)
        if seen is None or seen.signed != signed or seen.anchors is not anchors:
            is_believed = True
            try:
                payload = verify_record(signed, self._typ, ROLE_SUPPORT, anchors, backend)
            except TrustError:  # its key was revoked since it was verified and stored
                payload = cose.decode(signed).payload
                is_believed = False
            seen = self._seen[name] = Seen(signed, anchors, self._decode(payload), is_believed)
        return seen

    def believed(self, anchors: "Anchors") -> "Any | None":
        """The content that counts now, None where none does. Raises StorageError."""
        for name in self._names:
            seen = self.stored(name, anchors)
            if seen is not None and seen.is_believed:
                return seen.content
        return None

    def refresh(self, offered: "bytes | None", anchors: "Anchors") -> "Any | None":
        """Take a newer paper over: its content, None where `offered` is no news or was refused before.

        Raises StorageError, CodecError, TrustError and what the paper's own rule raises.
        """
        if offered is None or offered in [self._read(name) for name in self._names]:
            return None
        refused = self._refused
        if refused is not None and refused[0] == offered and refused[1] is anchors:
            return None
        try:
            found = self._decode(verify_record(offered, self._typ, ROLE_SUPPORT, anchors, backend))
            if not self._is_news(self.believed(anchors), found, anchors):
                return None
        except FirstbootError:
            self._refused = (offered, anchors)
            raise
        self._store.write(self._names[0], offered)
        return found

    def _read(self, name: str) -> "bytes | None":
        """The record; one that is damaged is as good as none where the factory's is behind it."""
        try:
            return self._store.read(name)
        except RecordDamagedError:
            if name == self._names[-1]:
                raise
            return None


def support_paper(store: "Store") -> Paper:
    """The support record: the factory's until a newer one takes its place (SP-09)."""

    def is_news(
        current: "support.SupportRecord | None", found: "support.SupportRecord", anchors: "Anchors"
    ) -> bool:
        return support.accept(current, found, anchors.class_id, anchors.support_horizon_s)

    return Paper(store, ("support",), support.TYP, support.decode, is_news)


def contact_paper(store: "Store") -> Paper:
    """The security contact; the factory's stays beside it, shown again when the newer one's key is revoked (RP-10)."""

    def is_news(current: "contact.Contact | None", found: "contact.Contact", _anchors: "Anchors") -> bool:
        return contact.accept(current, found)

    return Paper(store, ("contact.newest", "contact"), contact.TYP, contact.decode, is_news)
