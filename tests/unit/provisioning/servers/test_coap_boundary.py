"""The boundary of the CoAP server: it answers untrusted datagrams and its own failures with a CoAP code."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device.net import coap
from provisioning.keys.file_signer import FileSigner
from provisioning.release.folder_store import FolderStore
from provisioning.servers.coap_boundary import bad_option_answer, is_request_option
from provisioning.servers.coap_server import CoapServer
from provisioning.servers.oscore_store import OscoreStore
from provisioning.servers.tracker import Newest, Tracker
from tests.unit.provisioning.servers.bench import p256

DEVICE_ID = bytes(range(16))
KID = DEVICE_ID[:7]
BAD_OPTION = "4.02"

# Untrusted: CON POST whose OSCORE option announces a Partial IV that is missing.
FOUND_IN_THE_FIELD = bytes.fromhex("41021b58749101ff") + b"x" * 20

Ask = Callable[[bytes], str]


@pytest.fixture
def ask(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Ask]:
    """Send a datagram; return the code of the answer. No request may leave a traceback in a log."""
    units = OscoreStore(tmp_path / "units")
    units.add(DEVICE_ID, b"s" * 16, b"t" * 8)
    tracker = Tracker(FileSigner(p256()), {bytes(16): Newest()}, now=lambda: 0)
    store = FolderStore(tmp_path / "store", bytes(16))
    with CoapServer(store, units, tracker) as server, socket.socket(type=socket.SOCK_DGRAM) as peer:
        peer.connect((server.host, server.port))
        peer.settimeout(600)

        def send(datagram: bytes) -> str:
            peer.send(datagram)
            answer = peer.recv(2000)
            assert answer[2:4] == datagram[2:4]
            return f"{answer[1] >> 5}.{answer[1] & 31:02d}"

        yield send
    assert [one for one in caplog.records if one.exc_info or one.levelno >= logging.ERROR] == []


def post(number: int, value: bytes, message_id: int = 1) -> bytes:
    """Return a confirmable POST with one option."""
    return coap.encode(coap.Message(coap.CON, coap.POST, message_id, b"t", ((number, value),), b"x" * 20))


def test_an_announced_partial_iv_that_is_absent_is_answered_with_4_02(ask: Ask) -> None:
    assert ask(FOUND_IN_THE_FIELD) == BAD_OPTION


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x10",  # a kid context without its length
        b"\x19\x01",
        b"\x19\x01\x05a",  # a kid context that is cut off
        b"\x80",
        b"\x29\x01" + KID,  # the group flag with the kid of a unit
        b"\x0e123456" + KID,  # a Partial IV of six bytes: reserved
        b"\x0f1234567" + KID,
        b"\x08" + KID,  # no Partial IV
        b"\x01\x01",  # no kid
    ],
)
def test_every_malformed_oscore_option_is_answered_with_4_02(ask: Ask, value: bytes) -> None:
    assert ask(post(coap.OSCORE, value)) == BAD_OPTION
    assert not is_request_option(value)


@pytest.mark.parametrize(
    "value", [b"\x09\x01" + KID, b"\x0d12345" + KID, b"\x19\x01\x02ab" + KID, b"\x09\x01"]
)
def test_a_well_formed_oscore_option_passes(value: bytes) -> None:
    assert is_request_option(value)


def test_a_second_oscore_option_is_answered_with_4_02(ask: Ask) -> None:
    good = (coap.OSCORE, b"\x09\x01" + KID)
    message = coap.Message(coap.CON, coap.POST, 1, b"t", (good, good), b"x" * 20)
    assert ask(coap.encode(message)) == BAD_OPTION


@pytest.mark.parametrize("number", [13, 19, 2049, 65001])
def test_an_unknown_critical_option_outside_oscore_is_answered_with_4_02(ask: Ask, number: int) -> None:
    options = ((coap.OSCORE, b"\x09\x01" + KID), (number, b"x"))
    assert ask(coap.encode(coap.Message(coap.CON, coap.POST, 1, b"t", options, b"x" * 20))) == BAD_OPTION


@pytest.mark.parametrize("number", [14, 60, 2050])
def test_an_unknown_elective_option_outside_oscore_is_ignored(ask: Ask, number: int) -> None:
    options = sorted([(coap.OSCORE, b"\x09\x01" + KID), (number, b"x")])
    assert (
        ask(coap.encode(coap.Message(coap.CON, coap.POST, 1, b"t", tuple(options), b"x" * 20))) != BAD_OPTION
    )


def test_a_path_that_is_not_utf_8_is_answered_with_4_02(ask: Ask) -> None:
    assert ask(post(coap.URI_PATH, b"\xff\xfe")) == BAD_OPTION


def test_random_options_get_an_answer_of_class_4(ask: Ask) -> None:
    for message_id in range(1, 400):
        value = os.urandom(message_id % 12)
        for number in (coap.OSCORE, coap.URI_PATH):
            code = ask(post(number, value, message_id * 2 + (number == coap.OSCORE)))
            assert code.startswith("4."), (number, value.hex(), code)


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x40",
        b"\x50\x02\x00\x01",
        b"\x60\x02\x00\x01",
        b"\x40\x45\x00\x01",
        b"\x40\x00\x00\x01",
        b"\x49\x02\x00\x01",
    ],
    ids=["empty", "short", "non-confirmable", "ack", "response", "ping", "token of nine bytes"],
)
def test_only_confirmable_requests_are_answered_with_4_02(datagram: bytes) -> None:
    assert bad_option_answer(datagram) == b""


def test_the_answer_carries_message_id_and_token() -> None:
    assert bad_option_answer(b"\x42\x02\x12\x34tk\xff") == b"\x62\x82\x12\x34tk"
