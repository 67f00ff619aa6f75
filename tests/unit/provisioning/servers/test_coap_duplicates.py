"""The CoAP server remembers recent requests: the newest of each host, and no more than a bound."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiocoap import CON, NON

from provisioning.keys.file_signer import FileSigner
from provisioning.release.folder_store import FolderStore
from provisioning.servers import coap_duplicates, coap_server
from provisioning.servers.coap_duplicates import PER_HOST, RecentRequests
from provisioning.servers.oscore_store import OscoreStore
from provisioning.servers.tracker import Newest, Tracker
from tests.unit.provisioning.servers.bench import p256

LIFE_S = 247.0


class Manager:
    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.time_s = 0.0
        self.recent = RecentRequests(self, lambda: self.time_s)

    def _send_initially(self, message: Any) -> None:
        self.sent.append(message)

    def ask(self, number: int, host: str = "10.0.0.1", *, kind: Any = CON) -> bool:
        """One request; it is answered if it is new. Return whether it was a duplicate."""
        message = SimpleNamespace(
            remote=SimpleNamespace(hostinfo=f"{host}:5683"),
            mid=number,
            mtype=kind,
            transport_tuning=SimpleNamespace(EXCHANGE_LIFETIME=LIFE_S),
        )
        message.remote = REMOTES.setdefault(host, message.remote)
        is_duplicate = self.recent.is_duplicate(message)
        if not is_duplicate:
            self.recent.keep(message)
        return is_duplicate


class Remote(SimpleNamespace):
    __hash__ = object.__hash__


REMOTES: dict[str, Any] = {}


@pytest.fixture
def manager() -> Manager:
    REMOTES.clear()
    for host in ("10.0.0.1", "10.0.0.2", "10.0.0.3"):
        REMOTES[host] = Remote(hostinfo=f"{host}:5683")
    return Manager()


def test_a_duplicate_gets_the_same_answer_again_and_is_not_served(manager: Manager) -> None:
    assert not manager.ask(7) and manager.ask(7)
    assert [one.mid for one in manager.sent] == [7]
    assert manager.ask(7, kind=NON) and len(manager.sent) == 1


def test_a_host_that_floods_forgets_only_its_own_requests(manager: Manager) -> None:
    assert not manager.ask(1, "10.0.0.2")
    for number in range(5 * PER_HOST):
        assert not manager.ask(number)
    assert manager.ask(1, "10.0.0.2")
    assert not manager.ask(0) and manager.ask(5 * PER_HOST - 1)
    assert len(manager.recent) <= PER_HOST + 1


def test_all_hosts_together_have_a_bound(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coap_duplicates, "REMEMBERED", 10)
    for number in range(20):
        manager.ask(number, "10.0.0.3" if number % 2 else "10.0.0.2")
    assert len(manager.recent) == 10


def test_a_request_is_forgotten_after_the_lifetime_of_an_exchange(manager: Manager) -> None:
    manager.ask(1)
    manager.time_s = LIFE_S - 1
    assert manager.ask(1)
    manager.time_s = LIFE_S
    assert not manager.ask(1)
    manager.time_s = 3 * LIFE_S
    manager.ask(2)
    assert len(manager.recent) == 1


def test_the_real_server_answers_a_duplicate_alike_and_forgets_after_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[RecentRequests] = []

    def make(*arguments: Any) -> RecentRequests:
        made.append(RecentRequests(*arguments))
        return made[0]

    monkeypatch.setattr(coap_server, "RecentRequests", make)
    tracker = Tracker(FileSigner(p256()), {bytes(16): Newest()}, now=lambda: 0)
    store = FolderStore(tmp_path / "store", bytes(16))
    with (
        coap_server.CoapServer(store, OscoreStore(tmp_path / "units"), tracker) as server,
        socket.socket(type=socket.SOCK_DGRAM) as peer,
    ):
        peer.connect((server.host, server.port))
        peer.settimeout(600)
        answers = []
        for number in [*range(PER_HOST + 50), PER_HOST + 49]:
            peer.send(b"\x41\x01" + number.to_bytes(2, "big") + b"t\xb2fb")
            answers.append(peer.recv(2000))
    assert answers[-1] == answers[-2]
    assert len(made[0]) == PER_HOST
