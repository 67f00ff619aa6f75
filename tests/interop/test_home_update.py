"""An update that Home Assistant starts over a real broker with TLS, and every message and fault that starts none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from device.agent import home_link
from device.limits import HOME_PACKET_BYTES
from provisioning.servers.mosquitto import find_mosquitto
from tests.emulated.tls_peers import issue
from tests.home_broker import USER, Bench, HomeBroker, home_broker
from tests.interop.support import home_assistant_model as model
from tests.own_port import own_port
from tests.running import PASSWORD as OWNER_PASSWORD
from tests.running import FactoryUnit, calm

__all__ = ["calm"]

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed"),
]
OLD, NEW = 1, 2


@pytest.fixture(scope="module")
def broker(calm: FactoryUnit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeBroker]:
    with home_broker(tmp_path_factory.mktemp("home"), own_port(), calm.name) as found:
        yield found


@pytest.fixture
def bench(calm: FactoryUnit, broker: HomeBroker) -> Iterator[Bench]:
    """A broker that knows nothing yet, Home Assistant, and a unit in factory default."""
    broker.stop()
    broker.start()
    calm.world.publish(OLD, "mqtt")
    viewer = broker.viewer()
    yield Bench(calm.fresh(), broker, viewer)
    viewer.close()
    calm.machine.cut_power()


@pytest.fixture
def waiting(bench: Bench) -> Bench:
    """The unit has an owner, who installs updates by hand, and release NEW waits for them."""
    assert bench.owner.set_up(bench.unit.world.unit.setup_code, OWNER_PASSWORD).status == 303
    assert bench.owner.sign_in(OWNER_PASSWORD)
    assert bench.owner.request("POST", "/updates", {"action": "off"}).status == 303
    bench.unit.world.publish(NEW, "mqtt")

    def probe() -> bool | None:
        bench.owner.request("POST", "/updates", {"action": "check"})
        return offered(bench) or None

    bench.unit.wait("an update that waits", probe)
    return bench


@pytest.fixture
def linked(waiting: Bench) -> Bench:
    """The same unit, linked, and its owner lets Home Assistant install."""
    link(waiting, install="yes")
    return waiting


def link(bench: Bench, **changes: str) -> None:
    assert bench.send(**changes).status == 303
    bench.until_state(home_link.CONNECTED)
    bench.viewer.until("the unit", lambda: bench.viewer.messages.get(bench.base + "availability"))


def offered(bench: Bench) -> bool:
    return bench.owner.status()["update"]["offered"] is not None


def entity(bench: Bench) -> model.Entity:
    """Return the update entity as Home Assistant has it now."""
    found = model.discovered(dict(bench.viewer.messages))
    return next(one for one in found if one.component == "update")


def press_install(bench: Bench, **how: Any) -> None:
    """Do what Home Assistant does when a person presses Install."""
    config = entity(bench).config
    bench.viewer.publish(config["command_topic"], config["payload_install"], **how)


def until_installed(bench: Bench) -> None:
    def probe() -> bool | None:
        bench.owner.sign_in(OWNER_PASSWORD)
        found = bench.owner.status()
        return True if str(found["version"]).startswith(f"{NEW}.") and not found["is_trial"] else None

    bench.unit.wait("the new release", probe)


def require_nothing_started(bench: Bench) -> None:
    """Fail unless the unit, after another check for updates, runs the old release and the new one still waits."""
    check_again(bench)
    assert offered(bench) and str(bench.owner.status()["version"]).startswith(f"{OLD}.")
    assert "asked to install" not in bench.printed()


def check_again(bench: Bench) -> None:
    """Return when the unit has checked for updates once more."""
    contact = bench.owner.status()["last_contact"]
    bench.unit.world.clock.move_to(bench.unit.world.clock.now() + 60)
    assert bench.owner.request("POST", "/updates", {"action": "check"}).status == 303

    def probe() -> bool | None:
        found = bench.owner.status()
        return (found["last_contact"] != contact and found["update"]["next_check_s"] is not None) or None

    bench.unit.wait("another check", probe)


def test_the_button_of_the_update_entity_installs_the_release_that_waits(linked: Bench) -> None:
    shown = entity(linked).state(dict(linked.viewer.messages))
    assert shown["installed_version"] != shown["latest_version"]
    press_install(linked)
    until_installed(linked)
    assert linked.printed().count("asked to install") == 1

    def is_shown() -> bool | None:
        found = entity(linked).state(dict(linked.viewer.messages))
        return str(found["installed_version"]).startswith(f"{NEW}.") or None

    linked.viewer.until("the new version in Home Assistant", is_shown)
    found = entity(linked).state(dict(linked.viewer.messages))
    assert found["latest_version"] == found["installed_version"] and not found["in_progress"]


def test_before_set_up_a_unit_reaches_no_broker_and_takes_no_command(bench: Bench) -> None:
    for is_retained in (True, False):
        bench.viewer.publish(bench.base + "install", f"install-{NEW}", is_retained=is_retained)
    assert bench.owner.request("GET", "/home").status == 404
    assert bench.send(install="yes").status in (403, 404)
    assert bench.broker.clients(USER) == 0 and "home:" not in bench.printed()


def test_a_retained_command_that_waited_for_the_unit_starts_nothing(waiting: Bench) -> None:
    waiting.viewer.publish(waiting.base + "install", f"install-{NEW}", is_retained=True)
    link(waiting, install="yes")
    require_nothing_started(waiting)


def test_without_permission_a_command_starts_nothing(waiting: Bench) -> None:
    link(waiting)
    assert "command_topic" not in entity(waiting).config
    waiting.viewer.publish(waiting.base + "install", f"install-{NEW}", qos=1)
    require_nothing_started(waiting)


def test_with_the_link_switched_off_a_command_starts_nothing(linked: Bench) -> None:
    config = entity(linked).config
    assert linked.post({"action": "off"}).status == 303
    linked.until_state(home_link.OFF)
    linked.viewer.publish(config["command_topic"], config["payload_install"], qos=1)
    require_nothing_started(linked)


def test_a_command_that_is_repeated_after_the_update_starts_nothing(linked: Bench) -> None:
    config = entity(linked).config
    press_install(linked)
    until_installed(linked)
    linked.until_state(home_link.CONNECTED)
    for _ in range(3):
        linked.viewer.publish(config["command_topic"], config["payload_install"], qos=1)
    check_again(linked)
    assert linked.printed().count("asked to install") == 1
    assert linked.owner.status()["update"]["last_error"] is None


def test_an_oversized_command_ends_the_connection_and_the_unit_comes_back(linked: Bench) -> None:
    command = f"install-{NEW}".ljust(HOME_PACKET_BYTES + 1)
    linked.viewer.publish(linked.base + "install", command)
    linked.unit.wait("the refusal", lambda: "home: " in linked.printed() or None)
    linked.until_state(home_link.CONNECTED)
    require_nothing_started(linked)
    linked.until_state(home_link.CONNECTED)  # after the check: a command to a closed link is lost
    press_install(linked)
    until_installed(linked)


def test_a_broker_that_is_gone_for_a_while_gets_everything_again(linked: Bench) -> None:
    linked.broker.stop()
    linked.until_state(home_link.WAITING)
    linked.viewer.messages.clear()
    linked.broker.start()
    linked.until_state(home_link.CONNECTED)
    linked.viewer.until("the unit again", lambda: linked.viewer.messages.get(linked.base + "update"))
    linked.viewer.until(
        "its entities", lambda: len(model.discovered(dict(linked.viewer.messages))) == 5 or None
    )
    press_install(linked)
    until_installed(linked)


@pytest.mark.parametrize("way", ["stop", "hang"])
def test_a_broker_that_disappears_after_the_command_holds_up_no_update(linked: Bench, way: str) -> None:
    press_install(linked, qos=1)
    linked.unit.wait("the command", lambda: "asked to install" in linked.printed() or None)
    getattr(linked.broker, way)()
    until_installed(linked)
    found = linked.status()
    assert found["is_on"] and found["state"] != home_link.CONNECTED


def test_a_broker_of_another_authority_hears_no_login_and_starts_nothing(waiting: Bench) -> None:
    before = waiting.broker.clients(USER)
    assert waiting.send(install="yes", authority=waiting.broker.pem(issue("Home"))).status == 303
    assert waiting.until_state(home_link.WAITING)["reason"] == "certificate"
    waiting.viewer.publish(waiting.base + "install", f"install-{NEW}", qos=1)
    require_nothing_started(waiting)
    assert waiting.broker.clients(USER) == before == 0
