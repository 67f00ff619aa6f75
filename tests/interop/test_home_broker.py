"""A unit in the owner's home: a real broker with TLS, a model of Home Assistant, a hostile neighbour."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from device.owner import home
from device.records.store import USER, Store
from provisioning.servers.mosquitto import find_mosquitto
from simulator.ports.records import user_records
from tests.emulated.tls_peers import issue
from tests.home_broker import PASSWORD, Bench, home_broker
from tests.interop.support import home_assistant_model as model
from tests.own_port import own_port
from tests.running import PASSWORD as OWNER_PASSWORD
from tests.running import FactoryUnit, calm

__all__ = ["calm"]

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed"),
]


@pytest.fixture(scope="module")
def bench(calm: FactoryUnit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    calm.owned()
    assert calm.world.owner.sign_in(OWNER_PASSWORD)
    folder = tmp_path_factory.mktemp("home")
    with home_broker(folder, own_port(), calm.name) as broker:
        viewer = broker.viewer()
        yield Bench(calm, broker, viewer)
        viewer.close()
        calm.machine.cut_power()


@pytest.fixture
def linked(bench: Bench) -> Bench:
    """A unit that is linked and may be asked to install."""
    assert bench.send(install="yes").status == 303
    bench.viewer.until(
        "the unit", lambda: bench.viewer.messages.get(bench.base + "availability") == b"online" or None
    )
    return bench


def test_home_assistant_accepts_and_understands_everything(linked: Bench) -> None:
    messages = linked.viewer.messages
    linked.viewer.until("a state", lambda: linked.base + "state" in messages or None)
    entities = model.discovered(dict(messages))
    assert sorted(entity.component for entity in entities) == ["binary_sensor"] * 2 + ["sensor"] * 2 + [
        "update"
    ]
    shown = {entity.config["name"]: entity.state(dict(messages)) for entity in entities}
    assert all(entity.is_available(messages) for entity in entities)
    assert shown["Software"]["installed_version"] == shown["Software"]["latest_version"]
    assert shown["Security updates until"].year > 2026
    assert shown["No contact with the manufacturer"] is False


def test_the_password_is_in_no_answer_no_console_and_not_at_the_broker(linked: Bench) -> None:
    for path in ("/home", "/status", "/status.json"):
        assert PASSWORD not in linked.owner.request("GET", path).text
    assert PASSWORD not in linked.unit.machine.console.text
    assert not [topic for topic, data in linked.viewer.messages.items() if PASSWORD.encode() in data]


def test_a_command_of_a_release_that_does_not_wait_changes_nothing(linked: Bench) -> None:
    for payload in ("install-0", "install-999", "install"):
        linked.viewer.publish(linked.base + "install", payload)
    found = linked.owner.status()
    assert found["update"]["offered"] is None and "asked to install" not in linked.unit.machine.console.text


def test_a_unit_without_power_is_offline(linked: Bench) -> None:
    linked.until_state("connected")
    linked.unit.machine.cut_power()
    linked.viewer.until(
        "the will", lambda: linked.viewer.messages.get(linked.base + "availability") == b"offline" or None
    )
    linked.unit.start()
    linked.viewer.until(
        "the unit again",
        lambda: linked.viewer.messages.get(linked.base + "availability") == b"online" or None,
    )
    assert linked.owner.sign_in(OWNER_PASSWORD)


def test_a_broker_of_another_authority_learns_nothing(linked: Bench) -> None:
    before = linked.broker.log.read_text(encoding="utf-8").count("u'lamp'")
    assert linked.send(authority=linked.broker.pem(issue("Home"))).status == 303
    assert linked.until_state("waiting")["reason"] == "certificate"
    assert linked.broker.log.read_text(encoding="utf-8").count("u'lamp'") <= before + 1  # to remove itself


def test_a_wrong_password_is_told_in_a_word(linked: Bench) -> None:
    assert linked.send(password="fish and chips at ten").status == 303
    assert linked.until_state("waiting")["reason"] == "refused"


def test_switched_off_nothing_of_the_unit_stays_at_the_broker(linked: Bench) -> None:
    assert linked.post({"action": "off"}).status == 303
    linked.viewer.until("an empty broker", lambda: not linked.viewer.messages or None)
    linked.until_state("off")


def test_a_reset_on_the_pages_removes_the_unit_from_the_home_and_the_choice_from_the_unit(
    linked: Bench,
) -> None:
    linked.until_state("connected")
    assert (
        linked.owner.request("POST", "/reset", {"password": OWNER_PASSWORD, "confirm": "yes"}).status == 200
    )
    linked.viewer.until("an empty broker", lambda: not linked.viewer.messages or None)
    console = linked.unit.machine.console
    linked.unit.wait("the reset", lambda: "factory reset: done" in console.text or None)
    linked.unit.machine.cut_power()
    linked.unit.machine.flash.power_on()
    records = user_records(linked.unit.machine.flash, linked.unit.machine.flash.layout)
    records.mount()
    assert Store(records, USER).read(home.RECORD) is None
    assert PASSWORD.encode() not in linked.unit.flash_image()
