"""The MQTT broker of an owner's home in memory: one user, retained messages, QoS 0. A StreamPeer for MemoryNetwork."""

from __future__ import annotations

from collections.abc import Callable

from device.net import mqtt
from simulator.ports.peers import MqttLink

ACCEPTED, BAD_LOGIN = 0, 4  # 3.2.2.3: return codes of CONNACK


class MemoryHomeBroker:
    """Accepts one login. `on_stranger(login)` is called with each other one: (user, password)."""

    def __init__(self, user: str, password: str, on_stranger: Callable[[tuple[str, str]], None]) -> None:
        self.login = (user, password)
        self.on_stranger = on_stranger
        self.retained: dict[str, bytes] = {}

    def connect(self, send: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """Accept a client; return the handler of the bytes that it sends."""
        return _Client(self, send).feed


class _Client(MqttLink):
    def __init__(self, broker: MemoryHomeBroker, send: Callable[[bytes], None]) -> None:
        super().__init__(send)
        self._broker = broker

    def _handle(self, first: int, body: bytes) -> None:
        kind = first >> 4
        if kind == mqtt.CONNECT:
            self._log_in(body)
        elif kind == mqtt.SUBSCRIBE:
            self._send(b"\x90\x03" + body[:2] + b"\x00")
        elif kind == mqtt.PUBLISH:
            end = 2 + int.from_bytes(body[:2], "big")
            topic, payload = body[2:end].decode(), body[end:]
            if payload:
                self._broker.retained[topic] = payload
            else:
                self._broker.retained.pop(topic, None)
        elif kind == mqtt.PINGREQ:
            self._send(b"\xd0\x00")

    def _log_in(self, body: bytes) -> None:
        texts, at = [], 10  # 3.1.2: the variable header has 10 bytes
        while at < len(body):
            end = at + 2 + int.from_bytes(body[at : at + 2], "big")
            texts.append(body[at + 2 : end].decode())
            at = end
        login = (texts[-2], texts[-1])
        is_known = login == self._broker.login
        if not is_known:
            self._broker.on_stranger(login)
        self._send(b"\x20\x02\x00" + bytes((ACCEPTED if is_known else BAD_LOGIN,)))
