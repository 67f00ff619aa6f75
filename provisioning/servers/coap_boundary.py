"""The border between the CoAP server and the network: any input from a peer is answered with a CoAP code or ignored.

aiocoap answers 5.00 with a traceback in the log if its parser or a resource raises an exception of another library.
Rules:
1. A malformed or second OSCORE option, and an unknown critical option, is answered with 4.02
   (RFC 8613 8.2, step 2; RFC 7252 5.4.1 and 5.4.5) before any context is looked up.
2. A datagram whose options cannot be decoded is answered with 4.02 (RFC 7252 5.4.1) if it is a confirmable request,
   else it is ignored.
3. If a store, a token or a tracker fails, the answer is 5.03; the log gets one line with the reason.
4. Only OSCORE requests reach the resources (SE-04). EDHOC is not supported.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

import aiocoap
from aiocoap import error, oscore
from aiocoap.numbers.optionnumbers import OptionNumber
from aiocoap.oscore_sitewrapper import OscoreSiteWrapper
from aiocoap.transports.oscore import OSCOREAddress

from device.errors import FirstbootError
from provisioning.servers.coap_events import COAP, reason_of
from provisioning.servers.errors import ServerError
from provisioning.servers.observer import REFUSED, Observer, ignore
from provisioning.servers.oscore_context import UnitContexts
from provisioning.servers.oscore_store import OscoreStoreError

_log = logging.getLogger(__name__)

_PIV_BYTES: Final = 0b00000111  # RFC 8613 6.1: n, the length of the Partial IV; 6 and 7 are reserved
_HAS_KID: Final = 0b00001000
_HAS_KID_CONTEXT: Final = 0b00010000
_RESERVED: Final = 0b11100000
_LONGEST_PIV: Final = 5
# Critical options of RFC 7252, 7959 and 8613. Those that belong inside OSCORE are discarded outside (RFC 8613 8.2).
_KNOWN: Final = frozenset((1, 3, 5, 7, 9, 11, 15, 17, 23, 27, 35, 39))

_CON_V1: Final = 0x40  # version 1, type CON, in the upper four bits of the first byte (RFC 7252 3)
_ACK_V1: Final = 0x60
_BAD_OPTION: Final = 0x82
_LONGEST_TOKEN: Final = 8


class _MalformedOption(error.BadOption):  # type: ignore[misc]
    """The OSCORE option violates RFC 8613 6.1. The answer is 4.02 with Max-Age 0, so that no proxy caches it."""

    def to_message(self) -> aiocoap.Message:
        return aiocoap.Message(code=self.code, max_age=0)


def is_request_option(value: bytes) -> bool:
    """Return whether `value` is the OSCORE option of a request (RFC 8613 6.1).

    A request has a Partial IV of 1 to 5 bytes and a kid. An empty value means that all flags are 0.
    """
    flags = value[0] if value else 0
    piv_bytes = flags & _PIV_BYTES
    rest = value[1 + piv_bytes :]
    if flags & _RESERVED or not flags & _HAS_KID:
        return False
    if not 0 < piv_bytes <= _LONGEST_PIV or len(value) < 1 + piv_bytes:
        return False
    return not flags & _HAS_KID_CONTEXT or (len(rest) > 0 and len(rest) - 1 >= rest[0])


class ProtectedSite(OscoreSiteWrapper):  # type: ignore[misc]
    """The wrapper that decrypts OSCORE requests. aiocoap's own also lets other requests through and supports EDHOC."""

    def __init__(self, inner: Any, contexts: UnitContexts, observe: Observer = ignore) -> None:
        super().__init__(_OscoreOnly(inner), contexts)
        self._observe = observe

    async def render_to_pipe(self, pipe: Any) -> None:
        """Answer one request. Refusals before decryption are counted here; UnitContext counts the others."""
        try:
            await self._render(pipe)
        except (error.Unauthorized, error.BadOption, error.MethodNotAllowed) as refusal:
            reason = reason_of(refusal)
            if isinstance(refusal, error.Unauthorized):
                reason = "unprotected" if pipe.request.opt.oscore is None else "unknown unit"
            self._observe(REFUSED, source=COAP, kind="message", reason=reason)
            raise

    async def _render(self, pipe: Any) -> None:
        try:
            options = pipe.request.opt.get_option(OptionNumber.OSCORE)
            if len(options) > 1 or (options and not is_request_option(options[0].value)):
                raise _MalformedOption  # a second one counts as an unknown critical option (RFC 7252 5.4.5)
            if any(
                one.number.is_critical() and one.number not in _KNOWN
                for one in pipe.request.opt.option_list()
            ):
                raise error.BadOption
            await self._render_or_challenge(pipe)
        except (ServerError, OscoreStoreError, FirstbootError, OSError) as failure:
            raise unavailable(failure) from None

    async def _render_or_challenge(self, pipe: Any) -> None:
        try:
            await super().render_to_pipe(pipe)
        except (
            oscore.ReplayErrorWithEcho
        ) as challenge:  # it takes a number of the server, which may fail (rule 3)
            pipe.add_response(challenge.to_message(), is_last=True)

    async def _render_edhoc_to_pipe(self, pipe: Any) -> None:
        raise error.Unauthorized


class _OscoreOnly:
    """The site behind the wrapper: it passes on requests that came through OSCORE, and answers all others with 4.01."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def render_to_pipe(self, pipe: Any) -> None:
        if not isinstance(pipe.request.remote, OSCOREAddress):
            raise error.Unauthorized
        try:
            await self._inner.render_to_pipe(pipe)
        except (ServerError, FirstbootError, OSError) as failure:
            raise unavailable(failure) from None


def unavailable(failure: Exception) -> error.ServiceUnavailable:
    """Return 5.03 for a failure on our side. The reason goes to the log, not to the peer."""
    _log.error("a request was not served: %s: %s", type(failure).__name__, failure)
    return error.ServiceUnavailable()


def guard_datagrams(protocol: Any) -> None:
    """Apply rule 2 to an aiocoap datagram protocol: wrap its `datagram_received`.

    aiocoap 0.4 lets exceptions of option decoders (UnicodeDecodeError for a path that is not UTF-8) escape into the
    event loop, which logs a traceback; the peer gets no answer.
    """
    received: Callable[[bytes, Any], None] = protocol.datagram_received

    def guarded(data: bytes, address: Any) -> None:
        try:
            received(data, address)
        except Exception as failure:  # aiocoap does not document which errors its decoders raise
            _log.info("a datagram cannot be decoded: %s", type(failure).__name__)
            answer = bad_option_answer(data)
            if answer:
                protocol._transport.sendto(answer, address)

    protocol.datagram_received = guarded


def bad_option_answer(data: bytes) -> bytes:
    """Return an acknowledgement with 4.02 for a confirmable request; empty for every other datagram."""
    if len(data) < 4 or data[0] & 0xF0 != _CON_V1 or not 0 < data[1] < 0x20:
        return b""
    token_bytes = data[0] & 0x0F
    if token_bytes > _LONGEST_TOKEN or len(data) < 4 + token_bytes:
        return b""
    return bytes((_ACK_V1 | token_bytes, _BAD_OPTION)) + data[2 : 4 + token_bytes]
