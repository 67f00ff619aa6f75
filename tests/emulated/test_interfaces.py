"""The emulated board offers what docs/interfaces.json declares for its state, and no more (SE-05, SE-07, PW-13)."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from device.boards.mps2_an385.memory_map import RAM_ADDRESS
from device.codec import cbor
from device.errors import FirstbootError, LockedError
from device.layout import MPS2
from provisioning import fair_time
from provisioning.station.link import FactoryLink
from provisioning.station.station import UnitFailedError
from renode.qemu import QemuBoard
from simulator.ports.flash import SimFlash
from simulator.ports.records import device_records
from simulator.story.product import SERVER_NAME
from tests.emulated.firmware_support import TIMEOUT_S, Prompt, kit
from tests.emulated.wire import TCP, UDP, Wire
from tests.interfaces import open_ports, operations, places
from tests.running import PASSWORD, FactoryUnit, emulated
from tests.unit.provisioning.station.station_bench import Bench
from tests.unit.provisioning.station.test_station import production_station

__all__ = ["emulated", "kit"]

pytestmark = pytest.mark.emulated

STATES = ("unprovisioned", "factory default", "initialised", "failed")
# Ports above 2048 that such devices are known for: UPnP, databases, mDNS, CoAP, alternative web, WebREPL, MQTT.
KNOWN = (
    2323,
    3000,
    3306,
    5000,
    5353,
    5355,
    5683,
    5684,
    6379,
    6668,
    8000,
    8080,
    8081,
    8266,
    8443,
    8883,
    8888,
    9100,
)
RAM_BYTES = 0x40_0000  # the two pages included
READY = r"^firstboot \S+ on \w+: (.+)\n"
KEYS = (
    b"\r\n",
    b"\x03\x03",
    b"\x01",
    b"\x05",
    b"\x05A\x01",
    b"\x04",
    b"print(6 * 7)\r\n",
    b"\x02",
    b"\x1b[A\r\n",
)
CALLS: dict[str, dict[str, Any]] = {
    "hello": {"nonce": bytes(16)},
    "make_key": {"role": "device"},
    "write": {"name": "setup", "offset": 0, "data": b"x", "total": 1},
    "digest": {"name": "setup"},
    "seal": {},
    "lock": {"record_hash": bytes(32)},
}


@pytest.fixture(scope="module")
def images(emulated: FactoryUnit) -> dict[str, bytes]:
    """Return the flash of one unit in each state of its life."""
    machine, world = emulated.machine, emulated.world
    fresh = emulated.fresh().flash_image()
    owned = emulated.owned().flash_image()
    failed = bytearray(owned)
    failed[MPS2.user_offset : MPS2.user_offset + MPS2.user_bytes] = bytes(MPS2.user_bytes)
    machine.program(world.images.rom, world.images.signed[1])
    blank = machine.nvm.path.read_bytes()
    return {"unprovisioned": blank, "factory default": fresh, "initialised": owned, "failed": bytes(failed)}


@contextmanager
def wired(
    emulated: FactoryUnit, images: dict[str, bytes], state: str, directory: Path
) -> Iterator[tuple[QemuBoard, Wire]]:
    """Yield the running unit in this state; the test drives its network line."""
    wire = Wire()
    with QemuBoard(directory) as board:
        shutil.copyfile(emulated.machine.rom_path, board.rom_path)
        board.nvm.path.write_bytes(images[state])
        board._gateway = wire  # type: ignore[assignment]
        board.power_on()
        board.console.wait_for(READY, TIMEOUT_S)
        if state == "failed":
            board.console.wait_for(r"^failed: .*\n", TIMEOUT_S)  # why, on a line of its own
        declared = open_ports("tcp", state)
        end_s = fair_time.now() + TIMEOUT_S
        while wire.open_tcp(declared) != declared:  # it prints its state just before it listens
            assert fair_time.now() < end_s, f"the unit does not listen on {declared}"
        yield board, wire


@pytest.fixture(params=STATES)
def state(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ports(is_nightly: bool) -> list[int]:
    return list(range(1, 65536)) if is_nightly else [*range(1, 2049), *KNOWN]


def test_se_05_open_ports_are_the_declared_ones(
    emulated: FactoryUnit, images: dict[str, bytes], state: str, tmp_path: Path, is_nightly: bool
) -> None:
    with wired(emulated, images, state, tmp_path) as (_, wire):
        assert wire.open_tcp(ports(is_nightly)) == open_ports("tcp", state)
        assert wire.open_udp(ports(is_nightly)) == open_ports("udp", state)
        assert wire.answers_ping() == bool(places("icmp", "in", state))
        own = {(protocol, place) for protocol, place, _ in wire.own_packets}
    out = {TCP for _ in places("tcp", "out", state)} | {UDP for _ in places("udp", "out", state)}
    assert {protocol for protocol, _ in own} <= out
    assert {place for _, place in own} <= {emulated.world.host_address}


def test_se_05_only_an_owned_unit_speaks_first(
    emulated: FactoryUnit, images: dict[str, bytes], tmp_path: Path
) -> None:
    """The check above can fail: it sees an owned unit's connection to its server on the line."""
    with wired(emulated, images, "initialised", tmp_path) as (_, wire):
        deadline = fair_time.now() + TIMEOUT_S
        while not wire.own_packets and fair_time.now() < deadline:
            wire.receive()
    assert wire.own_packets[0] == (TCP, emulated.world.host_address, emulated.world.servers.broker.port)


