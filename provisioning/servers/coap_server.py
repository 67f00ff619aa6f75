"""The CoAP server: releases, freshness and reports (docs/reference/topics.md, CoAP) on aiocoap.

Rules:
1. Only OSCORE requests are answered; everything else gets 4.01, whatever the path (SE-04).
2. Block2 is served here and not by aiocoap, from any block on, with ETag and Size2, reading only what is sent: a
   device resumes in the middle, and no transfer is held in memory.
3. Each unit has its own context; a unit can be added while the server runs.
4. No command removes a published record. So one that was served and is not there now has vanished with its volume or
   folder, and the answer is 5.03: with 4.04 a unit would take it for never published.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, Final

import aiocoap
from aiocoap import error, resource
from aiocoap.numbers.optionnumbers import OptionNumber

from device.errors import FreshnessError
from provisioning.release.store import Part, ReleaseStore
from provisioning.servers import observer
from provisioning.servers.broker import LOOPBACK, is_port_free
from provisioning.servers.coap_boundary import ProtectedSite, guard_datagrams
from provisioning.servers.coap_duplicates import RecentRequests
from provisioning.servers.coap_events import COAP, kind_of, reason_of
from provisioning.servers.errors import PortBusyError, ReportError, ReportShareError, ServerError
from provisioning.servers.oscore_context import OscoreNumbers, UnitContext, UnitContexts
from provisioning.servers.oscore_store import OscoreStore
from provisioning.servers.service import LoopThread, Service
from provisioning.servers.tracker import Tracker

_log = logging.getLogger(__name__)
BLOCK_EXPONENT: Final = 6  # 1024 bytes
KNOWN_OPTIONS: Final = {
    OptionNumber.URI_HOST,
    OptionNumber.URI_PORT,
    OptionNumber.URI_PATH,
    OptionNumber.BLOCK2,
    OptionNumber.OBJECT_SECURITY,
}


POSTS: Final = {("fb", "fresh"), ("fb", "report")}
RECORDS: Final = {"manifest", "keyset", "support", "contact"}


class ReleaseSite(resource.Resource, resource.PathCapable):  # type: ignore[misc]
    """The resources, without protection: the server adds OSCORE around it, tests may serve it without."""

    def __init__(self, stores: dict[str, ReleaseStore], tracker: Tracker) -> None:
        super().__init__()
        self._stores = stores  # class id in hex -> store
        self._tracker = tracker
        self._served: set[tuple[bytes, str]] = (
            set()
        )  # class id and name of the records that were there (rule 4)

    async def needs_blockwise_assembly(self, request: aiocoap.Message) -> bool:
        return False

    def get_resources_as_linkheader(self) -> None:
        """Return an empty directory: devices know the paths."""
        raise error.NotFound

    async def render(self, request: aiocoap.Message) -> aiocoap.Message:
        """Return the answer to one request, by its path and method. Raises aiocoap's renderable errors."""
        path = tuple(request.opt.uri_path)
        kind = kind_of(path)
        if path in POSTS and request.code == aiocoap.POST and not _has_unknown_option(request):
            return self._post(path[1], request)  # the tracker counts it
        self._tracker.observe(observer.REQUEST, source=COAP, kind=kind)
        try:
            return self._get(path, kind, request)
        except (error.RenderableError, ServerError, OSError) as refusal:
            self._tracker.observe(observer.REFUSED, source=COAP, kind=kind, reason=reason_of(refusal))
            raise

    def _get(self, path: tuple[str, ...], kind: str, request: aiocoap.Message) -> aiocoap.Message:
        if _has_unknown_option(request):
            raise error.BadOption  # RFC 7252 5.4.1; this includes Block1, because no request of a device needs it
        if path in POSTS:
            raise error.UnallowedMethod
        if len(path) < 3 or path[0] != "fb" or path[1] not in self._stores:
            raise error.NotFound
        if request.code != aiocoap.GET:
            raise error.UnallowedMethod
        return self._block(self._stores[path[1]], "/".join(path[2:]), kind, request)

    def _block(self, store: ReleaseStore, name: str, kind: str, request: aiocoap.Message) -> aiocoap.Message:
        asked = request.opt.block2
        exponent = min(asked.size_exponent, BLOCK_EXPONENT) if asked else BLOCK_EXPONENT
        block_bytes = 16 << exponent
        number = (asked.block_number << asked.size_exponent >> exponent) if asked else 0
        start = number * block_bytes
        data, size, etag = self._part(store, name, start, block_bytes)
        if start >= size and number:
            raise error.BadRequest("no such block")
        response = aiocoap.Message(code=aiocoap.CONTENT, payload=data)
        response.opt.etag = etag
        response.opt.size2 = size
        if asked or size > block_bytes:
            response.opt.block2 = (number, start + block_bytes < size, exponent)
        self._tracker.observe(observer.SENT, source=COAP, kind=kind, size=len(data), start=start)
        return response

    def _part(self, store: ReleaseStore, name: str, start: int, length: int) -> Part:
        found = store.part(name, start, length)
        if found is None and (store.class_id, name) in self._served:
            _log.error("the published %s has vanished: %s", name, store.place)
            raise error.ServiceUnavailable
        if found is None:
            raise error.NotFound
        if name in RECORDS:
            self._served.add((store.class_id, name))
        return found

    def _post(self, name: str, request: aiocoap.Message) -> aiocoap.Message:
        if name == "report":
            try:
                is_taken = self._tracker.take_report(_device_of(request), COAP, request.payload)
            except ReportShareError:
                raise error.TooManyRequests from None  # RFC 8516
            except ReportError as refusal:
                _log.error("%s", refusal)
                raise error.ServiceUnavailable from refusal  # RFC 7252 5.9.3.4: the unit may try again
            if not is_taken:
                raise error.RequestEntityTooLarge
            return aiocoap.Message(code=aiocoap.CHANGED)
        try:
            record = self._tracker.answer(request.payload, COAP)
        except FreshnessError as refusal:
            raise error.BadRequest from refusal
        return aiocoap.Message(code=aiocoap.CHANGED, payload=record)


