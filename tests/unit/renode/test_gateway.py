"""The network gateway with a fake board in Python: SLIP, isolation, forwarded ports, power cycles, limits."""

import contextlib
import socket
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renode import gateway as gateway_module
from renode.errors import GatewayError, ToolMissingError
from renode.gateway import Gateway, is_wanted
from renode.libslirp import SlirpStack
from renode.slip import SlipDecoder, slip_encode
from tests.patience import until

TIMEOUT_S = 600  # of a socket, which cannot be looked at meanwhile; an idle machine needs milliseconds
DEVICE, HOST = socket.inet_aton("10.0.2.15"), socket.inet_aton("10.0.2.2")
UDP, TCP = 17, 6
SYN, RST, ACK = 2, 4, 16


def checksum(data: bytes) -> bytes:
    data += b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (total ^ 0xFFFF).to_bytes(2, "big")


def ipv4(payload: bytes, protocol: int, *, source: bytes = DEVICE, target: bytes = HOST) -> bytes:
    length = (20 + len(payload)).to_bytes(2, "big")
    head = b"\x45\0" + length + b"\0\1\0\0\x40" + bytes([protocol])
    return head + checksum(head + b"\0\0" + source + target) + source + target + payload


def udp(payload: bytes, port: int) -> bytes:
    return (
        (4000).to_bytes(2, "big")
        + port.to_bytes(2, "big")
        + (8 + len(payload)).to_bytes(2, "big")
        + b"\0\0"
        + payload
    )


def tcp_reply(request: bytes, flags: int) -> bytes:
    """Return a TCP segment without data that answers `request`, an IPv4 packet with a TCP segment."""
    segment = request[20:]
    acknowledged = (int.from_bytes(segment[4:8], "big") + 1) & 0xFFFFFFFF
    head = segment[2:4] + segment[0:2] + b"\0\0\0\1" + acknowledged.to_bytes(4, "big")
    head += bytes([0x50, flags]) + b"\x10\0"
    pseudo = DEVICE + request[12:16] + bytes([0, TCP, 0, 20])
    return ipv4(head + checksum(pseudo + head + bytes(4)) + b"\0\0", TCP, target=request[12:16])


class FakeBoard:
    """The board's end of a line."""

    def __init__(self) -> None:
        self.end, self.line = socket.socketpair()
        self.end.settimeout(TIMEOUT_S)
        self._decoder = SlipDecoder()
        self._packets: list[bytes] = []

    def send(self, packet: bytes) -> None:
        self.end.sendall(slip_encode(packet))

    def receive(self, protocol: int) -> bytes:
        while True:
            while self._packets:
                packet = self._packets.pop(0)
                if packet[9] == protocol:
                    return packet
            data = self.end.recv(65536)
            assert data, "the gateway closed the line"
            self._packets += self._decoder.feed(data)

    def close(self) -> None:
        self.end.close()


@pytest.fixture
def gateway():
    gateway = Gateway()
    try:
        gateway.start()
    except ToolMissingError as error:
        pytest.skip(str(error))
    yield gateway
    gateway.close()


@pytest.fixture
def board(gateway):
    board = FakeBoard()
    gateway.attach(board.line, is_mux=False)
    yield board
    board.close()


