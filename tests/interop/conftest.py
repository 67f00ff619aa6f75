"""Real peers on loopback: brokers, the CoAP server, a maker with keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from device import limits
from device.net import coap
from device.ports import host
from provisioning.servers.amqtt_broker import AmqttBroker
from provisioning.servers.broker import Broker
from provisioning.servers.local_broker import make_broker
from provisioning.servers.mosquitto import MosquittoBroker, find_mosquitto
from tests.interop.support.maker import Maker
from tests.interop.support.serving import MakersFolder


@pytest.fixture(scope="session")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    return Maker(tmp_path_factory.mktemp("maker"))


@pytest.fixture(scope="module", params=["mosquitto", "amqtt"])
def broker(
    request: pytest.FixtureRequest, maker: Maker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Broker]:
    """Each broker in turn; without mosquitto the test is skipped with a reason."""
    setup = maker.broker_setup(tmp_path_factory.mktemp(request.param))
    if request.param == "mosquitto" and find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    running = MosquittoBroker(setup) if request.param == "mosquitto" else AmqttBroker(setup)
    with running:
        yield running


@pytest.fixture
def patient_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine must not make a unit give up, or send a request twice."""
    monkeypatch.setattr(coap, "ACK_TIMEOUT_MS", 120_000)
    for name in ("CONNECT_TIMEOUT_S", "REPLY_TIMEOUT_S"):
        monkeypatch.setattr(limits, name, 600)
    monkeypatch.setattr(host, "CONNECT_TIMEOUT_S", 600)


@pytest.fixture
def folder(maker: Maker, tmp_path: Path) -> MakersFolder:
    """The files of a maker who runs `firstboot serve`."""
    return MakersFolder(tmp_path / "maker", maker)


@pytest.fixture
def own_broker(folder: MakersFolder) -> Iterator[Broker]:
    with make_broker(folder.broker_setup()) as running:
        yield running


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path
