"""The newest sequence numbers of a product class, and its rollout, read from its release store.

Rules:
1. The store is the only source: `firstboot release publish --store` replaces each file atomically, so a restart or a
   kill changes nothing, and no second copy can differ. A maker with a broker publishes to both.
2. The numbers are read again when a file changes. They can go down: after a theft of a key, root keys can lower them.
3. The key set is named only if the maker allows it, because firmware of version 0.1 refuses such an answer.
4. A file that was never seen counts as 0. No command removes one, so a file that vanished (a volume that is no longer
   mounted, a folder that was moved) is a problem and keeps the number that was read last, as one that cannot be read.
5. A rollout that cannot be read keeps the one that was read last; after a start that is a share of 0 of the newest
   release, so that a damaged file never lets the whole fleet begin. One that vanished with the manifest did not end.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from device import limits
from device.codec import cose
from device.errors import FirstbootError
from device.limits import ROLLOUT_KEY_BYTES
from device.records import support
from device.records.freshness import Rollout as Record
from device.suit import envelope, manifest
from device.trust import keyset
from provisioning.release.store import ReleaseStore
from provisioning.servers import published_rollout
from provisioning.servers.errors import ServerError
from provisioning.servers.rollout import RolloutError
from provisioning.servers.tracker import Newest

_log = logging.getLogger(__name__)


def manifest_number(data: bytes) -> int:
    """Return the sequence number of an envelope's manifest. Raises FirstbootError."""
    return int(manifest.decode(envelope.decode(data).manifest).sequence_number)


def support_number(data: bytes) -> int:
    """Return the sequence number of a signed support record. Raises FirstbootError."""
    signed = cose.decode(data, limits.RECORD_BYTES, limits.KEYSET_SIGNATURES)
    return int(support.decode(signed.payload or b"").sequence)


def keyset_number(data: bytes) -> int:
    """Return the sequence number of a signed key set. Raises FirstbootError."""
    signed = cose.decode(data, limits.KEYSET_BYTES, limits.KEYSET_SIGNATURES)
    return int(keyset.decode(signed.payload or b"").rules.sequence)


_READERS: Final[dict[str, Callable[[bytes], int]]] = {
    "manifest": manifest_number,
    "support": support_number,
    "keyset": keyset_number,
}


class PublishedNumbers(Newest):
    """The `Newest` numbers of the class in `store`."""

    def __init__(self, store: ReleaseStore, *, is_keyset_named: bool = False) -> None:
        super().__init__()
        self._is_keyset_named = is_keyset_named
        self._store = store
        self._etags: dict[str, bytes] = {}
        self._vanished: set[str] = set()  # names that were read, and are not there now
        self.problem: str | None = None  # why the store cannot be read now

    def current(self) -> tuple[int, int, int]:
        """Return the numbers of manifest, support record and key set; the last is 0 if it may not be named (rule 3)."""
        self.problem = None
        self._vanished.clear()
        self.manifest = self._read("manifest", self.manifest)
        self.support = self._read("support", self.support)
        if self._is_keyset_named:
            self.keyset = self._read("keyset", self.keyset)
        self._read_rollout()
        return self.manifest, self.support, self.keyset

    def _read_rollout(self) -> None:
        try:
            data = self._store.rollout()
            if data is not None:
                self.rollout = published_rollout.decode(data)
            elif "manifest" not in self._vanished:
                self.rollout = None
        except (OSError, ServerError, RolloutError) as error:
            self.problem = (
                f"the published rollout: {error.strerror}" if isinstance(error, OSError) else str(error)
            )
            _log.error("%s", self.problem)
            if self.rollout is None and self.manifest:
                self.rollout = Record(self.manifest, bytes(ROLLOUT_KEY_BYTES), 0)  # rule 5

    def _read(self, name: str, known: int) -> int:
        try:
            etag = self._store.etag(name)
            if etag is None:
                return self._missing(name, known)
            if self._etags.get(name) == etag:
                return known
            number = _READERS[name](self._store.read(name))
        except (OSError, ServerError, FirstbootError) as error:
            self.problem = f"the published {name} cannot be read: {type(error).__name__}"
            _log.error("%s", self.problem)
            return known
        self._etags[name] = etag
        return number

    def _missing(self, name: str, known: int) -> int:
        if name not in self._etags:
            return 0
        self._vanished.add(name)
        self.problem = f"the published {name} has vanished: {self._store.place}"
        _log.error("%s; %d is still named", self.problem, known)
        return known
