"""The fuzz targets: one function for each parser of untrusted bytes. If it raises, the parser has a fault.

A parser may raise FirstbootError and nothing else. Accepted input must survive a round trip, if there is an encoder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from device.codec import bundle, cbor, cose
from device.errors import FirstbootError, SetupCodeError
from device.net import captive_dns, coap, improv, improv_ble, mdns, mqtt, mqtt_session
from device.suit import commands, envelope, manifest, report
from device.trust import anchors, keyset
from device.update import delta
from provisioning.keys.file_signer import FileSigner
from provisioning.servers.mqtt_client import MqttAccess
from provisioning.servers.tracker import MqttTracker, Newest, Tracker
from tests.fuzz import hostile_broker

_TRACKER = Tracker(FileSigner(ec.generate_private_key(ec.SECP256R1())), {bytes(16): Newest()}, now=lambda: 0)
_NO_FILE = Path("none")
_TRACKER_LINK = MqttTracker(_TRACKER, MqttAccess("127.0.0.1", 1, "none", _NO_FILE, _NO_FILE, _NO_FILE))


def fuzz_cbor(data: bytes) -> None:
    """Fuzz CBOR: accepted bytes are the one encoding of their value; also as a bundle of application files."""
    try:
        bundle.decode(lambda offset, length: data[offset : offset + length], len(data))
    except FirstbootError:
        pass
    try:
        value = cbor.decode(data)
    except FirstbootError:
        return
    assert cbor.encode(value) == data


def fuzz_cose(data: bytes) -> None:
    """Fuzz the structure of signatures, and the records with them."""
    for parse in (cose.decode, anchors.decode, keyset.decode):
        try:
            parse(data)
        except FirstbootError:
            continue


def fuzz_suit(data: bytes) -> None:
    """Fuzz envelope, manifest, sequences and text, each with the same bytes; an accepted sequence is run."""
    for parse in (envelope.decode, manifest.decode, manifest.decode_text, report.decode):
        try:
            parse(data)
        except FirstbootError:
            continue
    try:
        running, answer = commands.run((commands.decode(data),), 2), None
        while True:
            running.send(answer)
            answer = True
    except (FirstbootError, StopIteration):
        pass


def fuzz_coap(data: bytes) -> None:
    """Fuzz one datagram."""
    try:
        message = coap.decode(data)
    except FirstbootError:
        return
    assert coap.decode(coap.encode(message)) == message


def fuzz_mqtt(data: bytes) -> None:
    """Fuzz a broker's stream, cut at a place that the first byte names."""
    session = mqtt_session.Session("unit")
    session.connect()
    cut = data[0] if data else 0
    try:
        session.feed(data[1:cut])
        session.feed(data[max(1, cut) :])
    except FirstbootError:
        pass


def fuzz_mqtt_source(data: bytes) -> None:
    """Fuzz a unit's whole visit to a broker: its requests, and answers that the bytes choose."""
    hostile_broker.visit(data)


def fuzz_tracker(data: bytes) -> None:
    """Fuzz the maker's end: a report and a freshness request over MQTT, and the content of a report."""
    length = data[0] if data else 0
    topic = "fb/d/" + data[1 : 1 + length].decode("utf-8", "replace")
    payload = data[1 + length :]
    for name in (topic, f"fb/d/{'ab' * 16}/report", f"fb/d/{'ab' * 16}/fresh/req"):
        _TRACKER_LINK._received(name, payload)
    kept = _TRACKER.reports[-1:]
    for report_ in kept:
        assert isinstance(report_.fields(), dict)
        try:
            report_.suit()
        except FirstbootError:
            pass


def fuzz_delta(data: bytes) -> None:
    """Fuzz a patch for a target whose size the first two bytes name; source and patch are read inside their sizes."""
    source = bytes(range(256)) * 4

    def reader(stored: bytes) -> Callable[[int, int], bytes]:
        def read(offset: int, length: int) -> bytes:
            assert 0 <= offset <= offset + length <= len(stored)
            return stored[offset : offset + length]

        return read

    size, patch = int.from_bytes(data[:2], "big"), data[2:]
    made = 0
    try:
        target = delta.Target(reader(patch), len(patch), reader(source), len(source), size)
        while piece := target.read(512):
            made += len(piece)
        target.finish()
    except FirstbootError:
        return
    assert made == size


def fuzz_mdns(data: bytes) -> None:
    """Let a unit with a name receive two packets; every answer is one that it can read itself."""
    responder = mdns.Responder("fb", lambda: 0, 0)
    responder.set_address(bytes(4), 0)
    for now_ms in range(0, 3001, 250):
        responder.tick(now_ms)
    for at, part in enumerate((data, data[1:])):
        try:
            sent = responder.receive(part, ("192.0.2.1", 5353 if at else 40000), 5000 + at)
        except FirstbootError:
            continue
        for answer, _ in sent:
            mdns.decode(answer)


def fuzz_captive_dns(data: bytes) -> None:
    """Answer one packet: the answer repeats the question, has one question, and is hardly longer."""
    try:
        found = captive_dns.answer(data, bytes(4))
    except FirstbootError:
        return
    assert found[:2] == data[:2] and found[4:6] == b"\0\1" and len(found) <= len(data) + 16


