"""The reports of MqttClient about its connection, for each answer of a broker. paho's callbacks are called by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from provisioning.servers import mqtt_client
from provisioning.servers.mqtt_client import TAKEOVER_S, MqttAccess, MqttClient


class Code:
    """A reason code of paho."""

    def __init__(self, text: str, *, is_failure: bool) -> None:
        self.text, self.is_failure = text, is_failure

    def __str__(self) -> str:
        return self.text


GOOD = Code("Success", is_failure=False)
UNAVAILABLE = Code("Server unavailable", is_failure=True)
LOST = Code("Unspecified error", is_failure=True)


class Broker:
    """A broker that does what a test says, and what the client told about it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        self.told: list[tuple[bool, str]] = []
        monkeypatch.setattr(mqtt_client.time, "monotonic", lambda: self.now_s)
        nowhere = MqttAccess("localhost", 1, Path("ca"), Path("crt"), Path("key"))
        self.client = MqttClient(
            nowhere, "tracker", topics=("a",), on_state=lambda is_up, why: self.told.append((is_up, why))
        )

    def subscribe(self, _: Any) -> None:
        """Take the client's subscription, as paho does."""

    def accepts(self) -> None:
        self.client._connected(self, None, None, GOOD, None)  # type: ignore[arg-type]
        self.client._subscription_answered(self, None, 1, [GOOD], None)  # type: ignore[arg-type]

    def refuses(self) -> None:
        self.client._connected(self, None, None, UNAVAILABLE, None)  # type: ignore[arg-type]
        self.ends()

    def ends(self) -> None:
        self.client._disconnected(self, None, None, LOST, None)  # type: ignore[arg-type]


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    found = Broker(monkeypatch)
    found.accepts()
    return found


def test_the_end_of_a_session_is_told_also_after_a_reconnect_that_was_refused(broker: Broker) -> None:
    broker.ends()
    broker.refuses()
    broker.accepts()
    assert broker.told[-1] == (True, "")
    broker.now_s += TAKEOVER_S + 1
    broker.ends()
    assert broker.told[-1] == (False, "the broker ended the session of 'tracker': Unspecified error")


def test_refused_reconnects_are_told_and_are_no_takeover(broker: Broker) -> None:
    broker.ends()
    for _ in range(3):
        broker.refuses()
    assert broker.told[-1] == (False, "the broker refuses the session of 'tracker': Server unavailable")
    assert broker.client.problem is None


def test_topics_that_the_broker_denies_after_a_reconnect_are_told(broker: Broker) -> None:
    broker.ends()
    broker.client._connected(broker, None, None, GOOD, None)  # type: ignore[arg-type]
    broker.client._subscription_answered(broker, None, 2, [LOST], None)  # type: ignore[arg-type]
    assert broker.told[-1] == (False, "the broker denies the topics of 'tracker'")


def test_a_takeover_is_not_told_any_more_when_a_later_session_ends(broker: Broker) -> None:
    for _ in range(2):
        broker.ends()
        broker.accepts()
    assert "takes over" in str(broker.client.problem)
    broker.now_s += TAKEOVER_S + 1
    broker.ends()
    assert broker.client.problem is None
    assert broker.told[-1] == (False, "the broker ended the session of 'tracker': Unspecified error")
