"""The device's CoAP source with OSCORE against our server, over good and bad networks, restarts included."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.errors import LinkTimeoutError, PeerRefusedError, ProtocolError
from device.net import coap
from device.ports.host import HostClock, HostNetwork
from device.records import freshness
from provisioning.publishing.coap import CoapPublisher
from provisioning.release.folder_store import FolderStore
from provisioning.servers.coap_server import CoapServer
from provisioning.servers.errors import PortBusyError
from provisioning.servers.oscore_store import OscoreStore
from provisioning.servers.tracker import Tracker
from tests.interop.support.lossy import LossyNetwork, is_request
from tests.interop.support.maker import CLASS_ID, NOW_S, Maker, Unit, fetch_payload, freshness_request

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("patient_unit")]
ANSWER_MS = 600_000  # an idle machine needs milliseconds


class Site:
    """A server with its store, its units and its tracker."""

    def __init__(self, maker: Maker, directory: Path) -> None:
        self.maker = maker
        self.publisher = CoapPublisher(FolderStore(directory / "store", CLASS_ID))
        self.units = OscoreStore(directory / "units")
        self.tracker: Tracker = maker.tracker()
        self.server = CoapServer(self.publisher.store, self.units, self.tracker)

    def unit(self) -> Unit:
        unit = self.maker.unit()
        self.units.add(unit.device_id, unit.secret, unit.salt)
        return unit

    def using(self, unit: Unit, work, network: object = None):
        """Open a source as `unit`, run `work(source)`, close it."""

        async def run():
            source = self.maker.coap_source(unit, self.server.port, network)
            await source.open()
            try:
                return await work(source)
            finally:
                await source.close()

        return asyncio.run(run())


@pytest.fixture
def site(maker: Maker, tmp_path: Path) -> Iterator[Site]:
    site = Site(maker, tmp_path)
    with site.server:
        yield site


def host_network() -> HostNetwork:
    return HostNetwork(HostClock().trusted_time)


@pytest.fixture
def quick_retransmission(patient_unit: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost datagram is sent again soon, and often."""
    monkeypatch.setattr(coap, "ACK_TIMEOUT_MS", 200)
    monkeypatch.setattr(coap, "MAX_RETRANSMIT", 10)


def test_a_release_travels_whole(site: Site) -> None:
    release = site.maker.release()
    site.publisher.publish_release(release)

    async def work(source):
        assert await source.envelope() == release.envelope
        return await fetch_payload(source, release)

    assert site.using(site.unit(), work) == release.payload


def test_a_transfer_starts_at_any_chunk_in_any_order(site: Site) -> None:
    release = site.maker.release()
    site.publisher.publish_release(release)
    wanted = [24, 3, 11]
    got = site.using(site.unit(), lambda source: fetch_payload(source, release, wanted))
    assert got == b"".join(release.payload[index * 4096 : (index + 1) * 4096] for index in wanted)


def test_what_is_not_published_is_none_or_refused(site: Site) -> None:
    async def work(source):
        assert await source.envelope() is None
        assert await source.support() is None
        with pytest.raises(PeerRefusedError):
            await source.object(bytes(32), 32)

    site.using(site.unit(), work)


def test_a_record_that_vanished_from_the_store_is_not_called_unpublished(site: Site) -> None:
    site.publisher.publish_keyset(b"keys")
    folder = site.publisher.store.directory

    async def work(source):
        assert await source.keyset() == b"keys"
        folder.rename(folder.with_name("away"))
        with pytest.raises(PeerRefusedError, match=r"5\.03"):
            await source.keyset()
        assert await source.contact() is None, "it never was there"
        folder.with_name("away").rename(folder)
        assert await source.keyset() == b"keys"

    site.using(site.unit(), work)


def test_the_tracker_answers_with_the_nonce_and_its_time(site: Site) -> None:
    nonce, request = freshness_request()
    record = site.using(site.unit(), lambda source: source.freshness(request))
    assert site.maker.verify_freshness(record) == freshness.encode_payload(CLASS_ID, nonce, NOW_S, 7, 3)


def test_a_damaged_freshness_request_is_refused(site: Site) -> None:
    async def work(source):
        with pytest.raises(PeerRefusedError):
            await source.freshness(b"\xa0")

    site.using(site.unit(), work)