class _Closed:
    """A unit that accepts no code (net.improv.ImprovServices)."""

    def is_open(self) -> bool:
        return True

    def prove(self, code: str) -> None:
        raise SetupCodeError(reason="wrong")

    def choose(self, ssid: bytes, passphrase: bytes) -> None:
        raise AssertionError("chosen without the code")

    def result(self) -> str:
        return ""

    def networks(self) -> list[tuple[bytes, str, int]]:
        raise AssertionError("listed without the code")

    def facts(self) -> tuple[str, str, str, str]:
        raise AssertionError("facts without the code")

    def address(self) -> str:
        raise AssertionError("an address without the code")

    def ticks_ms(self) -> int:
        return 0

    def ticks_diff(self, later: int, earlier: int) -> int:
        return later - earlier


def fuzz_improv(data: bytes) -> None:
    """Send bytes without the code: every answer is packets, and nothing is chosen, listed or revealed."""
    conversation = improv.SerialConversation(_Closed())
    answers = improv.Decoder().feed(conversation.receive(data) + conversation.tick())
    assert None not in answers and conversation.state() == improv.AWAITING


class _ClosedBle(_Closed):
    """The same over Bluetooth (net.improv_ble.BleServices). Who sends does not know the key."""

    def proof_key(self, context: bytes) -> tuple[bytes, bytes]:
        return bytes(16), hashlib.sha256(context).digest()

    def random_bytes(self, length: int) -> bytes:
        return bytes(length)


def fuzz_improv_ble(data: bytes) -> None:
    """As fuzz_improv, in writes of 20 bytes, after a challenge."""
    conversation = improv_ble.BleConversation(_ClosedBle())
    conversation.receive(improv_ble.frame(bytes((improv_ble.CHALLENGE, 0))))
    for start in range(0, len(data), 20):
        for kind, content in conversation.receive(data[start : start + 20]) + conversation.tick():
            assert isinstance(kind, int) and isinstance(content, bytes)
    assert conversation.state() == improv.AWAITING


def _suit_seed() -> bytes:
    content = manifest.encode(
        sequence_number=1,
        components=((b"chunks",), (b"firmware",)),
        shared=commands.encode(
            [(12, True), commands.encode_parameters({1: bytes(16), 3: bytes(32)}), (1, 15)]
        ),
        sequences={20: commands.encode([(15, [commands.encode([(14, 15)]), commands.encode([(21, 2)])])])},
        severed={23: bytes(32)},
    )
    return content


def _literals(data: bytes) -> bytes:
    """Return a heatshrink stream of literals."""
    bits = "".join(f"1{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


TARGETS: dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]] = {
    "cbor": (
        fuzz_cbor,
        (
            cbor.encode({1: [b"x", "y", -5, None, True], "z": cbor.Tag(18, {})}),
            b"",
            bundle.encode({"__init__.py": b"x"}),
        ),
    ),
    # Four bytes of the source with one changed, then "ab": detools' format without a reference.
    "delta": (fuzz_delta, (bytes.fromhex("0006040676") + _literals(b"\0\4\0\1\0\0\2ab\0"),)),
    "cose": (fuzz_cose, (cbor.encode(cbor.Tag(18, [cbor.encode({1: -9}), {4: b"k"}, None, bytes(64)])),)),
    "suit": (
        fuzz_suit,
        (
            _suit_seed(),
            commands.encode([(12, True), (32, commands.encode([(14, 15)]))]),
            manifest.encode_text(manifest.Text("1", "m", "i")),
        ),
    ),
    "coap": (fuzz_coap, (bytes.fromhex("44450001deadbeefd21b0102ff70617965"),)),
    "mqtt": (
        fuzz_mqtt,
        (b"\x04" + bytes.fromhex("20020000") + bytes.fromhex("3007000174000178"), mqtt.encode_disconnect()),
    ),
    "improv": (
        fuzz_improv,
        (
            b"IMPROV\x01\x03\x02\x02\x00\xe5",
            improv.packet(3, b"\x01\x0e\x04Home\x08passwort"),
            improv.packet(3, b"\xf1\x03abc"),
        ),
    ),
    "improv_ble": (
        fuzz_improv_ble,
        (
            improv_ble.frame(b"\x02\x00"),
            improv_ble.frame(improv_ble.seal(bytes(16), False, 0, b"\x01\x0e\x04Home\x08passwort")),
        ),
    ),
    "captive_dns": (
        fuzz_captive_dns,
        (
            bytes.fromhex("123401000001000000000000026662056c6f63616c0000010001"),
            bytes.fromhex("123401000001000000000001026662056c6f63616c00001c00010000290400000000000000"),
        ),
    ),
    "mdns": (
        fuzz_mdns,
        (
            bytes.fromhex("000000000001000000000000026662056c6f63616c0000010001"),
            bytes.fromhex("000084000000000100000000026662056c6f63616c000001800100000078000401020304"),
        ),
    ),
    "mqtt_source": (
        fuzz_mqtt_source,
        (bytes(20), b"\0\5hello\1x\2xx\3xxx\4xxxx\5xxxxx", b"\x84\x20\x02\0\0\x85\x90\x03\0\1\1"),
    ),
    "tracker": (
        fuzz_tracker,
        (b"\7ab/report\xa0", b"\0" + cbor.encode({1: bytes(16), 2: bytes(16)})),
    ),
}
