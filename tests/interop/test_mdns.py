"""The unit's name on the network, asked by python-zeroconf: an independent resolver, and a rival for the same name.

All packets stay on loopback. Each test has a name of its own, since other programs of this host may share the port.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import pytest
from zeroconf import AddressResolverIPv4, AddressResolverIPv6, IPVersion, ServiceInfo, Zeroconf

from device.agent.presence import Presence
from device.errors import LinkError
from device.limits import MDNS_GROUP, MDNS_PORT
from device.net import mdns
from device.ports.host import HostClock, HostEntropy
from device.ports.host_group import open_host_group
from provisioning.station.labels import read_label
from simulator.ports.loopback import LoopbackNetwork
from tests.running import FactoryUnit, simulated

__all__ = ["simulated"]

HOST, RIVAL = "127.0.0.1", "127.0.0.5"
ANSWER_MS = 5000
NAMED_S = 40


class Board:
    """The ports that a Presence uses, on loopback."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.clock, self.entropy, self.say = HostClock(), HostEntropy(), self.said.append
        self.network = LoopbackNetwork(self.clock.trusted_time, 0, MDNS_PORT)


@contextmanager
def zeroconf() -> Iterator[Zeroconf]:
    made = Zeroconf(interfaces=[HOST], ip_version=IPVersion.V4Only)
    yield made
    made.close()


@contextmanager
def rival(name: str) -> Iterator[None]:
    """Another host that claims the name with an address of its own."""
    with zeroconf() as made:
        service = f"{secrets.token_hex(4)}._x._tcp.local."
        info = ServiceInfo(
            "_x._tcp.local.", service, port=1, server=name + ".", addresses=[socket.inet_aton(RIVAL)]
        )
        made.register_service(info)
        yield


def resolve(
    name: str, kind: type[AddressResolverIPv4] | type[AddressResolverIPv6] = AddressResolverIPv4
) -> list[str]:
    with zeroconf() as made:
        resolver = kind(name + ".")
        return resolver.parsed_addresses() if resolver.request(made, ANSWER_MS) else []


@contextmanager
def unit(own: str) -> Iterator[Presence]:
    """Announce a name from a loop of its own: python-zeroconf would use a loop of the test's thread for itself."""
    loop, presence = asyncio.new_event_loop(), Presence(Board(), own)  # type: ignore[arg-type]
    task = loop.create_task(presence.run())
    thread = threading.Thread(target=lambda: run_to_end(loop, task))
    thread.start()
    try:
        yield presence
        assert not task.done(), "it ended"
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()


def run_to_end(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
    with suppress(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()


def named(presence: Presence, name: str) -> None:
    """Wait for the name, for as long as a test that does not hang may take."""
    end = time.monotonic() + NAMED_S
    while presence.names() != (name,):
        assert time.monotonic() < end, f"{presence.names()} instead of {name}"
        time.sleep(0.05)


def label() -> str:
    return "fb-" + secrets.token_hex(4)


def test_an_independent_resolver_finds_the_unit_in_any_case_of_letters() -> None:
    own = label()
    with unit(own) as presence:
        named(presence, own + ".local")
        for asked in (own + ".local", own.upper() + ".local"):
            assert resolve(asked) == [HOST]


def test_a_name_in_use_gets_a_number_and_the_rival_keeps_its_own() -> None:
    own = label()
    with rival(own + ".local"), unit(own) as presence:
        named(presence, own + "-2.local")
        assert resolve(own + "-2.local") == [HOST]
        assert resolve(own + ".local") == [RIVAL]


def test_a_rival_that_comes_later_and_insists_makes_the_unit_give_way() -> None:
    own = label()
    with unit(own) as presence:
        named(presence, own + ".local")
        with rival(own + ".local"):
            named(presence, own + "-2.local")


def test_a_one_shot_question_is_answered_to_the_one_who_asks() -> None:
    own = label()
    with unit(own) as presence:
        named(presence, own + ".local")
        assert one_shot(own + ".local") == socket.inet_aton(HOST)


def one_shot(name: str) -> bytes:
    """Ask as a resolver without mDNS does: from any port, once (RFC 6762, 6.7)."""
    question = bytes.fromhex("5e5e00000001000000000000") + mdns.encode_name(name) + bytes.fromhex("00010001")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(HOST))
        udp.settimeout(ANSWER_MS / 1000)
        udp.sendto(question, (MDNS_GROUP, MDNS_PORT))
        found = mdns.decode(udp.recv(512))
    assert found.number == 0x5E5E
    data: bytes = found.answers[0].data
    return data


def test_packets_of_anyone_end_nothing() -> None:
    own = label()
    with unit(own) as presence:
        named(presence, own + ".local")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(HOST))
            for noise in (b"", b"\xff" * 9, bytes(12), b"\xc0" * 700, bytes(4) + b"\xff" * 8, bytes(1600)):
                udp.sendto(noise, (MDNS_GROUP, MDNS_PORT))
        assert one_shot(own + ".local") == socket.inet_aton(HOST)
        assert presence.names() == (own + ".local",)


def test_an_address_that_is_not_of_this_host_is_a_typed_error() -> None:
    with pytest.raises(LinkError):
        asyncio.run(open_host_group(MDNS_GROUP, MDNS_PORT, "192.0.2.1"))


# a whole unit ---------------------------------------------------------------------------------------------------


@pytest.fixture
def announcing(simulated: FactoryUnit) -> Iterator[FactoryUnit]:
    """A unit in factory default that announces its name on loopback."""
    simulated.machine.group_port = MDNS_PORT
    yield simulated
    simulated.machine.group_port = None
    simulated.machine.cut_power()


def on_label(unit: FactoryUnit) -> str:
    host = urlsplit(read_label(unit.world.unit.label_path).address).hostname
    assert host is not None and host.endswith(".local")
    return host.removesuffix(".local")


def announced(unit: FactoryUnit) -> str:
    found: str = unit.wait("its name", lambda: _last_name(unit))
    return found


def _last_name(unit: FactoryUnit) -> str | None:
    names = [line for line in unit.machine.console.text.splitlines() if line.startswith("name: fb-")]
    return names[-1].removeprefix("name: ") if names else None


def test_the_name_on_the_label_resolves_before_set_up_and_after_it(announcing: FactoryUnit) -> None:
    name = on_label(announcing) + ".local"
    for start in (announcing.fresh, announcing.owned):
        start()
        assert announced(announcing) == name
        assert resolve(name) == [HOST]


def test_the_pages_answer_under_the_name_that_the_unit_had_to_take_and_no_other(
    announcing: FactoryUnit,
) -> None:
    own = on_label(announcing)
    announcing.machine.cut_power()
    with rival(own + ".local"):
        announcing.fresh()
        announcing.wait("its second name", lambda: _last_name(announcing) == own + "-2.local" or None)
        status = {name: status_under(announcing, name) for name in (f"{own}-2.local", HOST, f"{own}-3.local")}
    assert status == {f"{own}-2.local": 200, HOST: 200, f"{own}-3.local": 421}


def status_under(unit: FactoryUnit, host: str) -> int:
    import http.client
    import ssl

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(*unit.address, context=context, timeout=600)
    connection.request("GET", "/", headers={"Host": host})
    found = connection.getresponse().status
    connection.close()
    return found