def test_a_report_is_kept_under_the_full_device_id(site: Site) -> None:
    unit = site.unit()
    site.using(unit, lambda source: source.report(b"\xa1\x01\x02"))
    (report,) = site.tracker.reports
    assert (report.device, report.source, report.fields()) == (unit.device_id.hex(), "coap", {1: 2})


def test_a_unit_added_while_the_server_runs_is_served_at_once(site: Site) -> None:
    first = site.unit()
    site.using(first, lambda source: source.report(b"\xa0"))
    second = site.unit()
    site.using(second, lambda source: source.report(b"\xa0"))
    assert [report.device for report in site.tracker.reports] == [
        first.device_id.hex(),
        second.device_id.hex(),
    ]


def test_an_unknown_unit_is_refused(site: Site) -> None:
    async def work(source):
        with pytest.raises(PeerRefusedError, match=r"4\.01 unprotected"):
            await source.envelope()

    site.using(site.maker.unit(), work)


def test_a_unit_with_another_secret_is_refused(site: Site) -> None:
    unit = site.unit()
    unit.secret = bytes(16)

    async def work(source):
        with pytest.raises(PeerRefusedError, match="unprotected"):
            await source.envelope()

    site.using(unit, work)


def test_after_a_restart_of_the_unit_its_numbers_continue(site: Site) -> None:
    unit = site.unit()
    for _ in range(3):
        site.using(unit, lambda source: source.report(b"\xa0"))
    assert len(site.tracker.reports) == 3
    assert unit.reserved == [1024, 2048, 3072]


def test_a_unit_whose_numbers_went_back_is_refused(site: Site) -> None:
    unit = site.unit()
    for _ in range(2):
        site.using(unit, lambda source: source.report(b"\xa0"))
    unit.reserved.clear()

    async def work(source):
        with pytest.raises(PeerRefusedError, match="unprotected"):
            await source.report(b"\xa0")

    site.using(unit, work)
    assert len(site.tracker.reports) == 2


def test_a_restarted_server_challenges_with_echo_and_then_answers(site: Site) -> None:
    release = site.maker.release()
    site.publisher.publish_release(release)
    unit = site.unit()
    network = LossyNetwork(host_network())

    async def work(source):
        digests = await source.object(release.chunk_list_digest, len(release.chunk_list))
        source.plan(release.payload_digest, len(release.payload), [], [0, 1, 2])
        first = bytes(await source.chunk(0))
        sent = network.requests
        await source.chunk(1)
        assert network.requests == sent + 4
        await asyncio.to_thread(site.server.stop)
        await asyncio.to_thread(site.server.start)
        last = bytes(await source.chunk(2))
        assert network.requests == sent + 4 + 5, "one request more: the challenge"
        assert digests == release.chunk_list
        return first + last

    expected = release.payload[:4096] + release.payload[8192:12288]
    assert site.using(unit, work, network) == expected


@pytest.mark.usefixtures("quick_retransmission")
def test_a_transfer_survives_a_server_that_is_away_for_a_moment(site: Site) -> None:
    release = site.maker.release(20_000)
    site.publisher.publish_release(release)

    async def work(source):
        source.plan(release.payload_digest, len(release.payload), [], [0, 1])
        await source.chunk(0)
        await asyncio.to_thread(site.server.stop)
        reading = asyncio.ensure_future(source.chunk(1))
        await asyncio.sleep(0.05)
        await asyncio.to_thread(site.server.start)
        return bytes(await reading)

    assert site.using(site.unit(), work) == release.payload[4096:8192]


def test_a_replayed_request_is_not_carried_out_twice(site: Site) -> None:
    captured: list[bytes] = []

    def keep(count: int, data: bytes) -> list[bytes]:
        if is_request(data):
            captured.append(data)
        return [data]

    site.using(site.unit(), lambda source: source.report(b"\xa0"), LossyNetwork(host_network(), keep))

    async def replay():
        datagram = await host_network().open_udp("127.0.0.1", site.server.port)
        try:
            for data in captured:
                await datagram.send(data[:2] + b"\x77\x77" + data[4:])  # another message id: no duplicate
                answer = coap.decode(await datagram.receive(ANSWER_MS))
                assert answer.code == coap.UNAUTHORIZED
                assert coap.find_option(answer, coap.OSCORE) is None
        finally:
            datagram.close()

    asyncio.run(replay())
    assert len(site.tracker.reports) == 1


