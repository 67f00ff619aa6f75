"""Lack of memory refuses one check, one client or one request; every other part of the unit continues."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from device.agent.sources import Sources
from device.agent.updater import Updater
from device.codec import cbor
from device.errors import DefectError, FirstbootError, LinkError, MemoryShortError
from device.factory import factory_port
from device.web import server
from simulator import virtual
from simulator.ports.clock import SimClock

sys.path.append(str(Path(__file__).parents[3] / "dual"))
from factory_unit import Unit as FactoryUnit


def short(*arguments: Any) -> Any:
    raise MemoryError


@pytest.mark.parametrize(
    ("raised", "expected", "is_trial"),
    [
        (MemoryError, MemoryShortError, True),
        (MemoryError, MemoryShortError, False),
        (KeyError, DefectError, False),
        (RecursionError, DefectError, False),
    ],
)
def test_a_check_that_ends_unexpectedly_is_an_event_and_the_next_source_is_asked(
    raised: type[Exception], expected: type[FirstbootError], is_trial: bool
) -> None:
    noted: list[Any] = []
    asked: list[str] = []

    async def check(source: Any) -> None:
        asked.append(source.name)
        if source.name == "mqtt":
            raise raised

    async def close() -> None:
        asked.append("closed")

    makers: Any = [lambda name=name: SimpleNamespace(name=name, close=close) for name in ("mqtt", "coap")]
    service: Any = SimpleNamespace(
        check=check,
        is_restart_wanted=False,
        journal=SimpleNamespace(note=noted.append),
        releases=SimpleNamespace(pending=SimpleNamespace(is_trial=is_trial)),
    )
    ports: Any = SimpleNamespace(
        say=lambda text: None, entropy=SimpleNamespace(random_bytes=bytes), clock=SimClock()
    )

    async def run() -> None:
        task = asyncio.ensure_future(Updater(service, Sources(makers, 60), ports, asyncio.Event()).run())
        await asyncio.sleep(0.5)
        assert not task.done()
        task.cancel()

    virtual.run(run())
    assert asked == ["mqtt", "closed", "coap"]
    assert [type(error) for error in noted] == [expected]


def test_a_defect_on_trial_is_the_releases_own_failure() -> None:
    async def check(source: Any) -> None:
        raise KeyError("defect")

    service: Any = SimpleNamespace(
        check=check, releases=SimpleNamespace(pending=SimpleNamespace(is_trial=True))
    )
    with pytest.raises(KeyError):
        virtual.run(Updater(service, Sources([], 60), Any, asyncio.Event())._check(Any))  # type: ignore[arg-type]


def test_a_factory_request_without_memory_is_refused_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = FactoryUnit()
    monkeypatch.setattr(unit.port, "_hello", short)
    answer = cbor.decode(unit.port.handle(cbor.encode([1, "hello", {"nonce": bytes(16)}])))
    assert answer == [1, MemoryShortError.code, {"reason": "memory"}]


def test_the_factory_port_continues_after_a_frame_without_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = FactoryUnit()
    request = factory_port.encode_frame(cbor.encode([1, "hello", {"nonce": bytes(16)}]))
    parts, written = [request, request], []
    handle = unit.port.handle
    monkeypatch.setattr(unit.port, "handle", lambda data: handle(data) if not parts else short())

    async def read(limit: int) -> bytes:
        return parts.pop(0) if parts else b""

    async def write(data: bytes) -> None:
        written.append(data)

    asyncio.run(unit.port.serve(SimpleNamespace(read=read, write=write)))  # type: ignore[arg-type]
    assert len(written) == 1


@pytest.mark.parametrize("is_stuck", [False, True])
def test_a_client_for_whom_there_is_no_memory_reads_503_and_is_closed(
    monkeypatch: pytest.MonkeyPatch, is_stuck: bool
) -> None:
    monkeypatch.setattr(server.http, "read_request", short)
    written: list[bytes] = []
    closed: list[bool] = []

    async def write(data: bytes) -> None:
        if is_stuck:
            raise MemoryError
        written.append(data)

    async def read(limit: int) -> bytes:
        raise LinkError(reason="closed")

    async def close() -> None:
        closed.append(True)

    app = SimpleNamespace(site=None)
    asyncio.run(server.create_handler(app)(SimpleNamespace(read=read, write=write, close=close)))  # type: ignore
    assert closed == [True]
    assert is_stuck or written[0].split(b" ")[1] == b"503"
