"""Independent CoAP clients against our server: aiocoap with OSCORE, libcoap without."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiocoap
import pytest

from provisioning import fair_time
from provisioning.release.folder_store import FolderStore
from provisioning.servers.coap_server import CoapServer, ReleaseSite, bound_port, serve
from provisioning.servers.oscore_store import SERVER_ID, OscoreStore
from tests.interop.support.maker import CLASS_ID, Maker
from tests.patience import joined, run

pytestmark = pytest.mark.interop

LIBCOAP = shutil.which("coap-client-notls")
needs_libcoap = pytest.mark.skipif(
    LIBCOAP is None, reason="coap-client-notls (libcoap3-bin) is not installed"
)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store", CLASS_ID)


@pytest.fixture
def units(tmp_path: Path) -> OscoreStore:
    return OscoreStore(tmp_path / "units")


@pytest.fixture
def server(maker: Maker, store: FolderStore, units: OscoreStore) -> Iterator[CoapServer]:
    with CoapServer(store, units, maker.tracker()) as running:
        yield running


@contextmanager
def plain_site(store: FolderStore, maker: Maker) -> Iterator[int]:
    """The same resources without protection, for clients without OSCORE; yields the port."""
    ready, stop = threading.Event(), threading.Event()
    ports: list[int] = []

    async def run() -> None:
        context = await serve(ReleaseSite({store.class_id.hex(): store}, maker.tracker()), "127.0.0.1", 0)
        ports.append(bound_port(context))
        ready.set()
        await asyncio.to_thread(stop.wait)
        await context.shutdown()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        assert fair_time.wait(ready, 60)
        yield ports[0]
    finally:
        stop.set()
        joined(thread)


def libcoap(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return run([str(LIBCOAP), "-B", "600", *arguments], 60, text=False)


@needs_libcoap
def test_libcoap_without_oscore_gets_4_01_and_no_content(server: CoapServer, store: FolderStore) -> None:
    store.put_raw("support", b"record")
    answer = libcoap("-m", "get", f"coap://127.0.0.1:{server.port}/fb/{CLASS_ID.hex()}/support")
    assert b"4.01" in answer.stderr + answer.stdout
    assert b"record" not in answer.stdout


@needs_libcoap
@pytest.mark.parametrize("block", ["", "6,1024", "3,128"])
def test_libcoap_transfers_100_kb_block_by_block(maker: Maker, tmp_path: Path, block: str) -> None:
    short = FolderStore(tmp_path / "short", b"\x01")  # libcoap's client accepts no path above 100 bytes
    release = maker.release()
    short.put_release(release)
    target = tmp_path / "received"
    with plain_site(short, maker) as port:
        uri = f"coap://127.0.0.1:{port}/fb/01/o/{release.payload_digest.hex()}"
        size = ["-b", block.split(",")[1]] if block else []
        answer = libcoap("-m", "get", *size, "-o", str(target), uri)
    assert answer.returncode == 0, answer.stderr
    assert target.read_bytes() == release.payload


@needs_libcoap
def test_libcoap_learns_of_a_missing_object(maker: Maker, store: FolderStore) -> None:
    with plain_site(store, maker) as port:
        answer = libcoap("-m", "get", f"coap://127.0.0.1:{port}/fb/{CLASS_ID.hex()}/o/{'0' * 64}")
    assert b"4.04" in answer.stderr + answer.stdout


async def ask_plain(port: int, **options: object) -> aiocoap.Message:
    """Send one request of aiocoap's client with these block options, without its own block-wise transfer."""
    context = await aiocoap.Context.create_client_context(transports=["simple6"])
    try:
        code = options.pop("code", aiocoap.GET)
        payload = options.pop("payload", b"")
        path = options.pop("path")
        request = aiocoap.Message(code=code, uri=f"coap://127.0.0.1:{port}/{path}", payload=payload)
        for name, value in options.items():
            setattr(request.opt, name, value)
        return await context.request(request, handle_blockwise=False).response
    finally:
        await context.shutdown()


@pytest.mark.parametrize(
    ("block", "status", "payload_bytes"),
    [
        ((97, False, 6), "2.05", 672),
        ((98, False, 6), "4.00", 0),
        ((1, False, 0), "2.05", 16),
        ((0, False, 6), "2.05", 1024),
    ],
)
def test_a_block_is_served_by_number_or_refused(
    maker: Maker, store: FolderStore, block: tuple[int, bool, int], status: str, payload_bytes: int
) -> None:
    release = maker.release()
    store.put_release(release)
    path = f"fb/{CLASS_ID.hex()}/o/{release.payload_digest.hex()}"
    with plain_site(store, maker) as port:
        answer = asyncio.run(ask_plain(port, path=path, block2=block))
    assert answer.code.dotted == status
    if status == "2.05":
        assert len(answer.payload) == payload_bytes
        assert answer.opt.size2 == len(release.payload)
        assert answer.opt.etag == release.payload_digest[:8]
        start = block[0] << (block[2] + 4)
        assert answer.payload == release.payload[start : start + payload_bytes]
        assert answer.opt.block2.more == (start + payload_bytes < len(release.payload))