def test_se_07_the_console_is_silent_in_every_state(
    emulated: FactoryUnit, images: dict[str, bytes], state: str, tmp_path: Path
) -> None:
    with wired(emulated, images, state, tmp_path) as (board, wire):
        before = board.console.text
        for keys in KEYS:
            board.console.send(keys)
            wire.answers_ping()  # the unit had time to run
        said = board.console.text[len(before) :]
    assert "42" not in said and ">" not in said
    # An owned unit reports that its server does not answer, and nothing else.
    assert not said.strip() or state == "initialised"


def test_the_factory_port_carries_out_what_is_declared(
    emulated: FactoryUnit, images: dict[str, bytes], state: str, tmp_path: Path
) -> None:
    with wired(emulated, images, state, tmp_path) as (board, _):
        patience_s = 1.0 if state == "failed" else 20.0  # a failed unit answers nothing
        link = FactoryLink(board.factory_port(), timeout_s=patience_s, attempts=3, log=lambda text: None)
        carried, refused = set(), set()
        for name, arguments in CALLS.items():
            try:
                link.call(name, arguments, "")
                carried.add(name)
            except LockedError:
                refused.add(name)
            except FirstbootError as error:
                if error.fields.get("reason") != "no answer":
                    carried.add(name)  # it was read, and the arguments were wrong
    if state == "failed":
        assert not carried and not refused, "a failed unit has no factory port"
    else:
        assert carried == operations(state)
        assert refused == set(CALLS) - carried


def test_se_07_the_station_refuses_a_development_build(kit: Any, tmp_path: Path) -> None:
    """The real development firmware on the emulated board, at a station with keys for sale."""
    station = production_station(Bench(tmp_path / "station"))
    station.config = dataclasses.replace(
        station.config, timeout_s=5.0
    )  # a board is slower than one in memory
    with kit.board(tmp_path / "board", "development") as board:
        board.power_on()
        board.console.wait_for("DEVELOPMENT BUILD, THE CONSOLE IS OPEN. NOT FOR SALE", TIMEOUT_S)
        with pytest.raises(UnitFailedError) as refused:
            station.provision(board.factory_port())
    assert refused.value.result is not None and refused.value.result.name == "identify"


def forms(secrets: dict[str, str]) -> list[tuple[str, bytes]]:
    """Return every form of a text in memory or on a wire; a set-up code also as the label groups it."""
    found = []
    for what, secret in secrets.items():
        texts = {secret, quote_plus(secret), "-".join(secret[at : at + 7] for at in range(0, len(secret), 7))}
        for text in texts if what == "code" else {secret, quote_plus(secret)}:
            plain = text.encode()
            found += [(what, plain), (what, plain[::-1]), (what, plain.hex().encode())]
            found.append((what, text.encode("utf-16-le")))
    return found


def test_pw_13_se_03_no_secret_in_flash_console_logs_or_what_anyone_can_read(emulated: FactoryUnit) -> None:
    """Search for a canary password and the set-up code after set-up, sign-in and a wrong sign-in."""
    world = emulated.owned(PASSWORD).world
    emulated.wait("sign-in", lambda: world.owner.sign_in(PASSWORD) or None)
    session = world.owner._session
    assert not world.owner.sign_in(PASSWORD + "x")
    world.owner.sign_out()
    shown = b"".join(
        world.owner.request("GET", path).body
        for path in (
            "/",
            "/public.json",
            "/statement",
            "/contact",
            "/login",
            "/status",
            "/status.json",
            "/setup",
        )
    )
    image = emulated.flash_image()
    logs = {
        path.name: path.read_bytes()
        for path in (world.directory).rglob("*")
        if path.is_file() and path.suffix in (".log", ".txt")
    }
    assert logs and shown
    for what, kind in forms({"password": PASSWORD, "code": world.unit.setup_code, "session": session}):
        assert kind not in image, f"{what} in flash"
        assert kind not in shown, f"{what} in a page"
        assert not [name for name, text in logs.items() if kind in text], f"{what} in a log"
    assert world.unit.serial.encode() in image, "the search finds what is there"


