"""The link to the owner's home on the emulated board: beside pages over TLS and an update, within the board's heap."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.agent import home_link
from provisioning.servers.mosquitto import find_mosquitto
from simulator.story.inputs import Inputs
from tests.home_broker import Bench, home_broker
from tests.own_port import own_port
from tests.running import PASSWORD as OWNER_PASSWORD
from tests.running import FactoryUnit, unit_of

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed"),
    pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed"),
]
NEW = 2
OTHER_ADDRESS = "10.0.2.9"  # not the broker's
PAGES = ("/status", "/updates", "/support", "/statement", "/licences", "/home")


@pytest.fixture(scope="module")
def unit() -> Iterator[FactoryUnit]:
    """A unit on the emulated board that checks for updates once an hour."""
    yield from unit_of("qemu", transports=("mqtt",), inputs=Inputs(check_interval_s=3600))


def get(bench: Bench, path: str) -> int | None:
    """Return the status of a page, None if a busy machine ended the connection."""
    try:
        return bench.owner.request("GET", path).status
    except OSError:
        return None


def test_home_assistant_starts_an_update_while_the_owner_reads_pages(
    unit: FactoryUnit, tmp_path: Path
) -> None:
    unit.owned()
    assert unit.world.owner.sign_in(OWNER_PASSWORD)
    with home_broker(tmp_path, own_port(), unit.name) as broker:
        viewer = broker.viewer()
        bench = Bench(unit, broker, viewer)
        assert bench.owner.request("POST", "/updates", {"action": "off"}).status == 303
        assert bench.send(install="yes").status == 303
        bench.until_state(home_link.CONNECTED)
        for path in PAGES:
            unit.wait(path, lambda path=path: get(bench, path) == 200 or None)
        unit.world.publish(NEW, "mqtt")
        assert bench.owner.request("POST", "/updates", {"action": "check"}).status == 303
        unit.wait("the offer", lambda: bench.owner.status()["update"]["offered"])
        bench.until_state(home_link.CONNECTED)
        viewer.publish(bench.base + "install", f"install-{NEW}", qos=1)

        def is_new() -> bool | None:
            get(bench, "/home")
            return f"image {NEW}." in bench.printed() or None

        unit.wait("the new image", is_new)
        unit.wait("a sign-in", lambda: bench.owner.sign_in(OWNER_PASSWORD) or None)
        unit.wait("the confirm", lambda: not bench.owner.status()["is_trial"] or None)
        bench.until_state(home_link.CONNECTED)
        assert bench.owner.status()["memory"]["tls_refused"] == 0
        assert bench.printed().count("restart: ") == 1 and "MemoryShortError" not in bench.printed()
        viewer.close()


def ends_as(bench: Bench, end: tuple[str, str | None]) -> bool:
    """Return whether the link has this state and reason."""
    found = bench.status()
    return (found.get("state"), found.get("reason")) == end


def test_a_certificate_with_the_brokers_own_address_needs_no_name_and_one_with_another_is_refused(
    unit: FactoryUnit, tmp_path: Path
) -> None:
    """As docs/how-to/home-assistant.md makes it: subjectAltName=IP (RFC 5280 4.2.1.6)."""
    unit.world.publish(1, "mqtt")  # another test's release would be installed in the middle of this one
    unit.owned()
    assert unit.world.owner.sign_in(OWNER_PASSWORD)
    host = unit.world.host_address
    for certified, end in (
        (host, (home_link.CONNECTED, None)),
        (OTHER_ADDRESS, (home_link.WAITING, "certificate")),
    ):
        folder = tmp_path / certified
        folder.mkdir()
        with home_broker(folder, own_port(), unit.name, certified) as broker:
            viewer = broker.viewer()
            bench = Bench(unit, broker, viewer)
            assert bench.send(name="").status == 303
            # The link to the broker before may still end with a reason of its own: wait for this one.
            unit.wait(f"the link to {certified}", lambda bench=bench, end=end: ends_as(bench, end) or None)
            viewer.close()