def _has_unknown_option(request: aiocoap.Message) -> bool:
    """Return whether a critical option is not one of KNOWN_OPTIONS."""
    return any(
        option.number.is_critical() and option.number not in KNOWN_OPTIONS
        for option in request.opt.option_list()
    )


def _device_of(request: aiocoap.Message) -> str:
    """Return the device id in hex of an authenticated request; empty on a test site without OSCORE."""
    context = getattr(request.remote, "security_context", None)
    return context.unit.device_id.hex() if isinstance(context, UnitContext) else ""


class CoapServer(Service):
    """The server of stores and a tracker on a UDP port, in a thread of its own. Use it as a context manager.

    Raises PortBusyError, ServerError.
    """

    def __init__(
        self,
        stores: ReleaseStore | list[ReleaseStore],
        units: OscoreStore,
        tracker: Tracker,
        *,
        host: str = LOOPBACK,
        port: int | None = None,
        numbers: OscoreNumbers | None = None,
    ) -> None:
        """`numbers`: what several servers share; they may then use one UDP port. None: this server is alone."""
        every = stores if isinstance(stores, list) else [stores]
        self._site = ReleaseSite({store.class_id.hex(): store for store in every}, tracker)
        self._units = units
        self._numbers = numbers
        self._observe = tracker.observe
        self._wanted_port = port
        self._thread = LoopThread("CoAP server", self._serve)
        self.host = host
        self.port = port or 0

    @property
    def is_running(self) -> bool:
        """Return whether its thread is running."""
        return self._thread.is_alive

    def start(self) -> None:
        """Return when the port is bound. A second start uses the same port."""
        if self._thread.is_running:
            raise ServerError("this CoAP server is running")
        if self.port and self._numbers is None and not is_port_free(self.host, self.port, socket.SOCK_DGRAM):
            raise PortBusyError(f"UDP port {self.port} of {self.host} is in use")
        self._thread.start()

    def stop(self) -> None:
        """Close the port and end the thread; can be called twice."""
        self._thread.stop()

    async def _serve(self, is_ready: Callable[[], None], stopping: asyncio.Event) -> None:
        contexts = UnitContexts(self._units, self._observe, self._numbers)
        context = await serve(ProtectedSite(self._site, contexts, self._observe), self.host, self.port)
        self.port = bound_port(context)
        is_ready()
        try:
            await stopping.wait()
        finally:
            await context.shutdown()


async def serve(site: Any, host: str, port: int) -> Any:
    """Return an aiocoap context that serves `site` on one IPv4 address (no IPv6 is needed on the machine)."""
    context = await aiocoap.Context.create_server_context(
        site, bind=(host, port), transports=["simplesocketserver"]
    )
    guard_datagrams(_protocol(context))
    RecentRequests(_message_manager(context), asyncio.get_running_loop().time)
    return context


def bound_port(context: Any) -> int:
    """Return the UDP port that a context of serve() got."""
    return int(_protocol(context)._transport.get_extra_info("sockname")[1])


def _protocol(context: Any) -> Any:
    return _message_manager(context).message_interface._pool


def _message_manager(context: Any) -> Any:
    (interface,) = context.request_interfaces
    return interface.token_interface


__all__ = ["CoapServer", "ReleaseSite", "bound_port", "serve"]
