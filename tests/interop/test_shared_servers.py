"""Two processes of `firstboot serve coap` behind one PostgreSQL: one unit, either server, kill -9 of one."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from device.ports.host import HostClock, HostNetwork
from device.transport.coap import CoapSource
from provisioning.cli.main import app, load_commands
from provisioning.release.folder_store import FolderStore
from provisioning.release.release import Release
from provisioning.servers.coap_server import CoapServer
from provisioning.servers.oscore_store import OscoreStore
from provisioning.shared_store.database import SharedDatabase
from provisioning.shared_store.oscore_state import SharedNumbers
from provisioning.shared_store.release_store import DatabaseStore
from provisioning.shared_store.reports import SharedReports
from tests.interop.support.lossy import LossyNetwork, is_request
from tests.interop.support.maker import CLASS_ID, Maker, Unit, fetch_payload
from tests.interop.support.serving import ANSWERS_S, MakersFolder, Serving
from tests.postgres import Cluster

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("patient_unit")]
UNAUTHORIZED = 0x81


def coap_port(serving: Serving) -> int:
    serving.event("ready")
    return int(serving.seen[0]["coap"].rpartition(":")[2])


def send_report(folder: MakersFolder, unit: Unit, port: int, data: bytes) -> list[bytes]:
    """Let a unit report, as after a start, and return the requests that it sent."""
    sent: list[bytes] = []

    def keep(_: int, datagram: bytes) -> list[bytes]:
        if is_request(datagram):
            sent.append(datagram)
        return [datagram]

    async def run() -> None:
        source = folder.maker.coap_source(
            unit, port, LossyNetwork(HostNetwork(HostClock().trusted_time), keep)
        )
        await source.open()
        try:
            await source.report(data)
        finally:
            await source.close()

    asyncio.run(run())
    return sent


async def fetch(source: CoapSource, release: Release) -> bytes:
    await source.open()
    try:
        return await fetch_payload(source, release)
    finally:
        await source.close()


def replay(port: int, datagrams: list[bytes]) -> list[int]:
    """Send recorded datagrams from another address and return the codes of the answers."""
    codes = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attacker:
        attacker.settimeout(ANSWERS_S)
        attacker.connect(("127.0.0.1", port))
        for datagram in datagrams:
            attacker.send(datagram)
            codes.append(attacker.recv(2048)[1])
    return codes


def test_two_servers_share_a_unit_and_refuse_what_the_other_accepted_even_after_kill_9(
    folder: MakersFolder, postgres_cluster: Cluster
) -> None:
    address = postgres_cluster.new_database()
    database = SharedDatabase.create(address)
    unit = folder.unit()
    OscoreStore(folder.folder / "oscore2").add(unit.device_id, unit.secret, unit.salt)
    config = folder.settings(1, database=address)
    with (
        Serving("coap", config) as first,
        Serving("coap", config, "--state", "state2", "--oscore", "oscore2") as second,
    ):
        ports = [coap_port(first), coap_port(second)]
        send_report(folder, unit, ports[1], b"\x01")
        recorded = send_report(folder, unit, ports[0], b"\x02")
        assert replay(ports[1], recorded) == [UNAUTHORIZED] * len(recorded)
        first.process.send_signal(signal.SIGKILL)
        first.ended()
        send_report(folder, unit, ports[1], b"\x03")
    entries = list(SharedReports(database).entries())
    database.close()
    assert [one["report"] for one in entries] == ["01", "02", "03"]
    assert {one["device"] for one in entries} == {unit.device_id.hex()}


def test_two_servers_serve_what_was_published_once_into_their_database(
    folder: MakersFolder, postgres_cluster: Cluster
) -> None:
    address = postgres_cluster.new_database()
    SharedDatabase.create(address).close()
    release = folder.maker.release(60_000)
    release.save(folder.folder / "release-7")
    unit = folder.unit()
    OscoreStore(folder.folder / "oscore2").add(unit.device_id, unit.secret, unit.salt)
    config = folder.settings(1, database=address, store=address)
    with (
        Serving("coap", config) as first,
        Serving("coap", config, "--state", "state2", "--oscore", "oscore2") as second,
    ):
        ports = [coap_port(first), coap_port(second)]
        if not app.registered_groups:
            load_commands(app)
        command = ("release", "publish", str(folder.folder / "release-7"), "--store", address, "--json")
        found = CliRunner().invoke(app, command)
        assert found.exit_code == 0, found.output
        assert json.loads(found.stdout)["destinations"][0]["to"] == f"store {address}"
        for port in ports:
            assert asyncio.run(fetch(folder.maker.coap_source(unit, port), release)) == release.payload
        assert first.metrics()[f'firstboot_published_manifest{{class="{CLASS_ID.hex()}"}}'] == 7
    assert not folder.store.exists()


def test_servers_whose_database_went_away_are_not_ready_and_serve_again_when_it_is_back(
    folder: MakersFolder, postgres_cluster: Cluster
) -> None:
    release, unit = folder.maker.release(5_000), folder.unit()
    with Cluster() as own:  # another one than that of the other tests, because it is stopped
        address = own.new_database()
        database = SharedDatabase.create(address)
        DatabaseStore(database, CLASS_ID).put_release(release)
        database.close()
        with Serving("coap", folder.settings(1, database=address, store=address)) as serving:
            port = coap_port(serving)
            own.stop()
            parts = serving.event("not_ready")
            assert "# TYPE firstboot_requests counter" in serving.get("/metrics")[1], "it stays readable"
            own.start()
            serving.event("ready")
            assert asyncio.run(fetch(folder.maker.coap_source(unit, port), release)) == release.payload
    assert parts["database"] and parts["store"]


def test_two_servers_that_share_a_database_listen_on_one_port(maker: Maker, tmp_path: Path) -> None:
    database = SharedDatabase.create(str(tmp_path / "servers.db"))
    units, store = OscoreStore(tmp_path / "oscore"), FolderStore(tmp_path / "published", CLASS_ID)
    numbers = SharedNumbers(database, units)
    with CoapServer(store, units, maker.tracker(), numbers=numbers) as first:
        with CoapServer(store, units, maker.tracker(), numbers=numbers, port=first.port) as second:
            assert first.port == second.port
    database.close()
