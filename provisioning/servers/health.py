"""The health endpoint of the maker's servers: HTTP for a service manager and a monitoring system, on loopback.

GET /healthz   200 while the process can do its work, else 503: it has to be restarted
GET /readyz    200 if every part answers, else 503; JSON that names each part
GET /metrics   counters as OpenMetrics text, for Prometheus

Rules:
1. Answers contain no secret and no device id, so the endpoint has no login. It listens on loopback unless the maker
   names another address.
2. A connection has REQUEST_S seconds in all, however slowly it sends or reads, and lines of at most 64 KiB
   (http.server). At most CONNECTIONS are served at a time, and clients that wait or read give way to new ones
   (device/net/places.py): a host that holds connections does not keep the monitoring out.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from device.net.places import Places
from provisioning.servers.errors import PortBusyError, ServerError
from provisioning.servers.service import Service

_log = logging.getLogger(__name__)
REQUEST_S: Final = 5
CONNECTIONS: Final = 16
CONNECTIONS_PER_PEER: Final = 12

# The name of each part, and why it does not answer; the text is empty if it does.
Checks = Callable[[], Mapping[str, str]]


class HealthServer(Service):
    """The endpoint on `host`:`port` (0: a free port). start() raises PortBusyError, ServerError."""

    def __init__(
        self,
        address: tuple[str, int],
        *,
        alive: Checks,
        ready: Checks,
        metrics: Callable[[], tuple[str, bytes]],
    ) -> None:
        """Keep the settings; start() opens the port. `metrics` returns content type and text."""
        self.host, self.port = address
        self._answers: Mapping[str, Callable[[], tuple[int, str, bytes]]] = {
            "/healthz": lambda: _report(alive()),
            "/readyz": lambda: _report(ready()),
            "/metrics": lambda: (200, *metrics()),
        }
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Answer in a thread of its own; the port is open when this returns. Raises ServerError."""
        if self._server is not None:
            raise ServerError("this health endpoint is running")
        try:
            self._server = _Server((self.host, self.port), _handler(self._answers))
        except OSError as error:
            raise PortBusyError(
                f"the health endpoint cannot listen on {self.host}:{self.port}: {error.strerror}"
            ) from error
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()


def _report(checks: Mapping[str, str]) -> tuple[int, str, bytes]:
    is_good = not any(checks.values())
    parts = {name: problem or "ok" for name, problem in checks.items()}
    body = json.dumps({"ok": is_good, "parts": parts}).encode() + b"\n"
    return (200 if is_good else 503), "application/json", body


class _Client:
    """A connection, as Places sees it."""

    def __init__(self, request: socket.socket) -> None:
        self._request = request
        self.is_silent = True
        self.is_waiting = True
        self.is_reading = False
        self.end_s = time.monotonic() + REQUEST_S

    def hear(self) -> None:
        """Wait for the first byte, or for the end, without reading it."""
        with contextlib.suppress(OSError):
            self._request.settimeout(REQUEST_S)
            self._request.recv(1, socket.MSG_PEEK)
            self.is_silent = False

    def hang_up(self) -> None:
        """End both directions: the thread that serves the connection then ends by itself."""
        with contextlib.suppress(OSError):
            self._request.shutdown(socket.SHUT_RDWR)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client that sends nothing does not delay the stop

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._lock = threading.Lock()
        self._places = Places(CONNECTIONS, CONNECTIONS_PER_PEER)
        self._clients: dict[Any, _Client] = {}
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        client = _Client(request)
        with self._lock:
            is_in = self._places.enter(client_address[0], client, client.hang_up)
            if is_in:
                self._clients[request] = client
        if not is_in:
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            self._clients[request].hear()
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._places.leave(self._clients.pop(request))

    def service_actions(self) -> None:
        """Hang up clients whose time is over; http.server calls this twice a second."""
        with self._lock:
            for client in self._clients.values():
                if client.end_s <= time.monotonic():
                    client.hang_up()

    def answers(self, request: Any, *, is_reading: bool) -> None:
        """Note that the request of this connection is complete; with `is_reading`, its answer is being sent."""
        with self._lock:
            client = self._clients[request]
            client.is_waiting, client.is_reading = False, is_reading

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that closed the connection: that needs no traceback."""


def _handler(answers: Mapping[str, Callable[[], tuple[int, str, bytes]]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server: _Server
        timeout = REQUEST_S
        server_version, sys_version = "firstboot", ""

        def do_GET(self) -> None:
            self.server.answers(self.connection, is_reading=False)
            answer = answers.get(self.path.partition("?")[0])
            try:
                status, kind, body = answer() if answer else (404, "text/plain", b"not found\n")
            except Exception as failure:  # of a check: the monitoring gets an answer, whatever failed
                _log.error("%s cannot be answered: %s: %s", self.path[:40], type(failure).__name__, failure)
                status, kind, body = _report({"health": type(failure).__name__})
            self.server.answers(self.connection, is_reading=True)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing: a monitoring system asks often."""

    return Handler