@pytest.mark.parametrize(
    ("path", "code", "options", "status"),
    [
        ("fb/fresh", aiocoap.GET, {}, "4.05"),
        ("fb/report", aiocoap.GET, {}, "4.05"),
        (f"fb/{CLASS_ID.hex()}/manifest", aiocoap.PUT, {}, "4.05"),
        (f"fb/{CLASS_ID.hex()}/o/../current.json", aiocoap.GET, {}, "4.04"),
        (f"fb/{CLASS_ID.hex()}/current.json", aiocoap.GET, {}, "4.04"),
        (f"fb/{'ff' * 16}/manifest", aiocoap.GET, {}, "4.04"),
        ("", aiocoap.GET, {}, "4.04"),
        ("fb/report", aiocoap.POST, {"block1": (0, True, 4)}, "4.02"),
        ("fb/report", aiocoap.POST, {"payload": bytes(513)}, "4.13"),
        ("fb/fresh", aiocoap.POST, {"payload": b"\x00"}, "4.00"),
    ],
)
def test_what_is_no_resource_or_no_method_of_one_is_refused(
    maker: Maker, store: FolderStore, path: str, code: aiocoap.Code, options: dict[str, object], status: str
) -> None:
    with plain_site(store, maker) as port:
        answer = asyncio.run(ask_plain(port, path=path, code=code, **options))
    assert answer.code.dotted == status


def test_aiocoap_with_oscore_is_challenged_and_served(
    maker: Maker, server: CoapServer, store: FolderStore, units: OscoreStore, tmp_path: Path
) -> None:
    release = maker.release(20_000)
    store.put_release(release)
    unit = maker.unit()
    units.add(unit.device_id, unit.secret, unit.salt)
    context_directory = tmp_path / "context"
    context_directory.mkdir()
    secret = {
        "secret_hex": unit.secret.hex(),
        "salt_hex": unit.salt.hex(),
        "sender-id_hex": unit.device_id[:7].hex(),
        "recipient-id_hex": SERVER_ID.hex(),
    }
    (context_directory / "secret.json").write_text(json.dumps(secret))

    async def fetch() -> bytes:
        client = await aiocoap.Context.create_client_context(transports=["oscore", "simple6"])
        try:
            base = f"coap://127.0.0.1:{server.port}"
            client.client_credentials.load_from_dict(
                {f"{base}/*": {"oscore": {"basedir": str(context_directory)}}}
            )
            uri = f"{base}/fb/{CLASS_ID.hex()}/o/{release.payload_digest.hex()}"
            return (await client.request(aiocoap.Message(code=aiocoap.GET, uri=uri)).response_raising).payload
        finally:
            await client.shutdown()

    assert asyncio.run(fetch()) == release.payload


def test_fifty_units_are_served_side_by_side(
    maker: Maker, server: CoapServer, store: FolderStore, units: OscoreStore
) -> None:
    release = maker.release(9000)
    store.put_release(release)
    fleet = [maker.unit() for _ in range(50)]
    for unit in fleet:
        units.add(unit.device_id, unit.secret, unit.salt)

    async def one(unit) -> bytes:
        source = maker.coap_source(unit, server.port)
        await source.open()
        try:
            source.plan(release.payload_digest, len(release.payload), [], range(3))
            return b"".join([bytes(await source.chunk(index)) for index in range(3)])
        finally:
            await source.close()

    async def run() -> list[bytes]:
        return await asyncio.gather(*(one(unit) for unit in fleet))

    assert asyncio.run(run()) == [release.payload] * 50


def test_the_server_sends_its_own_numbers_once_even_after_a_restored_store(
    maker: Maker, tmp_path: Path
) -> None:
    """After an old backup of the store is restored, the server's next numbers are above all that it used."""
    clock_s = [2_000_000_000.0]
    units = OscoreStore(tmp_path / "units", lambda: clock_s[0])
    unit_id = os.urandom(16)
    units.add(unit_id, bytes(16), bytes(8))
    shutil.copytree(tmp_path / "units", tmp_path / "backup")
    used = units.first_sequence(unit_id[:7])
    units.reserve(unit_id[:7], used + 256)
    clock_s[0] += 1
    restored = OscoreStore(tmp_path / "backup", lambda: clock_s[0])
    assert restored.first_sequence(unit_id[:7]) >= used + 256