def test_pw_13_neither_password_nor_code_stays_in_memory(emulated: FactoryUnit) -> None:
    """Search a snapshot of the board's RAM after set-up, sign-in and a wrong sign-in, when each request has ended."""
    world = emulated.owned(PASSWORD).world
    wanted = forms({"password": PASSWORD, "code": world.unit.setup_code})

    def leftovers() -> set[str]:
        ram = emulated.machine.read_memory(RAM_ADDRESS, RAM_BYTES)
        return {what for what, kind in wanted if kind in ram}

    def is_forgotten() -> bool | None:
        return not leftovers() or None

    emulated.wait("set-up to be forgotten", is_forgotten)
    emulated.wait("sign-in", lambda: world.owner.sign_in(PASSWORD) or None)
    emulated.wait("sign-in to be forgotten", is_forgotten)
    found = world.unit.serial.encode() in emulated.machine.read_memory(RAM_ADDRESS, RAM_BYTES)
    assert found, "the search finds what is there"
    assert not world.owner.sign_in(PASSWORD + "x")
    emulated.wait("a wrong sign-in to be forgotten", is_forgotten)


def test_what_a_collection_frees_is_wiped(kit: Any, tmp_path: Path) -> None:
    canary = bytes(range(0x61, 0x79)) * 2
    with kit.board(tmp_path, "development", has_network=False) as board:
        board.power_on()
        prompt = Prompt(board).enter()
        prompt.run("import gc\nkept = [bytes([(at % 24) + 0x61 for at in range(48)]) for _ in range(50)]")
        assert board.read_memory(RAM_ADDRESS, RAM_BYTES).count(canary) >= 50
        prompt.run("kept.clear()\nprint('the stack is used for something else', len(kept))")
        prompt.run("gc.collect()")
        # An object to which a stale word on the stack points may stay until the next collection.
        assert board.read_memory(RAM_ADDRESS, RAM_BYTES).count(canary) <= 1


def test_pw_13_se_03_no_secret_crosses_the_network_line_in_the_clear(emulated: FactoryUnit) -> None:
    """Search every packet on the board's line, in both directions, from set-up to a check for updates."""
    packets: list[bytes] = []
    emulated.fresh()
    gateway = emulated.machine._gateway
    gateway.on_packet = lambda is_from_board, packet: packets.append(bytes(packet))
    try:
        world = emulated.world
        assert world.owner.set_up(world.unit.setup_code, PASSWORD).status == 303
        emulated.wait("sign-in", lambda: world.owner.sign_in(PASSWORD) or None)
        session = world.owner._session
        emulated.wait("a check", lambda: world.owner.status()["time"])
    finally:
        gateway.on_packet = lambda is_from_board, packet: None
    line = b"".join(packet[40:] for packet in packets)  # without the heads of IP and TCP, as a stream
    for what, kind in forms({"password": PASSWORD, "code": world.unit.setup_code, "session": session}):
        assert kind not in line, f"{what} in the clear"
    flash = SimFlash()
    flash.load_image(emulated.flash_image())
    records = device_records(flash)
    records.mount()
    for name in ("device.key", "web.key", "oscore"):
        stored = records.read(name)
        assert stored is not None
        secret = stored[32:] if name.endswith(".key") else cbor.decode(stored[32:])[1]
        assert len(secret) >= 16 and secret not in line, name
    assert SERVER_NAME.encode() in line, "the capture shows what TLS says in the clear"


def test_se_01_the_image_contains_no_key_and_no_data_of_a_unit(emulated: FactoryUnit) -> None:
    """Search for the maker's private keys in every stored form, and for the data that the unit was given."""
    from cryptography.hazmat.primitives import serialization

    world = emulated.world
    image = world.images.signed[1].read_bytes() + world.images.rom.read_bytes()
    searched = 0
    for path in sorted(world.keys.ring.directory.rglob("*.pem")):
        text = path.read_bytes()
        if b"PRIVATE KEY" not in text:
            continue
        key = serialization.load_pem_private_key(text, None)
        raw = key.private_numbers().private_value.to_bytes(32, "big")  # type: ignore[union-attr]
        searched += 1
        for form in (raw, raw[::-1], raw.hex().encode()):
            assert form not in image, path.name
    assert searched >= 5, "no key was looked for"
    assert b"PRIVATE KEY-----" not in image
    for word in (world.unit.setup_code, world.unit.serial, world.unit.device_id):
        assert word.encode() not in image
