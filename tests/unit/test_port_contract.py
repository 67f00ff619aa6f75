"""What device.interfaces promises, tried on every port that runs here: the simulator's twins and the host's own.

A new port adds itself to the fixtures; the tests are the contract (docs/porting.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import EntropyError, FlashError, LinkError, StorageError, StorageFullError
from device.layout import MPS2
from device.limits import HTTP_CLIENTS
from device.ports.host import HostClock, HostEntropy, HostNetwork, HostStream
from provisioning.signing.pki import CertificateAuthority
from simulator.ports.clock import SimClock, SimEntropy
from simulator.ports.flash import SimFlash
from simulator.ports.records import LfsRecords, device_records, user_records
from simulator.ports.serial import SerialPipe

UNIT = MPS2.unit_bytes
SECTOR = MPS2.sector_bytes


# Flash -----------------------------------------------------------------------------------------------


@pytest.fixture
def flash() -> SimFlash:
    return SimFlash()


def test_fresh_flash_reads_as_erased(flash: SimFlash) -> None:
    assert flash.read(flash.size_bytes - 10, 10) == b"\xff" * 10


def test_what_was_programmed_is_read_back(flash: SimFlash) -> None:
    data = bytes(range(UNIT)) * 4
    flash.write(SECTOR - 2 * UNIT, data)
    assert flash.read(SECTOR - 2 * UNIT, len(data)) == data


def test_a_unit_is_programmed_once_between_two_erases(flash: SimFlash) -> None:
    flash.write(0, b"a" * UNIT)
    with pytest.raises(FlashError):
        flash.write(0, b"a" * UNIT)
    flash.erase(0)
    flash.write(0, b"b" * UNIT)


def test_erasing_takes_exactly_one_sector(flash: SimFlash) -> None:
    flash.write(SECTOR - UNIT, b"a" * 3 * UNIT)
    flash.erase(0)
    assert flash.read(SECTOR - UNIT, UNIT) == b"\xff" * UNIT
    assert flash.read(SECTOR, 2 * UNIT) == b"a" * 2 * UNIT


@pytest.mark.parametrize(
    ("offset", "length"), [(1, UNIT), (0, UNIT - 1), (0, 0), (MPS2.size_bytes, UNIT), (-UNIT, UNIT)]
)
def test_a_write_that_is_unaligned_empty_or_outside_is_refused(
    flash: SimFlash, offset: int, length: int
) -> None:
    with pytest.raises(FlashError):
        flash.write(offset, b"a" * length)
    assert flash.operations == 0


@pytest.mark.parametrize("offset", [1, UNIT, -SECTOR, MPS2.size_bytes])
def test_an_erase_that_is_unaligned_or_outside_is_refused(flash: SimFlash, offset: int) -> None:
    with pytest.raises(FlashError):
        flash.erase(offset)


@pytest.mark.parametrize(
    ("offset", "length"), [(-1, 1), (0, -1), (MPS2.size_bytes, 1), (0, MPS2.size_bytes + 1)]
)
def test_a_read_outside_is_refused(flash: SimFlash, offset: int, length: int) -> None:
    with pytest.raises(FlashError):
        flash.read(offset, length)


# Records ---------------------------------------------------------------------------------------------


@pytest.fixture(params=[device_records, user_records])
def records(request: pytest.FixtureRequest) -> LfsRecords:
    made: LfsRecords = request.param(SimFlash())
    made.format()
    return made


def test_an_absent_record_is_none(records: LfsRecords) -> None:
    assert records.read("identity") is None


def test_a_record_is_replaced_as_a_whole(records: LfsRecords) -> None:
    records.write("identity", b"long" * 2000)
    records.write("identity", b"short")
    assert records.read("identity") == b"short"


def test_an_empty_record_is_there(records: LfsRecords) -> None:
    records.write("identity", b"")
    assert records.read("identity") == b"" and list(records.names()) == ["identity"]


def test_a_deleted_record_is_absent_and_may_be_deleted_again(records: LfsRecords) -> None:
    records.write("identity", b"x")
    records.delete("identity")
    records.delete("identity")
    assert records.read("identity") is None and list(records.names()) == []


@pytest.mark.parametrize("name", ["", "UPPER", "a/b", "..\x00", "a" * 33, "sp ace", "key.new"])
def test_a_name_outside_the_alphabet_is_refused(records: LfsRecords, name: str) -> None:
    for action in (records.read, records.delete):
        with pytest.raises(StorageError):
            action(name)
    with pytest.raises(StorageError):
        records.write(name, b"")


def test_a_full_region_refuses_and_keeps_what_it_has(records: LfsRecords) -> None:
    records.write("identity", b"kept")
    with pytest.raises(StorageFullError):
        records.write("big", bytes(MPS2.device_bytes))
    assert records.read("identity") == b"kept" and records.read("big") is None
    records.write("small", b"fits")


@given(
    st.lists(
        st.tuples(st.sampled_from(["identity", "setup", "web.key"]), st.none() | st.binary(max_size=3000)),
        max_size=20,
    )
)
def test_records_behave_like_a_dictionary_also_after_a_mount(steps: list[tuple[str, bytes | None]]) -> None:
    flash = SimFlash()
    records = device_records(flash)
    records.format()
    expected: dict[str, bytes] = {}
    for name, data in steps:
        if data is None:
            records.delete(name)
            expected.pop(name, None)
        else:
            records.write(name, data)
            expected[name] = data
        again = device_records(flash)
        again.mount()
        assert {found: again.read(found) for found in again.names()} == expected
        records = again


# Clock and entropy -----------------------------------------------------------------------------------


@pytest.fixture(params=[SimClock, HostClock])
def clock(request: pytest.FixtureRequest) -> Any:
    return request.param()


def test_ticks_stay_below_their_period(clock: Any) -> None:
    assert 0 <= clock.ticks_ms() < 1 << 30


def test_a_distance_of_ticks_is_right_across_the_wrap(clock: Any) -> None:
    assert clock.ticks_diff(5, (1 << 30) - 5) == 10
    assert clock.ticks_diff((1 << 30) - 5, 5) == -10
    assert clock.ticks_diff(7, 7) == 0


def test_ticks_do_not_go_back(clock: Any) -> None:
    first = clock.ticks_ms()
    assert clock.ticks_diff(clock.ticks_ms(), first) >= 0


@pytest.fixture(params=[SimEntropy, HostEntropy])
def entropy(request: pytest.FixtureRequest) -> Any:
    return request.param()


@pytest.mark.parametrize("length", [0, 1, 16, 100])
def test_random_bytes_have_the_length_asked_for(entropy: Any, length: int) -> None:
    assert len(entropy.random_bytes(length)) == length


def test_two_draws_differ(entropy: Any) -> None:
    assert entropy.is_ready() and entropy.random_bytes(16) != entropy.random_bytes(16)


def test_a_source_that_is_not_ready_refuses() -> None:
    unseeded = SimEntropy(is_seeded=False)
    assert not unseeded.is_ready()
    with pytest.raises(EntropyError):
        unseeded.random_bytes(1)


# Streams: TLS over loopback and the serial pipe ---------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> CertificateAuthority:
    return CertificateAuthority.create("test authority")


async def _echo(stream: HostStream) -> None:
    while data := await stream.read(100):
        await stream.write(data)


def _network(time_s: int | None = None) -> HostNetwork:
    return HostNetwork(lambda: time_s, listen_on=("127.0.0.1", 0), addresses={"10.0.2.2": "127.0.0.1"})


def _with_server(
    authority: CertificateAuthority,
    client: Callable[[HostNetwork, int], Awaitable[Any]],
    handler: Callable[[HostStream], Awaitable[None]] = _echo,
    time_s: int | None = None,
) -> Any:
    """Run `client(network, port)` against a TLS server for the name srv.test."""

    async def run() -> Any:
        network = _network(time_s)
        issued = authority.issue_server("srv.test", ["srv.test"])
        server = await network.serve_tls(443, issued.certificate_der, issued.private_key_der, handler)
        try:
            return await client(network, server.port)
        finally:
            await server.close()

    return asyncio.run(run())


def _dial(
    authority: CertificateAuthority, name: str = "srv.test"
) -> Callable[[HostNetwork, int], Awaitable[HostStream]]:
    async def dial(network: HostNetwork, port: int) -> HostStream:
        own = authority.issue_client("unit")
        return await network.open_tls(
            "10.0.2.2", port, name, authority.certificate_der, own.certificate_der, own.private_key_der
        )

    return dial


def test_a_tls_stream_carries_bytes_both_ways(authority: CertificateAuthority) -> None:
    async def client(network: HostNetwork, port: int) -> bytes:
        stream = await _dial(authority)(network, port)
        await stream.write(b"x" * 250)
        data = await stream.readexactly(250)
        await stream.close()
        return data

    assert _with_server(authority, client) == b"x" * 250


def test_the_end_of_a_stream_is_an_empty_read_and_an_error_for_an_exact_one(
    authority: CertificateAuthority,
) -> None:
    async def hang_up(stream: HostStream) -> None:
        await stream.write(b"bye")

    async def client(network: HostNetwork, port: int) -> bytes:
        stream = await _dial(authority)(network, port)
        assert await stream.readexactly(3) == b"bye"
        end = await stream.read(10)
        with pytest.raises(LinkError):
            await stream.readexactly(1)
        await stream.close()
        return end

    assert _with_server(authority, client, hang_up) == b""


def test_a_server_with_another_name_is_refused(authority: CertificateAuthority) -> None:
    with pytest.raises(LinkError, match="Hostname"):
        _with_server(authority, _dial(authority, "other.test"))


def test_a_server_of_another_authority_is_refused(authority: CertificateAuthority) -> None:
    with pytest.raises(LinkError, match="issuer"):
        _with_server(CertificateAuthority.create("test authority"), _dial(authority))


def test_a_client_certificate_does_not_pass_for_a_server(authority: CertificateAuthority) -> None:
    async def run() -> None:
        network = _network()
        issued = authority.issue_client("srv.test")
        server = await network.serve_tls(443, issued.certificate_der, issued.private_key_der, _echo)
        try:
            await _dial(authority)(network, server.port)
        finally:
            await server.close()

    with pytest.raises(LinkError):
        asyncio.run(run())


@pytest.mark.parametrize(("time_s", "words"), [(1_000_000, "not yet valid"), (4_000_000_000, "expired")])
def test_with_trusted_time_the_dates_are_checked(
    authority: CertificateAuthority, time_s: int, words: str
) -> None:
    with pytest.raises(LinkError, match=words):
        _with_server(authority, _dial(authority), time_s=time_s)


def test_a_closed_port_is_a_link_error(authority: CertificateAuthority) -> None:
    async def client(network: HostNetwork, port: int) -> int:
        return port

    port = _with_server(authority, client)
    with pytest.raises(LinkError):
        asyncio.run(_dial(authority)(_network(), port))


def test_a_client_beyond_the_bound_is_closed_and_the_others_are_served(
    authority: CertificateAuthority,
) -> None:
    async def client(network: HostNetwork, port: int) -> bytes:
        inside = [await _dial(authority)(network, port) for _ in range(HTTP_CLIENTS)]
        for stream in inside:  # each is being served, not only connected
            await stream.write(b"a")
            assert await stream.readexactly(1) == b"a"
        outside = await _dial(authority)(network, port)
        refused = await outside.read(1)
        for stream in [*inside, outside]:
            await stream.close()
        return refused

    assert _with_server(authority, client) == b""


def test_a_datagram_arrives_or_the_wait_ends() -> None:
    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            self.transport.sendto(data, addr)

    async def run() -> tuple[bytes | None, bytes | None]:
        loop = asyncio.get_running_loop()
        peer, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
        datagram = await _network().open_udp("10.0.2.2", peer.get_extra_info("sockname")[1])
        await datagram.send(b"ping")
        found = await datagram.receive(5000)
        silence = await datagram.receive(10)
        datagram.close()
        with pytest.raises(LinkError):
            await datagram.send(b"late")
        peer.close()
        return found, silence

    assert asyncio.run(run()) == (b"ping", None)


def test_a_serial_line_carries_bytes_both_ways() -> None:
    async def run() -> None:
        pipe = SerialPipe()
        unit = await pipe.open_unit()
        pipe.station.write(b"to the unit")
        assert await unit.readexactly(11) == b"to the unit"
        await unit.write(b"back")
        assert await asyncio.to_thread(pipe.station.read, 5) == b"back"
        assert await asyncio.to_thread(pipe.station.read, 0.01) == b""
        await unit.close()
        pipe.close()

    asyncio.run(run())


def test_a_serial_line_stays_up_while_the_unit_restarts() -> None:
    async def run() -> None:
        pipe = SerialPipe()
        await (await pipe.open_unit()).close()
        again = await pipe.open_unit()
        pipe.station.write(b"hello")
        assert await again.readexactly(5) == b"hello"
        await again.close()
        pipe.close()

    asyncio.run(run())


def test_a_closed_serial_line_is_a_link_error() -> None:
    pipe = SerialPipe()
    pipe.close()
    with pytest.raises(LinkError):
        pipe.station.read(5)
    with pytest.raises(LinkError):
        pipe.station.write(b"x")


def test_noise_on_a_serial_line_reaches_both_ends() -> None:
    async def run() -> None:
        pipe = SerialPipe(noise=lambda data: data.replace(b"a", b"?"))
        unit = await pipe.open_unit()
        pipe.station.write(b"banana")
        assert await unit.readexactly(6) == b"b?n?n?"
        await unit.write(b"papaya")
        assert await asyncio.to_thread(pipe.station.read, 5) == b"p?p?y?"
        await unit.close()
        pipe.close()

    asyncio.run(run())
