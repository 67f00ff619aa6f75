"""The parts that all tests share: options, property-test profiles, and skips that are counted and shown.

A skip leaves something unchecked, so the summary lists each one with its reason. With `--tools-present` (which
`make test` passes if every tool is installed) a skip because of a missing tool fails instead.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import Cluster, missing_reason

# No test asserts wall time, so hypothesis does not either. Ordinary runs generate the same examples each time;
# the nightly run generates new ones and many more.
_SLOW_MACHINE_IS_FINE = [HealthCheck.too_slow]
settings.register_profile(
    "ordinary", deadline=None, derandomize=True, max_examples=100, suppress_health_check=_SLOW_MACHINE_IS_FINE
)
settings.register_profile(
    "nightly", deadline=None, max_examples=2000, print_blob=True, suppress_health_check=_SLOW_MACHINE_IS_FINE
)

LONG = ("emulated", "ports", "powercut", "wheel")  # folders

# A reason that names one of these means a missing tool. Renode is not in Debian's archive and may be absent.
_TOOL = re.compile(
    r"qemu|mosquitto|arm-none-eabi|coap|slirp|compiler|\bgcc\b|mpy-cross|firmware|apt|postgres|chromium|detools"
    r"|\bgpgv?\b|pysequoia",
    re.IGNORECASE,
)
_OPTIONAL = re.compile(r"renode|vectors|--nightly", re.IGNORECASE)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("firstboot")
    group.addoption("--nightly", action="store_true", help="long property runs and full power-cut sweeps")
    group.addoption(
        "--tools-present",
        action="store_true",
        help="every tool is installed: a skip that blames one is a failure",
    )
    group.addoption(
        "--failed-to",
        type=Path,
        metavar="FILE",
        help="write the failed tests, one a line (tools/second_run.py)",
    )


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("nightly" if config.getoption("--nightly") else "ordinary")


TARGETS = {
    "browser": "Chromium",
    "interop": "this machine, with real peers",
    "wheel": "this machine, from the wheel",
}


def target_of(item: pytest.Item) -> str:
    """Return on what a test runs, for the results: provisioning/evidence reads it."""
    if item.get_closest_marker("emulated"):
        board = "AN505" if "an505" in item.path.name else "AN385"
        return f"emulated board (QEMU, MPS2 {board})"
    if item.path.name.endswith("_on_host.py"):
        return "this machine, C code of the firmware"
    return TARGETS.get(item.path.parent.name, "this machine, CPython")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        item.user_properties.append(("target", target_of(item)))
    # Long files first, so that no worker is left with one at the end (tools/ci.sh keeps this order).
    items.sort(key=lambda item: item.path.parent.name not in LONG)
    if config.getoption("--nightly"):
        return
    for item in items:
        if item.get_closest_marker("nightly"):
            item.add_marker(pytest.mark.skip(reason="long: runs with --nightly"))


@pytest.fixture(scope="session")
def is_nightly(request: pytest.FixtureRequest) -> bool:
    """Return whether sweeps and searches must be complete instead of quick."""
    return bool(request.config.getoption("--nightly"))


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """The tests' own PostgreSQL server in its own folder; without the package the test is skipped with a reason."""
    if reason := missing_reason():
        pytest.skip(reason)
    with Cluster() as cluster:
        yield cluster


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return the reason of a skipped test or module, without pytest's prefix."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


def blames_a_tool(reason: str) -> bool:
    """Return whether `reason` names a missing tool that `make setup` installs."""
    return bool(_TOOL.search(reason)) and not _OPTIONAL.search(reason)


def _refuse_skip(config: pytest.Config, report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and config.getoption("--tools-present"):
        reason = skip_reason(report)
        if blames_a_tool(reason):
            report.outcome = "failed"
            report.longrepr = f"skipped although every tool is installed: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    report = yield
    _refuse_skip(item.config, report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):
    report = yield
    _refuse_skip(collector.config, report)
    return report


def _write_failed(reporter: pytest.TerminalReporter, file: Path) -> None:
    """Write the node ids of the tests that failed in themselves, their fixtures or their collection."""
    reports = [*reporter.stats.get("failed", []), *reporter.stats.get("error", [])]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{name}\n" for name in dict.fromkeys(report.nodeid for report in reports)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if file := terminalreporter.config.getoption("--failed-to"):
        _write_failed(terminalreporter, file)
    skipped = terminalreporter.stats.get("skipped", [])
    if not skipped:
        terminalreporter.write_line("no test was skipped")
        return
    terminalreporter.section(f"NOT CHECKED: {len(skipped)} skipped", yellow=True, bold=True)
    reasons = Counter(skip_reason(report) for report in skipped)
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count:5} x {reason}")
