"""Rules for a walk beside the pages of a unit with a radio: captive answers, and Improv Wi-Fi on both of its lines."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from memory_unit import CODE

from device.agent.improv import Services
from device.errors import DnsError
from device.net import captive_dns, improv, improv_ble
from device.owner import lifecycle, setup_code
from device.web import landing
from device.web.http import Head

ADDRESS = "192.168.4.1"
WRONG_CODE = "Z" + CODE[1:-1]
WRONG_CODE += setup_code.check_character(WRONG_CODE)
_NUMBERS = st.sampled_from((1, 2, 3, 4, improv.PROVE, improv_ble.CHALLENGE, improv_ble.SEALED)) | st.integers(
    0, 255
)
_SETTINGS = b"\x04Home\x0fcorrect horse 7"
_BODIES = st.sampled_from((b"", _SETTINGS, WRONG_CODE.encode(), CODE[:-1].encode())) | st.binary(max_size=60)
COMMANDS = st.tuples(_NUMBERS, _BODIES).map(lambda one: bytes((one[0], len(one[1]))) + one[1])


def allowed(events: list[tuple[int, bytes]]) -> bool:
    """Return whether a client without the code may read this: states, errors, and the answer to a challenge."""
    return all(
        kind != improv.RPC_RESULT or data[0] in (improv.GET_STATE, improv_ble.CHALLENGE)
        for kind, data in events
    )


class BesideThePages:
    """Rules for a walk (test_no_way_around.Walk) on a unit with a radio. None of them ever has the code in time."""

    unit: Any
    radio: Any

    def connect(self) -> None:
        """Let a new client begin on each line of the unit that has just started."""
        ports = SimpleNamespace(
            clock=self.unit.clock, entropy=self.unit.entropy, board=SimpleNamespace(NAME="board")
        )
        updates = SimpleNamespace(profile=SimpleNamespace(version="1.0.0+0"))
        parts: Any = SimpleNamespace(owner=self.unit.owner, ports=ports, wifi=self.radio, updates=updates)
        services: Any = Services(parts)
        services.proof_key, services.random_bytes = self.unit.owner.proof_key, self.unit.entropy.random_bytes
        self.serial = improv.SerialConversation(services)
        self.bluetooth = improv_ble.BleConversation(services)

    def _expected(self) -> int:
        is_open = self.unit.state() == lifecycle.FACTORY_DEFAULT
        return int(improv.AWAITING if is_open else improv.STOPPED)

    @rule(command=COMMANDS)
    def improv_on_the_serial_line(self, command: bytes) -> None:
        before = len(self.radio.calls)
        answer = self.serial.receive(improv.packet(improv.RPC, command)) + self.serial.tick()
        assert allowed([found for found in improv.Decoder().feed(answer) if found is not None])
        assert self.serial.state() == self._expected() and len(self.radio.calls) == before

    @rule(command=COMMANDS)
    def improv_over_bluetooth(self, command: bytes) -> None:
        before = len(self.radio.calls)
        assert allowed(self.bluetooth.receive(improv_ble.frame(command)) + self.bluetooth.tick())
        assert self.bluetooth.state() == self._expected() and len(self.radio.calls) == before

    @precondition(lambda self: self.unit.state() == lifecycle.INITIALISED)
    @rule()
    def the_code_of_the_label_after_set_up(self) -> None:
        before = len(self.radio.calls)
        for command in (
            bytes((improv.PROVE, len(CODE))) + CODE.encode(),
            bytes((1, len(_SETTINGS))) + _SETTINGS,
        ):
            self.serial.receive(improv.packet(improv.RPC, command))
            assert self.serial.state() == improv.STOPPED
        assert len(self.radio.calls) == before

    @rule(
        method=st.sampled_from(("GET", "HEAD", "POST", "PUT", "TRACE")),
        path=st.sampled_from(("/", "/setup", "/generate_204", "/network", "//evil.example/")),
        host=st.sampled_from((ADDRESS, "evil.example", "", f"{ADDRESS}:80")),
        cookie=st.sampled_from(("", "session=x")),
    )
    def plain_page(self, method: str, path: str, host: str, cookie: str) -> None:
        """The page that a phone shows by itself leads to the unit only, and gives no session and no secret."""
        before = self.unit.state(), len(self.radio.calls)
        answer = landing.respond(
            Head(method, path, "1.1", {"Host": host, "Cookie": cookie}), ADDRESS, "Lamp"
        ).decode()
        head, _, body = answer.partition("\r\n\r\n")
        assert head.split()[1] in ("200", "302", "405") and "set-cookie" not in head.lower()
        assert head.count("Location: ") == head.count(f"Location: http://{ADDRESS}/\r\n")
        assert "<form" not in body and "evil" not in answer and CODE not in answer
        assert before == (self.unit.state(), len(self.radio.calls))

    @rule(packet=st.binary(max_size=80))
    def name_in_the_access_point(self, packet: bytes) -> None:
        try:
            assert len(captive_dns.answer(packet, bytes((192, 168, 4, 1)))) <= len(packet) + 16
        except DnsError:
            pass
