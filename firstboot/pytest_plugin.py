"""pytest-firstboot: a unit, its servers and its owner as fixtures (docs/how-to/test-your-change.md).

Rules:
1. pytest loads this module in each run of an environment with Firstboot. It imports nothing of Firstboot before a test
   requests one of its fixtures or the command line has one of its options.
2. Each test has its own unit, servers and folder, so tests can run in parallel.
3. A failed test names the files that show what happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from simulator.porting.pytest_checks import PortingCheck
    from simulator.story.rig import Published, Rig, RigBoard, RigClock, RigOwner
    from simulator.story.rig_power import RigPower

MACHINES = ("sim", "qemu", "renode")
_RECORD = "record the unit on QEMU, so that a failed test leaves a file that replays it (default: yes)"
_BOARD = "board for the porting checklist: qemu, unix, or a serial port such as /dev/ttyACM0 (default: none)"
_RIG: pytest.StashKey[Rig] = pytest.StashKey()
_OPTIONS = (
    ("firmware", "DIR", "folder with device/: its files replace those of the same name in the firmware"),
    ("app", "DIR", "folder of your application; releases 2, 3 and 5 contain it"),
    (
        "product",
        "FILE",
        "your product definition (TOML); the servers in it are replaced by those of the test",
    ),
    ("keys", "DIR", "folder with development keys; they are generated if it does not exist"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options. Each has a setting of the same name with underscores for pytest's settings file."""
    group = parser.getgroup("firstboot", "Firstboot: a unit on the simulator or on an emulated board")
    machines = f"where the unit runs: {', '.join(MACHINES)} (default: sim)"
    group.addoption("--firstboot-on", choices=MACHINES, help=machines)
    parser.addini("firstboot_on", machines, default="sim")
    group.addoption("--firstboot-record", choices=("yes", "no"), help=_RECORD)
    parser.addini("firstboot_record", _RECORD, type="bool", default=True)
    group.addoption("--firstboot-board", metavar="LINE", help=_BOARD)
    parser.addini("firstboot_board", _BOARD, default="")
    for name, metavar, text in _OPTIONS:
        group.addoption(f"--firstboot-{name}", metavar=metavar, help=text)
        parser.addini(f"firstboot_{name}", text, default="")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the device code before any of it is imported. Raises pytest.UsageError."""
    change = _path(config, "firmware")
    if change is None:
        return
    from firstboot.device_code import DeviceCodeError, use_device_code

    try:
        use_device_code(change)
    except DeviceCodeError as error:
        raise pytest.UsageError(str(error)) from None


def _path(config: pytest.Config, name: str) -> Path | None:
    """Return the path of an option, or of its setting, which is relative to the folder of the settings file."""
    typed = config.getoption(f"--firstboot-{name}", None)
    if typed:
        return Path(str(typed)).absolute()
    named = str(config.getini(f"firstboot_{name}") or "")
    base = config.inipath.parent if config.inipath is not None else config.rootpath
    return base / named if named else None


def _machine(config: pytest.Config) -> str:
    name = str(config.getoption("--firstboot-on", None) or config.getini("firstboot_on"))
    if name not in MACHINES:
        raise pytest.UsageError(f"firstboot_on is {name!r}. Use one of: {', '.join(MACHINES)}.")
    return name


def _is_recorded(config: pytest.Config) -> bool:
    typed = config.getoption("--firstboot-record", None)
    return bool(config.getini("firstboot_record")) if typed is None else typed == "yes"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Add the files of the unit to the report of a failed test. This switches a recorded unit off."""
    report = yield
    rig = item.stash.get(_RIG, None)
    if report.failed and rig is not None:
        lines = [f"{name}: {path}" for name, path in rig.artefacts().items()]
        lines += (
            [f"to repeat it: firstboot replay {rig.recording_path}"] if rig.recording_path.is_file() else []
        )
        report.sections.append(("firstboot: what the unit left", "\n".join(lines)))
    return report


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test of each check of the porting checklist, for tests with the fixture `porting_check`."""
    if "porting_check" in metafunc.fixturenames:
        from simulator.porting.checklist import checks

        metafunc.parametrize("porting_check", checks(), ids=lambda check: check.name, indirect=True)


@pytest.fixture(scope="session")
def porting_sessions(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The board of the porting checklist, with one session for each folder of tests."""
    from simulator.porting.pytest_checks import Sessions

    config = request.config
    named = str(config.getoption("--firstboot-board", None) or config.getini("firstboot_board"))
    with Sessions(named) as sessions:
        yield sessions


@pytest.fixture
def porting_check(request: pytest.FixtureRequest, porting_sessions: Any) -> PortingCheck:
    """One check of the porting checklist; run() passes, fails or skips the test."""
    check: PortingCheck = porting_sessions.check(request.path.parent, request.param)
    return check


@pytest.fixture
def firstboot_rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The unit with everything around it. It starts when one of the other fixtures uses it."""
    from simulator.story.inputs import Inputs
    from simulator.story.rig import Rig

    config = request.config
    inputs = Inputs(
        product=_path(config, "product"),
        app=_path(config, "app"),
        keys=_path(config, "keys"),
        has_power_cuts="power" in request.fixturenames,
    )
    folder = tmp_path_factory.mktemp("firstboot")
    with Rig(_machine(config), folder, inputs, is_recorded=_is_recorded(config)) as rig:
        request.node.stash[_RIG] = rig
        yield rig


@pytest.fixture
def board(firstboot_rig: Rig) -> RigBoard:
    """The provisioned unit in factory default, switched on: console, button, flash, address of its pages."""
    return firstboot_rig.board


@pytest.fixture
def owner(firstboot_rig: Rig) -> RigOwner:
    """The owner with the unit's label: set_up(), sign_in(), status(), wait_until(), get(), post()."""
    return firstboot_rig.owner


@pytest.fixture
def publish(firstboot_rig: Rig) -> Callable[..., Published]:
    """A function: publish(2, over="mqtt").wait_until_confirmed()."""
    return firstboot_rig.publish


@pytest.fixture
def power(firstboot_rig: Rig) -> RigPower:
    """The power supply: off(), on(), cut_at(operation), wait_until_cut()."""
    return firstboot_rig.power


@pytest.fixture
def clock(firstboot_rig: Rig) -> RigClock:
    """The time that the status tracker signs: now(), move_to(), move_past_support()."""
    return firstboot_rig.clock


@pytest.fixture
def station(firstboot_rig: Rig) -> Any:
    """The station that provisioned the unit (provisioning.station.station.Station)."""
    return firstboot_rig.world.opened_station


@pytest.fixture
def broker(firstboot_rig: Rig) -> Any:
    """The MQTT broker: host, port, log_path (provisioning.servers.broker.Broker)."""
    return firstboot_rig.world.servers.broker


@pytest.fixture
def coap_server(firstboot_rig: Rig) -> Any:
    """The CoAP server: host, port (provisioning.servers.coap_server.CoapServer)."""
    return firstboot_rig.world.servers.coap


@pytest.fixture
def tracker(firstboot_rig: Rig) -> Any:
    """The status tracker: reports, asked (provisioning.servers.tracker.Tracker)."""
    return firstboot_rig.world.servers.tracker