@pytest.mark.parametrize(
    "path",
    [
        ("fb", CLASS_ID.hex(), "manifest"),
        ("fb", "fresh"),
        (".well-known", "core"),
        (".well-known", "edhoc"),
        (),
    ],
)
def test_what_is_not_protected_is_answered_with_4_01(site: Site, path: tuple[str, ...]) -> None:
    site.publisher.publish_release(site.maker.release(5000))

    async def ask():
        datagram = await host_network().open_udp("127.0.0.1", site.server.port)
        options = tuple((coap.URI_PATH, part.encode()) for part in path)
        try:
            for code in (coap.GET, coap.POST):
                await datagram.send(coap.encode(coap.Message(coap.CON, code, code, b"", options, b"")))
                answer = coap.decode(await datagram.receive(ANSWER_MS))
                assert (answer.code, answer.payload) == (coap.UNAUTHORIZED, b"")
        finally:
            datagram.close()

    asyncio.run(ask())


@pytest.mark.usefixtures("quick_retransmission")
def test_lost_and_doubled_datagrams_cost_time_only(site: Site) -> None:
    release = site.maker.release(30_000)
    site.publisher.publish_release(release)

    def bad(count: int, data: bytes) -> list[bytes]:
        return [] if count % 5 == 0 else [data, data] if count % 3 == 0 else [data]

    network = LossyNetwork(host_network(), bad, bad)
    assert site.using(site.unit(), lambda source: fetch_payload(source, release), network) == release.payload


def test_datagrams_of_strangers_are_ignored(site: Site) -> None:
    site.publisher.publish_support(b"record")

    def noise(count: int, data: bytes) -> list[bytes]:
        other = coap.decode(data)._replace(token=b"strange", payload=b"forged")
        return [b"", b"\xff" * 40, coap.encode(other), data]

    network = LossyNetwork(host_network(), filter_received=noise)
    assert site.using(site.unit(), lambda source: source.support(), network) == b"record"


def test_a_damaged_answer_ends_the_request_with_a_typed_error(site: Site) -> None:
    site.publisher.publish_support(b"record")

    def damage(count: int, data: bytes) -> list[bytes]:
        return [data[:-1] + bytes((data[-1] ^ 1,))]

    async def work(source):
        with pytest.raises(ProtocolError):
            await source.support()

    site.using(site.unit(), work, LossyNetwork(host_network(), filter_received=damage))


def test_an_answer_to_another_request_is_refused(site: Site) -> None:
    """A man in the middle answers a request with the recorded, genuine answer to an earlier one."""
    site.publisher.publish_support(b"record")
    answers: list[bytes] = []

    def swap(count: int, data: bytes) -> list[bytes]:
        head = coap.decode(data)
        if head.code == coap.EMPTY:  # the receipt of a server that is late
            return [data]
        answers.append(data)
        if len(answers) < 3:
            return [data]
        old = coap.decode(answers[1])
        return [coap.encode(old._replace(mtype=head.mtype, message_id=head.message_id, token=head.token))]

    async def work(source):
        assert await source.support() == b"record"
        with pytest.raises(ProtocolError):
            await source.support()

    site.using(site.unit(), work, LossyNetwork(host_network(), filter_received=swap))


def test_a_payload_that_changes_in_the_middle_of_a_chunk_is_refused(site: Site) -> None:
    release = site.maker.release(20_000)
    site.publisher.publish_release(release)

    def change(count: int, data: bytes) -> list[bytes]:
        if network.requests == 4:  # the challenge, one answer of the first chunk, then between its blocks
            site.publisher.put_raw(f"o/{release.payload_digest.hex()}", bytes(len(release.payload)))
        return [data]

    async def work(source):
        source.plan(release.payload_digest, len(release.payload), [], [0])
        with pytest.raises(ProtocolError, match="ETag"):
            await source.chunk(0)

    network = LossyNetwork(host_network(), filter_sent=change)
    site.using(site.unit(), work, network)


def test_a_server_that_is_gone_ends_in_a_timeout(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coap, "ACK_TIMEOUT_MS", 10)
    site.server.stop()

    async def work(source):
        with pytest.raises(LinkTimeoutError):
            await source.envelope()

    site.using(site.unit(), work)


def test_a_busy_port_is_a_typed_error(site: Site) -> None:
    second = CoapServer(site.publisher.store, site.units, site.tracker, port=site.server.port)
    with pytest.raises(PortBusyError):
        second.start()
