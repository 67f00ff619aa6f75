"""Both halves of the factory port against each other, over a line that loses, repeats and adds bytes."""

from __future__ import annotations

import secrets
import socket
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.codec import cbor
from device.codec.frame import FrameDecoder, encode_frame
from device.crypto import backend, der
from device.errors import FactoryError, LimitError, LinkError, LinkTimeoutError, LockedError, ProtocolError
from provisioning.station.link import ERRORS, FactoryLink, HandlerStream, SocketStream, open_port
from tests.unit.provisioning.station.station_bench import MemoryUnit

NONCE = bytes(16)
CLEAN, LOSE_REQUEST, LOSE_ANSWER, TWICE, DAMAGE_ANSWER, NOISE = range(6)


class FaultyStream:
    """A line to a unit; each write suffers the next fault of the plan, then none."""

    def __init__(self, unit: MemoryUnit, plan: list[int]) -> None:
        self._inner = unit.stream()
        self._plan = list(plan)
        self._received = bytearray()

    def write(self, data: bytes) -> None:
        fault = self._plan.pop(0) if self._plan else CLEAN
        if fault == LOSE_REQUEST:
            data = data[: len(data) // 2]
        if fault == NOISE:
            self._inner.write(b"\xdb\x00noise\xc0")
            self._received += b"\xc0boot banner\r\n\xff"
        self._inner.write(data * 2 if fault == TWICE else data)
        answer = bytearray(self._inner.read(0))
        if fault == LOSE_ANSWER:
            answer.clear()
        if fault == DAMAGE_ANSWER and len(answer) > 4:
            answer[3] ^= 0x10
        self._received += answer

    def read(self, timeout_s: float) -> bytes:
        data, self._received = (
            bytes(self._received[:7]),
            self._received[7:],
        )  # a line delivers in small pieces
        return data


def link_to(unit: MemoryUnit, plan: list[int] | None = None, **options: object) -> FactoryLink:
    return FactoryLink(FaultyStream(unit, plan or []), timeout_s=0.02, **options)  # type: ignore[arg-type]


@given(st.lists(st.sampled_from([CLEAN, LOSE_REQUEST, LOSE_ANSWER, TWICE, DAMAGE_ANSWER, NOISE]), max_size=3))
@settings(max_examples=40)
def test_a_record_arrives_whole_whatever_three_faults_the_line_has(plan: list[int]) -> None:
    unit, data = MemoryUnit(), secrets.token_bytes(5000)
    link_to(unit, plan).write("statement", data)
    assert unit.store.read("statement") == data


def test_a_lost_answer_does_not_draw_a_second_key() -> None:
    unit = MemoryUnit()
    link = link_to(unit, [LOSE_ANSWER])
    request = link.make_key("device")
    assert link.repeats == 1 and unit.entropy.draws == 1
    assert der.public_key_info(backend.p256_public(unit.store.require("device.key"))) in request


def test_a_silent_unit_is_a_timeout_after_the_stated_attempts() -> None:
    written: list[bytes] = []

    class Silent:
        def write(self, data: bytes) -> None:
            written.append(data)

        def read(self, timeout_s: float) -> bytes:
            return b""

    with pytest.raises(LinkTimeoutError):
        FactoryLink(Silent(), timeout_s=0.01, attempts=3).hello(NONCE)
    assert len(written) == 3 and len(set(written)) == 1


def test_a_late_answer_to_another_request_is_ignored() -> None:
    def handle(request: bytes) -> bytes:
        sequence = cbor.decode(request)[0]
        return cbor.encode([sequence, 0, {"board": "right"}])

    class Late(HandlerStream):
        def read(self, timeout_s: float) -> bytes:
            stale = encode_frame(cbor.encode([1, 0, {"board": "wrong"}]))
            return stale + super().read(timeout_s)

    link = FactoryLink(Late(handle), timeout_s=1)
    assert link.hello(NONCE) == {"board": "right"}
    assert link.ignored == 1


@pytest.mark.parametrize(
    "answer",
    [b"", b"\xff", cbor.encode([]), cbor.encode([1, 0]), cbor.encode([True, 0, {}]), cbor.encode({1: 2})],
)
def test_what_is_no_answer_is_never_taken_for_one(answer: bytes) -> None:
    link = FactoryLink(HandlerStream(lambda request: answer or b"\x00"), timeout_s=0.02, attempts=1)
    with pytest.raises(LinkTimeoutError):
        link.hello(NONCE)


def test_an_answer_without_its_result_is_a_protocol_error() -> None:
    stream = HandlerStream(lambda request: cbor.encode([cbor.decode(request)[0], 0, {}]))
    with pytest.raises(ProtocolError):
        FactoryLink(stream).seal()


def test_a_refusal_arrives_as_its_own_class_with_the_units_reason() -> None:
    unit = MemoryUnit()
    with pytest.raises(FactoryError, match=r"by=unit .*reason=.*name"):
        link_to(unit).digest("device.key")
    unit.lock()
    with pytest.raises(LockedError):
        link_to(unit).seal()


def test_an_unknown_error_number_is_a_factory_error() -> None:
    stream = HandlerStream(lambda request: cbor.encode([cbor.decode(request)[0], 59999, {"reason": "?"}]))
    with pytest.raises(FactoryError, match="number=59999"):
        FactoryLink(stream).seal()


def test_every_error_number_of_the_device_is_known_to_the_link() -> None:
    assert ERRORS[601] is LockedError and ERRORS[104] is LimitError
    assert all(kind.code == number for number, kind in ERRORS.items())


def test_the_log_names_records_and_lengths_and_no_content() -> None:
    unit, log = MemoryUnit(), []
    secret = b"canary" * 8
    link_to(unit, log=log.append).write("setup", secret)
    text = "\n".join(log)
    assert "setup 48 of 48 bytes" in text
    assert "canary" not in text and secret.hex() not in text


def test_a_broken_stream_is_a_link_error() -> None:
    class Broken:
        def write(self, data: bytes) -> None:
            raise BrokenPipeError

        def read(self, timeout_s: float) -> bytes:
            return b""

    with pytest.raises(LinkError, match="write failed"):
        FactoryLink(Broken()).hello(NONCE)


def test_the_link_works_over_a_unix_socket(tmp_path: Path) -> None:
    unit = MemoryUnit()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "port"))
        listener.listen(1)
        server = threading.Thread(target=_serve, args=(listener, unit))
        server.start()
        stream = open_port(f"unix:{tmp_path / 'port'}")
        try:
            assert FactoryLink(stream).hello(NONCE)["board"] == unit.board
        finally:
            stream.close()
            server.join()


def _serve(listener: socket.socket, unit: MemoryUnit) -> None:
    connection, _ = listener.accept()
    decoder = FrameDecoder()
    with connection:
        while data := connection.recv(100):
            for payload in decoder.feed(data):
                connection.sendall(encode_frame(unit.handle(payload)))


def test_a_port_that_was_closed_is_a_link_error() -> None:
    near, far = socket.socketpair()
    far.close()
    with near, pytest.raises(LinkError):
        SocketStream(near).read(0.1)


@pytest.mark.parametrize("address", ["", "tcp:", "tcp:host", "tcp:host:x", "serial:/dev/null", "unix:"])
def test_an_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="use tcp:HOST:PORT or unix:PATH"):
        open_port(address)


def test_a_port_without_a_server_is_a_link_error(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="cannot open"):
        open_port(f"unix:{tmp_path / 'nothing'}")
