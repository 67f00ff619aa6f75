"""A page that a command serves on this machine: alone, or behind a web server, which is then its only peer.

A connection that finds no place ends one that is silent or slow (station/web/listener.py), so connections that send
nothing keep nobody out.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Final

import uvicorn

from provisioning.cli.addresses import parse_listen
from provisioning.cli.errors import InputError
from provisioning.cli.report_mail import LOOPBACK
from provisioning.station.web.listener import listen as open_port

CONNECTIONS: Final = 64
_STOP_S: Final = 10


class PageServer:
    """Serves an ASGI application: in a thread inside its `with` block, or by `serve`. `address`: its URL."""

    def __init__(self, app: Any, listen: str, flag: str) -> None:
        """Open the port. Raises InputError, which names `flag`, for an address of another machine or a port in use."""
        host, port = parse_listen(listen, flag)
        if host not in LOOPBACK:
            raise InputError(
                f"{flag}: {host} is not this machine; put your web server with TLS in front of the page."
            )
        try:
            self._socket = open_port(host, port, most=CONNECTIONS, per_peer=CONNECTIONS)
        except OSError as error:
            raise InputError(f"{flag}: the page cannot listen on {listen}: {error.strerror}.") from None
        self.address = f"http://{listen.rpartition(':')[0]}:{self._socket.getsockname()[1]}/"
        config = uvicorn.Config(
            app,
            loop="asyncio",  # listener.py
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="page", daemon=True
        )

    def serve(self) -> None:
        """Serve in this thread until Ctrl-C or SIGTERM."""
        with self._socket:
            self._server.run(sockets=[self._socket])

    def __enter__(self) -> PageServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(_STOP_S)
        self._socket.close()
