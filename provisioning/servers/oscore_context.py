"""Security contexts of aiocoap, one for each unit of the store, built at its first request."""

from __future__ import annotations

import secrets
from typing import Any

from aiocoap import oscore

from provisioning.servers.coap_events import COAP, reason_of
from provisioning.servers.observer import REFUSED, Observer, ignore
from provisioning.servers.oscore_store import (
    RESERVE_STEP,
    SERVER_ID,
    OscoreStore,
    OscoreStoreError,
    OscoreUnit,
)

REPLAY_WINDOW = 32  # RFC 8613 section 7.4: the default


class UnitContext(oscore.CanProtect, oscore.CanUnprotect, oscore.SecurityContextUtils):  # type: ignore[misc]
    """The context of one unit. Its replay window is unknown at first, so the first request is challenged with Echo."""

    def __init__(self, unit: OscoreUnit, store: OscoreStore, observe: Observer = ignore) -> None:
        self.unit = unit
        self._observe = observe
        self._store = store
        self.alg_aead = oscore.algorithms["AES-CCM-16-64-128"]
        self.hashfun = oscore.hashfunctions["sha256"]
        self.id_context = None
        self.sender_id = SERVER_ID
        self.recipient_id = unit.sender_id
        self.derive_keys(unit.salt, unit.secret)
        self.recipient_replay_window = oscore.ReplayWindow(REPLAY_WINDOW, lambda: None)
        self.echo_recovery = secrets.token_bytes(8)
        self.sender_sequence_number = self._reserved = store.first_sequence(unit.sender_id)

    def unprotect(self, protected_message: Any, request_id: Any = None) -> Any:
        """Decrypt as aiocoap does, but for any message raise only oscore.ProtectionInvalid and its subclasses."""
        try:
            return super().unprotect(protected_message, request_id)
        except oscore.ReplayErrorWithEcho:  # the challenge of the first request (RFC 8613 appendix B.1.2)
            raise
        except oscore.ProtectionInvalid as refusal:
            self._refused(refusal)
            raise
        except Exception as failure:  # aiocoap and cbor2 do not document which errors their decoders raise
            damaged = oscore.DecodeError(f"{type(failure).__name__} while decoding")
            self._refused(damaged)
            raise damaged from None

    def _refused(self, refusal: Exception) -> None:
        device = self.unit.device_id.hex()
        self._observe(REFUSED, source=COAP, kind="message", reason=reason_of(refusal), device=device)

    def post_seqnoincrease(self) -> None:
        """Reserve the next number durably. aiocoap calls this after it counted and before it uses the number."""
        if self.sender_sequence_number > self._reserved:
            upto = self._reserved + RESERVE_STEP
            self._store.reserve(self.unit.sender_id, upto)
            self._reserved = upto


class UnitContexts:
    """The contexts by which aiocoap finds the unit of a request. A unit added to the store is found at once."""

    def __init__(self, store: OscoreStore, observe: Observer = ignore) -> None:
        self._store = store
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
            context = self._contexts[kid] = UnitContext(unit, self._store, self._observe)
        return context
