"""Security contexts of aiocoap, one for each unit of the store, built at its first request."""

from __future__ import annotations

import secrets
from typing import Any, Protocol

from aiocoap import oscore

from provisioning.servers.coap_events import COAP, reason_of
from provisioning.servers.errors import ServerError
from provisioning.servers.observer import REFUSED, Observer, ignore
from provisioning.servers.oscore_store import (
    RESERVE_STEP,
    SERVER_ID,
    OscoreStore,
    OscoreStoreError,
    OscoreUnit,
)

REPLAY_WINDOW = 32  # RFC 8613 section 7.4: the default
ECHO_BYTES = 8  # RFC 9175 2.2.1


class OscoreNumbers(Protocol):
    """The server's sender numbers and the units' replay windows. Methods raise ServerError, OSError."""

    def reserve(self, unit: OscoreUnit) -> range:
        """Return sender numbers that only this caller may use; durable on return. A later range is higher."""

    def window(self, unit: OscoreUnit) -> Any:
        """Return a replay window, as aiocoap's oscore.ReplayWindow, that is not initialised."""


class StoredNumbers:
    """The numbers of a server that is alone: those of the credential store, and windows in memory.

    After a loss no number comes twice: a later range is higher even if the store's file is gone and the clock was
    set back, and without a file and a clock nothing is reserved.
    """

    def __init__(self, store: OscoreStore) -> None:
        self._store = store
        self._reserved: dict[
            tuple[bytes, bytes], int
        ] = {}  # sender id and secret -> the end of its last range

    def reserve(self, unit: OscoreUnit) -> range:
        """As OscoreNumbers. Raises OscoreStoreError, OSError."""
        key = (unit.sender_id, unit.secret)
        first = max(self._store.first_sequence(unit.sender_id), self._reserved.get(key, 0))
        if not first:
            raise OscoreStoreError(
                f"no number of {unit.sender_id.hex()} is stored and the clock is before 2025: set the clock"
            )
        self._store.reserve(unit.sender_id, first + RESERVE_STEP)
        self._reserved[key] = first + RESERVE_STEP
        return range(first, first + RESERVE_STEP)

    def window(self, _: OscoreUnit) -> oscore.ReplayWindow:
        """As OscoreNumbers."""
        return oscore.ReplayWindow(REPLAY_WINDOW, lambda: None)


class UnitContext(oscore.CanProtect, oscore.CanUnprotect, oscore.SecurityContextUtils):  # type: ignore[misc]
    """The context of one unit. Its replay window is unknown at first, so the first request is challenged with Echo."""

    def __init__(self, unit: OscoreUnit, numbers: OscoreNumbers, observe: Observer = ignore) -> None:
        self.unit = unit
        self._observe = observe
        self._numbers = numbers
        self.alg_aead = oscore.algorithms["AES-CCM-16-64-128"]
        self.hashfun = oscore.hashfunctions["sha256"]
        self.id_context = None
        self.sender_id = SERVER_ID
        self.recipient_id = unit.sender_id
        self.derive_keys(unit.salt, unit.secret)
        self.recipient_replay_window = numbers.window(unit)
        self.echo_recovery = secrets.token_bytes(ECHO_BYTES)
        self._reserved = range(0)
        self.sender_sequence_number = 0

    def unprotect(self, protected_message: Any, request_id: Any = None) -> Any:
        """Decrypt as aiocoap does, but for any message raise only oscore.ProtectionInvalid and its subclasses."""
        is_known = self.recipient_replay_window.is_initialized()
        try:
            return super().unprotect(protected_message, request_id)
        except ServerError:  # on our side: answered with 5.03
            raise
        except oscore.ReplayErrorWithEcho:  # the challenge of the first request (RFC 8613 appendix B.1.2)
            raise
        except oscore.ProtectionInvalid as refusal:
            self._refused(refusal)
            raise
        except Exception as failure:  # aiocoap and cbor2 do not document which errors their decoders raise
            damaged = oscore.DecodeError(f"{type(failure).__name__} while decoding")
            self._refused(damaged)
            raise damaged from None
        finally:
            if not is_known and self.recipient_replay_window.is_initialized():
                self.echo_recovery = secrets.token_bytes(ECHO_BYTES)  # an answered one is never used again

    def _refused(self, refusal: Exception) -> None:
        device = self.unit.device_id.hex()
        self._observe(REFUSED, source=COAP, kind="message", reason=reason_of(refusal), device=device)

    def new_sequence_number(self) -> int:
        """Return the next number, which was reserved durably. Raises ServerError, OSError, ContextUnavailable."""
        if self.sender_sequence_number not in self._reserved:
            self._reserved = self._numbers.reserve(self.unit)
            self.sender_sequence_number = self._reserved.start
        return int(super().new_sequence_number())

    def post_seqnoincrease(self) -> None:
        """Do nothing: new_sequence_number reserved before."""


class UnitContexts:
    """The contexts by which aiocoap finds the unit of a request. A unit added to the store is found at once."""

    def __init__(
        self, store: OscoreStore, observe: Observer = ignore, numbers: OscoreNumbers | None = None
    ) -> None:
        """`numbers`: None for a server that is alone."""
        self._store = store
        self._numbers = StoredNumbers(store) if numbers is None else numbers
        self._observe = observe
        self._contexts: dict[bytes, UnitContext] = {}

    def find_oscore(self, unprotected: dict[Any, Any]) -> UnitContext:
        """Return the context named by the request's header, or KeyError, as aiocoap expects."""
        kid = unprotected.get(oscore.COSE_KID)
        if not isinstance(kid, bytes) or oscore.COSE_KID_CONTEXT in unprotected:
            raise KeyError
        try:
            unit = self._store.find(kid)
        except OscoreStoreError:
            unit = None
        if unit is None:
            raise KeyError
        context = self._contexts.get(kid)
        if context is None or context.unit != unit:  # new, or given a new secret
            context = self._contexts[kid] = UnitContext(unit, self._numbers, self._observe)
        return context
