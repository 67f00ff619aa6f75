"""`firstboot broker check` against real brokers: good ones pass, and each fault of a bad one is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from provisioning.cli import broker as command
from provisioning.publishing import broker_check, topics
from provisioning.publishing.broker_bench import Bench, Users
from provisioning.publishing.broker_check import BrokerCheck
from provisioning.servers import mosquitto, mqtt_client
from provisioning.servers.broker import Broker
from provisioning.servers.mosquitto import MosquittoBroker
from tests.interop.support.maker import CLASS_ID, SERVER_NAME, Maker
from tests.interop.test_durability import kill
from tests.own_port import own_port

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def folder(maker: Maker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificates of a check."""
    made = tmp_path_factory.mktemp("users")
    for name in ("publisher", "tracker", "00" * 16, "11" * 16):
        maker.device_ca.issue_client(name).save(made, name)
    return made


def results(maker: Maker, folder: Path, broker: Broker, **options: object) -> dict[str, bool | None]:
    bench = Bench(maker.access(broker.port, "publisher"), CLASS_ID, Users.of_folder(folder))
    return {one.name: one.is_met for one in BrokerCheck(bench, **options).run()}  # type: ignore[arg-type]


def result(
    maker: Maker, folder: Path, broker: Broker, name: str, after: Callable[[str], None] = lambda name: None
) -> bool | None:
    """Return the result of one check; the later ones do not run. `after(NAME)` is called after each earlier one."""
    bench = Bench(maker.access(broker.port, "publisher"), CLASS_ID, Users.of_folder(folder))
    for one in BrokerCheck(bench).run():
        if one.name == name:
            return one.is_met
        after(one.name)
    raise AssertionError(f"no check {name!r}")


def failed(found: dict[str, bool | None]) -> set[str]:
    return {name for name, is_met in found.items() if is_met is False}


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer objects."""
    monkeypatch.setattr(broker_check, "MANY", 150)


def wait_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits: from here on the test expects nothing that comes."""
    monkeypatch.setattr(broker_check, "ARRIVAL_S", 3.0)
    monkeypatch.setattr(topics, "READ_BACK_S", 1.0)
    monkeypatch.setattr(mqtt_client, "TIMEOUT_S", 2.0)


@pytest.mark.usefixtures("few")
def test_a_good_broker_passes_and_what_was_not_tried_is_said(
    maker: Maker, folder: Path, broker: Broker
) -> None:
    found = results(maker, folder, broker)
    assert failed(found) == set()
    assert {name for name, is_met in found.items() if is_met is None} == {
        "every node",
        "a broker that is killed",
    }


@pytest.fixture
def changed(maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: None):
    """Return a function that gives mosquitto with a changed configuration."""
    if mosquitto.find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")

    def broker(*changes: tuple[str, str]) -> MosquittoBroker:
        text = mosquitto.CONFIGURATION
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        monkeypatch.setattr(mosquitto, "CONFIGURATION", text)
        return MosquittoBroker(maker.broker_setup(tmp_path, own_port()))

    return broker


def test_more_objects_than_a_broker_queues_are_given_back(maker: Maker, folder: Path, tmp_path: Path) -> None:
    if mosquitto.find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    with MosquittoBroker(maker.broker_setup(tmp_path)) as running:
        assert result(maker, folder, running, "many objects") is True


def found_in(maker: Maker, folder: Path, broker: MosquittoBroker) -> set[str]:
    with broker as running:
        return failed(results(maker, folder, running))


def test_a_broker_that_lets_anyone_in_is_found(maker: Maker, folder: Path, changed) -> None:
    anyone = ("require_certificate true\nuse_identity_as_username true\nuse_username_as_clientid true\n", "")
    with changed(anyone, ("allow_anonymous false", "allow_anonymous true")) as broker:
        assert result(maker, folder, broker, "certificate of a client") is False


def test_a_broker_without_rights_is_found(maker: Maker, folder: Path, changed) -> None:
    found = found_in(maker, folder, changed(("acl_file {acl}\n", "")))
    assert found == {"what a unit may not write", "what a unit may not read", "requests and answers"}


def test_a_broker_that_holds_objects_back_is_found(
    maker: Maker, folder: Path, changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = topics.RetainedTopics.get

    def get(self: topics.RetainedTopics, names: list[str]) -> dict[str, bytes]:
        found = whole(self, names)
        return dict(list(found.items())[:100])

    monkeypatch.setattr(topics.RetainedTopics, "get", get)
    assert found_in(maker, folder, changed()) == {"many objects"}


def test_a_broker_that_takes_small_packets_only_is_found(
    maker: Maker, folder: Path, changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with changed(("max_packet_size 65536", "max_packet_size 1024")) as broker:
        after = {"retained objects": lambda: wait_briefly(monkeypatch)}
        found = result(maker, folder, broker, "size of a message", lambda name: after.get(name, bool)())
    assert found is False


@pytest.mark.parametrize("is_persistent", [True, False])
def test_a_broker_that_loses_what_it_acknowledged_is_found(
    maker: Maker, folder: Path, changed, is_persistent: bool
) -> None:
    broker = changed() if is_persistent else changed(("persistence true", "persistence false"))

    def restart() -> None:
        kill(broker)
        broker.start()

    with broker:
        found = results(maker, folder, broker, restart=restart)
    assert found["a broker that is killed"] is is_persistent


@pytest.mark.usefixtures("few")
def test_another_broker_is_no_node_of_the_same_cluster(
    maker: Maker, folder: Path, broker: Broker, tmp_path: Path
) -> None:
    if mosquitto.find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    (tmp_path / "other").mkdir()
    with MosquittoBroker(maker.broker_setup(tmp_path / "other")) as other:
        found = results(maker, folder, broker, others=[(other.host, other.port)])
    assert failed(found) == {"every node"}


@pytest.mark.usefixtures("few")
def test_the_command_names_what_failed_and_says_what_it_did_not_check(
    maker: Maker, folder: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_briefly(monkeypatch)  # it serves another class: nothing that the check writes comes back
    product = Path(__file__).parents[2] / "examples" / "product" / "product.toml"
    arguments = [
        "check", f"127.0.0.1:{broker.port}", "--product", str(product), "--ca", str(maker.ca_path),
        "--name", SERVER_NAME, "--users", str(folder), "--json",
    ]  # fmt: skip
    result = CliRunner().invoke(command.app, arguments)
    document = json.loads(result.stdout)
    assert (
        result.exit_code == 1 and not document["is_met"]
    )  # this broker does not serve the class of the example
    assert {one["name"] for one in document["findings"] if one["is_met"] is None}
