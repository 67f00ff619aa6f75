"""Servers on a loop in their own thread: start, failure, stop, and start again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from provisioning import fair_time
from provisioning.servers.errors import ServerError
from provisioning.servers.service import LoopThread


class Server:
    """A server for the thread; `began` and `ended` count its runs."""

    def __init__(self) -> None:
        self.began = self.ended = 0
        self.thread: threading.Thread | None = None

    async def serve(self, is_ready: Callable[[], None], stopping: asyncio.Event) -> None:
        self.thread = threading.current_thread()
        self.began += 1
        is_ready()
        await stopping.wait()
        self.ended += 1


def test_a_start_returns_when_the_server_is_ready_and_a_stop_when_it_ended() -> None:
    server = Server()
    with LoopThread("server", server.serve) as running:
        assert (server.began, server.ended, running.is_running) == (1, 0, True)
    assert (server.ended, running.is_running) == (1, False)
    assert server.thread is not None
    assert not server.thread.is_alive()


def test_it_can_be_started_again_after_a_stop_and_stopped_twice() -> None:
    server = Server()
    thread = LoopThread("server", server.serve)
    for _ in range(2):
        thread.start()
        thread.stop()
    thread.stop()
    assert (server.began, server.ended) == (2, 2)


def test_a_second_start_is_refused() -> None:
    with LoopThread("server", Server().serve) as running, pytest.raises(ServerError, match="is running"):
        running.start()


def test_a_server_that_cannot_start_says_why_and_leaves_no_thread() -> None:
    async def broken(is_ready: Callable[[], None], stopping: asyncio.Event) -> None:
        raise OSError("no such address")

    thread = LoopThread("server", broken)
    with pytest.raises(ServerError, match="no such address"):
        thread.start()
    assert not thread.is_running


def test_a_server_that_is_never_ready_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioning.servers.service.TIMEOUT_S", 0.2)
    ended = threading.Event()

    async def idle(is_ready: Callable[[], None], stopping: asyncio.Event) -> None:
        await stopping.wait()
        ended.set()

    with pytest.raises(ServerError, match="no answer in time"):
        LoopThread("server", idle).start()
    assert fair_time.wait(ended, 10)


def test_one_that_does_not_stop_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioning.servers.service.TIMEOUT_S", 0.2)
    let_go = threading.Event()

    async def deaf(is_ready: Callable[[], None], stopping: asyncio.Event) -> None:
        is_ready()
        await asyncio.to_thread(let_go.wait)

    thread = LoopThread("server", deaf)
    thread.start()
    with pytest.raises(ServerError, match="did not stop"):
        thread.stop()
    let_go.set()


def test_what_is_around_the_loop_is_closed_after_its_last_task() -> None:
    import contextlib

    order: list[str] = []

    @contextlib.contextmanager
    def around():
        yield
        order.append("closed")

    async def serve(is_ready: Callable[[], None], stopping: asyncio.Event) -> None:
        async def left_over() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                order.append("cancelled")

        task = asyncio.ensure_future(left_over())
        is_ready()
        await stopping.wait()
        assert not task.done()

    with LoopThread("server", serve, around):
        pass
    assert order == ["cancelled", "closed"]