@pytest.fixture
def echo_port():
    """Run a UDP service on the host's loopback that answers with the reversed datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service:
        service.bind(("127.0.0.1", 0))
        service.settimeout(0.05)
        is_stopping = threading.Event()

        def serve() -> None:
            while not is_stopping.is_set():
                with contextlib.suppress(TimeoutError):
                    data, peer = service.recvfrom(2048)
                    service.sendto(data[::-1], peer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield service.getsockname()[1]
        is_stopping.set()
        thread.join()


# -- SLIP ---------------------------------------------------------------------------------------------


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=5), st.integers(1, 50))
def test_whatever_is_framed_comes_out_whole_however_the_line_cuts_it(packets, step):
    line = b"".join(slip_encode(packet) for packet in packets)
    decoder, found = SlipDecoder(), []
    for at in range(0, len(line), step):
        found += decoder.feed(line[at : at + step])
    assert (found, decoder.damaged) == (packets, 0)


@given(st.binary(max_size=400), st.binary(min_size=1, max_size=100))
def test_after_any_garbage_the_next_frame_comes_out(garbage, packet):
    assert SlipDecoder().feed(garbage + slip_encode(packet))[-1] == packet


def test_a_frame_with_an_unknown_escape_is_dropped_and_counted():
    decoder = SlipDecoder()
    assert decoder.feed(b"\xc0ab\xdbx\xc0" + slip_encode(b"good")) == [b"good"]
    assert decoder.damaged == 1


def test_an_endless_frame_is_dropped_without_being_kept():
    decoder = SlipDecoder(max_bytes=100)
    for _ in range(1000):
        assert decoder.feed(b"x" * 1000) == []
    assert len(decoder._pending) == 0
    assert decoder.feed(b"\xc0" + slip_encode(b"good")) == [b"good"]
    assert decoder.damaged == 1


# -- what a board may send ------------------------------------------------------------------------------

UNWANTED = {
    "too short": ipv4(b"", UDP)[:19],
    "not version 4": b"\x65" + ipv4(b"", UDP)[1:],
    "header length below 20": b"\x44" + ipv4(b"", UDP)[1:],
    "longer than it says": ipv4(b"", UDP) + b"x",
    "shorter than it says": ipv4(b"abc", UDP)[:-1],
    "not from the board": ipv4(b"", UDP, source=socket.inet_aton("10.0.2.16")),
    "to somewhere else": ipv4(b"", UDP, target=socket.inet_aton("192.0.2.1")),
    "to the name server": ipv4(b"", UDP, target=socket.inet_aton("10.0.2.3")),
    "broadcast": ipv4(b"", UDP, target=b"\xff" * 4),
}


@pytest.mark.parametrize("packet", UNWANTED.values(), ids=UNWANTED.keys())
def test_a_packet_that_is_not_the_boards_own_to_the_host_is_unwanted(packet):
    assert not is_wanted(packet, is_isolated=True)


def test_a_packet_to_the_host_is_wanted():
    assert is_wanted(ipv4(b"x", UDP), is_isolated=True)


def test_only_an_explicit_wish_lets_a_board_talk_to_others():
    assert is_wanted(UNWANTED["to somewhere else"], is_isolated=False)


# -- through the stack ----------------------------------------------------------------------------------


def test_a_datagram_reaches_a_service_of_the_host_and_its_answer_comes_back(board, echo_port):
    board.send(ipv4(udp(b"hello", echo_port), UDP))
    answer = board.receive(UDP)
    assert (answer[12:16], answer[16:20], answer[28:]) == (HOST, DEVICE, b"olleh")


def test_garbage_on_the_line_hurts_nothing(gateway, board, echo_port):
    board.end.sendall(bytes(range(256)) * 40 + b"\xc0")
    board.send(UNWANTED["to somewhere else"])
    board.send(ipv4(b"\xff" * 40, TCP))
    board.send(ipv4(udp(b"still here", echo_port), UDP))
    assert board.receive(UDP)[28:] == b"ereh llits"
    assert gateway.counters.dropped_unwanted >= 1


def test_on_a_mux_line_the_escape_byte_is_doubled_towards_the_board(gateway, echo_port):
    board = FakeBoard()
    gateway.attach(board.line, is_mux=True)
    board.send(ipv4(udp(b"a\x01b", echo_port), UDP))
    data = b""
    while b"b\x01\x01a" not in data:
        part = board.end.recv(65536)
        assert part
        data += part
    board.close()


def test_a_connection_to_the_forwarded_port_arrives_at_the_boards_port_443(gateway, board):
    with socket.create_connection(("127.0.0.1", gateway.host_port(443)), TIMEOUT_S):
        request = board.receive(TCP)
    assert (request[16:20], int.from_bytes(request[22:24], "big"), request[33]) == (DEVICE, 443, SYN)


def test_a_port_that_the_board_refuses_ends_the_hosts_connection(gateway, board):
    with socket.create_connection(("127.0.0.1", gateway.host_port(443)), TIMEOUT_S) as client:
        client.settimeout(TIMEOUT_S)
        board.send(tcp_reply(board.receive(TCP), RST | ACK))
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""


def test_after_a_power_cycle_the_port_is_the_same_and_old_connections_are_gone(gateway, board, echo_port):
    port = gateway.host_port(443)
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as old:
        board.receive(TCP)
        board.close()
        again = FakeBoard()
        gateway.attach(again.line, is_mux=False)
        old.settimeout(TIMEOUT_S)
        with contextlib.suppress(ConnectionResetError):
            assert old.recv(1) == b""
    assert gateway.host_port(443) == port
    again.send(ipv4(udp(b"hello", echo_port), UDP))
    assert again.receive(UDP)[28:] == b"olleh"
    again.close()


def test_a_connection_ends_when_the_board_goes_off(gateway, board):
    with socket.create_connection(("127.0.0.1", gateway.host_port(443)), TIMEOUT_S) as client:
        board.receive(TCP)
        board.close()
        client.settimeout(TIMEOUT_S)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""


def test_a_board_that_does_not_read_costs_bounded_memory(gateway, board, echo_port, monkeypatch):
    monkeypatch.setattr(gateway_module, "LINE_QUEUE_BYTES", 4096)

    def is_full():
        for _ in range(20):
            board.send(ipv4(udp(b"x" * 1000, echo_port), UDP))
        return gateway.counters.dropped_queue_full > 0

    until("a full queue", is_full)
    assert len(gateway._to_line) <= 4096


def test_two_gateways_do_not_meet(gateway, board, echo_port):
    other = Gateway()
    other.start()
    other_board = FakeBoard()
    other.attach(other_board.line, is_mux=False)
    try:
        assert other.host_port(443) != gateway.host_port(443)
        other_board.send(ipv4(udp(b"two", echo_port), UDP))
        board.send(ipv4(udp(b"one", echo_port), UDP))
        assert board.receive(UDP)[28:] == b"eno"
        assert other_board.receive(UDP)[28:] == b"owt"
    finally:
        other_board.close()
        other.close()


def test_close_ends_the_thread_and_the_port(gateway):
    port = gateway.host_port(443)
    gateway.close()
    gateway.close()
    assert "gateway" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
    with pytest.raises(GatewayError):
        gateway.attach(socket.socket(), is_mux=False)


def test_a_missing_library_names_the_debian_package(monkeypatch):
    monkeypatch.setattr("renode.libslirp._LIBRARY_NAMES", ("no-such-library.so",))
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    gateway = Gateway()
    with pytest.raises(ToolMissingError, match="libslirp0"):
        gateway.start()
    gateway.close()


def test_while_nothing_happens_the_gateway_sleeps(gateway, board, monkeypatch):
    turns = []
    poll_requests = SlirpStack.poll_requests
    monkeypatch.setattr(SlirpStack, "poll_requests", lambda stack: (turns.append(1), poll_requests(stack))[1])
    begun_s = time.monotonic()
    time.sleep(1)
    count = len(turns)
    assert count < 20 * (time.monotonic() - begun_s)
