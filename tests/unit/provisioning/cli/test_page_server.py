"""The pages that commands serve on this machine: silent and slow connections keep nobody out."""

from __future__ import annotations

import http.client
import socket
import urllib.parse

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from provisioning.cli.errors import InputError
from provisioning.cli.page_server import CONNECTIONS, PageServer


async def _page(_: Request) -> Response:
    return PlainTextResponse("served")


def _answer(port: int) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read()
    finally:
        connection.close()


def test_more_silent_and_dripping_connections_than_places_keep_nobody_out() -> None:
    app = Starlette(routes=[Route("/", _page)])
    with PageServer(app, "127.0.0.1:0", "--page") as server:
        port = urllib.parse.urlsplit(server.address).port
        assert port is not None
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS + 8)]
        for one in held[::2]:
            one.send(b"GET / HT")
        assert _answer(port) == b"served"
        assert _answer(port) == b"served"
        for one in held:
            one.close()


def test_a_port_in_use_and_another_machine_are_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(InputError, match="cannot listen"):
        PageServer(Starlette(), f"127.0.0.1:{taken.getsockname()[1]}", "--page")
    with pytest.raises(InputError, match="is not this machine"):
        PageServer(Starlette(), "0.0.0.0:0", "--page")
