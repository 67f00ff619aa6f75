"""A batch of five emulated boards: one line provisions them over their serial ports; all are set up and updated.

The parts are those of a maker: the station's line with a port for each board, labels read back by a scanner, the
registry's exports into broker and CoAP server, the owner's terminal client, one release over both transports.

Both authorities were renewed after the units got them: servers have certificates of the renewed ones.
"""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from device.suit import report as suit_report
from provisioning import fair_time
from provisioning.cli.station_batch import check_labels
from provisioning.keys.pki import CertificateAuthority
from provisioning.onboarding import flow
from provisioning.onboarding.client import DeviceClient
from provisioning.registry.models import Unit
from provisioning.registry.registry import Registry
from provisioning.station.labels import LabelText, read_label
from provisioning.station.line import Line, PortView, Timing
from provisioning.station.port_state import PortState
from provisioning.station.ports import CallPort, fixed
from renode.qemu import QemuBoard
from simulator.story.runner import wait_until
from simulator.story.world import World

pytestmark = pytest.mark.emulated

UNITS = 5
AT_ONCE = 2  # owners who set up and update at the same moment: a board takes a core
LINE_S = 240  # five boards on a busy machine; an idle one needs fifteen seconds
WAIT_S = 120
NEEDED = ("qemu-system-arm", "arm-none-eabi-gcc")


@dataclass
class Made:
    """One board of the line."""

    board: QemuBoard
    unit: Unit
    label: LabelText


class RenewedWorld(World):
    """Servers that were certified after a renewal; the station, and so every unit, has the old certificates."""

    def authorities(self) -> tuple[CertificateAuthority, CertificateAuthority]:
        devices, servers = super().authorities()
        return devices.renewed(days=30), servers.renewed(days=30)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    missing = [tool for tool in NEEDED if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed")
    with RenewedWorld("qemu", ("mqtt", "coap"), tmp_path_factory.mktemp("batch"), lambda _: None) as made:
        made.build()
        yield made


@pytest.fixture(scope="module")
def boards(world: World) -> Iterator[list[QemuBoard]]:
    with ExitStack() as stack:
        made = []
        for number in range(1, UNITS + 1):
            board = stack.enter_context(QemuBoard(world.directory / f"board{number}"))
            board.program(world.images.rom, world.images.signed[1])
            board.power_on()
            made.append(board)
        yield made


@pytest.fixture(scope="module")
def registry(world: World) -> Iterator[Registry]:
    opened = Registry.create(world.directory / "batch.sqlite")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def batch(world: World, boards: list[QemuBoard], registry: Registry) -> list[Made]:
    """All boards of one line, which ran until each of its ports showed a result."""
    ports = [CallPort(f"bay {number}", board.factory_port) for number, board in enumerate(boards, 1)]
    views: dict[str, PortView] = {}
    is_done = threading.Event()

    def listen(view: PortView) -> None:
        if view.state in (PortState.PASSED, PortState.FAILED):
            views[view.name] = view
            if len(views) == UNITS:
                is_done.set()

    with Line(world.open_station(registry), fixed(ports), listener=listen, timing=Timing(0.5, 5.0, 60)):
        fair_time.wait(is_done, LINE_S)
    failed = {name: view.message for name, view in views.items() if view.state is not PortState.PASSED}
    assert not failed and len(views) == UNITS, failed or sorted(views)
    world.servers.serve(registry)
    made = []
    for port, board in zip(ports, boards, strict=True):
        unit = registry.find(serial=views[port.name].serial)
        assert unit is not None and unit.hardware_id == board.hardware_id
        made.append(Made(board, unit, read_label(world.directory / "labels" / str(unit.label_name))))
    return made


def test_five_boards_leave_the_line_as_five_units(
    batch: list[Made], registry: Registry, world: World
) -> None:
    units = registry.units(world.product.batch)
    assert [unit.status for unit in units] == ["passed"] * UNITS
    for what in ("device_id", "serial", "device_certificate", "web_fingerprint", "record_hash"):
        assert len({getattr(unit, what) for unit in units}) == UNITS, what
    assert len({made.label.code for made in batch}) == UNITS
    assert registry.verify().chains == {"demo": UNITS}
    report = check_labels(registry, world.product.batch, world.directory / "labels")
    assert (report.codes, report.findings) == (UNITS, ())


def test_all_five_onboard_and_update(batch: list[Made], world: World) -> None:
    for transport in ("mqtt", "coap"):
        world.publish(2, transport)
    with ThreadPoolExecutor(AT_ONCE) as owners:
        versions = list(owners.map(lambda made: onboard_and_update(made, world), batch))
    assert versions == ["2.0.0+2"] * UNITS
    assert reported(world) == {made.unit.device_id.hex() for made in batch}


def onboard_and_update(made: Made, world: World) -> str:
    """Set a unit up with its label, wait for the release and its report, and return the confirmed version."""
    client = DeviceClient(lambda: made.board.web_address, made.label.fingerprint)
    wait_until("the set-up page", lambda: flow.look(client), WAIT_S)
    password = secrets.token_urlsafe(18)
    flow.set_up(client, made.label.code, password)
    started = time.monotonic()

    def confirmed() -> str | None:
        try:
            status = client.status()
        except PermissionError:  # not signed in yet, or the restart ended the session
            client.sign_in(password)
            return None
        is_there = status["version"].startswith("2.") and not status["is_trial"]
        return str(status["version"]) if is_there else None

    try:
        version = wait_until("release 2, confirmed", confirmed, WAIT_S, 1)
        own_id = made.unit.device_id.hex()
        # The report follows the confirm.
        wait_until("the unit's report", lambda: own_id in reported(world) or None, WAIT_S)
        return version
    finally:
        print(f"{made.unit.serial}: updated {time.monotonic() - started:.0f} s after its set-up")
        made.board.cut_power()  # a finished unit leaves the cores to the others


def reported(world: World) -> set[str]:
    """Return the device ids whose reports have the release's sequence number as confirmed."""
    found = set()
    for each in world.servers.tracker.reports:
        said = suit_report.decode(each.data)
        if said.sequence == 2:
            found.add(each.device)
    return found
