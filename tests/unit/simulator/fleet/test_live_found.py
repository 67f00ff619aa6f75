"""The report of a live fleet, and the ends that need no broker."""

from __future__ import annotations

import asyncio
import gc
import json
import resource
from asyncio import sslproto
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from provisioning.keys.pki import CertificateAuthority
from simulator.cli import fleet_live
from simulator.cli.fleet import app
from simulator.fleet import live
from simulator.fleet.base import Base
from simulator.fleet.errors import FleetError, MachineLimitError
from simulator.fleet.live_found import Connections, Machine, Storm

CONNECTIONS = Connections(40, wall_s=0.5, cpu_s=0.1, unit_bytes=40 * 50 * 1024, broker_bytes=40 * 10 * 1024)
STORM = Storm(4, 30, 20, failed=7, connects=(0.2, 0.9, 3.4, 3.5), returned={0: 1.0, 1: 1.5, 2: 4.0, 3: 4.25})


def test_connections_are_counted_per_second_and_each_has_its_share_of_memory() -> None:
    found = CONNECTIONS.document()
    assert (found["connects_per_s"], found["connects_per_processor_s"]) == (80, 400)
    assert (found["kib_per_connection"], found["broker_kib_per_connection"]) == (50.0, 10.0)


def test_a_storm_counts_the_connections_of_each_second_also_of_an_empty_one() -> None:
    found = STORM.document()
    assert found["connects_in_each_second"] == [2, 0, 0, 2]
    assert found["busiest_second"] == 2


def test_a_share_of_the_units_is_back_with_the_report_of_its_last_unit() -> None:
    assert STORM.document()["returned_s"] == {"50%": 1.5, "95%": 4.2, "100%": 4.2}


def test_a_share_that_was_not_reached_has_no_time() -> None:
    found = Storm(4, 30, 20, failed=0, connects=(), returned={0: 1.0, 1: 1.5, 2: 4.0}).document()
    assert found["returned_s"] == {"50%": 1.5, "95%": None, "100%": None}
    assert found["connects_in_each_second"] == [] and found["busiest_second"] == 0


@pytest.mark.parametrize(("load", "is_busy"), [(0.0, False), (0.5, False), (0.6, True), (24.0, True)])
def test_a_machine_is_busy_if_other_programs_take_more_than_a_quarter_of_it(
    load: float, is_busy: bool
) -> None:
    assert Machine(2, load).is_busy is is_busy


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run without units and servers, on a busy machine."""

    async def run(*arguments: object) -> tuple[Connections, Storm]:
        return CONNECTIONS, STORM

    monkeypatch.setattr(live, "run", run)
    monkeypatch.setattr(fleet_live.bases, "make", lambda: None)
    monkeypatch.setattr(fleet_live.Machine, "now", classmethod(lambda cls: cls(2, 24.0)))


@pytest.mark.usefixtures("canned")
def test_the_report_states_that_the_machine_was_busy_and_draws_each_second() -> None:
    text = CliRunner().invoke(app, ["live"]).output
    assert "load 24.0 before the run: it was busy" in text
    assert "after it: 4 of 4 units reported, 50% after 1.5 s" in text
    assert "  second   1:     0 \n" in text and "  second   3:     2 " + "#" * 40 in text


@pytest.mark.usefixtures("canned")
def test_the_report_for_a_program_has_the_same_figures() -> None:
    found = json.loads(CliRunner().invoke(app, ["live", "--json"]).output)
    assert found["machine"] == {"cores": 2, "load": 24.0, "is_busy": True}
    assert found["connections"] == CONNECTIONS.document()
    assert found["storm"]["failed_attempts"] == 7


def test_more_units_than_open_files_are_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (256, 1024))
    changed: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: changed.append(limits))
    with pytest.raises(MachineLimitError, match="1000 units need 1200 open files"):
        live.make_room(1000)
    assert changed == []


def test_the_limit_of_open_files_is_raised_as_far_as_the_units_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (256, 4096))
    changed: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: changed.append(limits))
    live.make_room(40)
    live.make_room(1000)
    assert changed == [(1200, 4096)]


def test_small_buffers_end_with_the_run() -> None:
    before = sslproto.SSLProtocol.max_size
    with live.small_buffers():
        assert sslproto.SSLProtocol.max_size == live.BUFFER_BYTES
    assert sslproto.SSLProtocol.max_size == before


def test_a_unit_that_ends_is_a_fault_of_the_run_and_leaves_no_error_to_others(
    base: Base, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def ends(ports: object) -> None:
        raise RuntimeError("no more")

    monkeypatch.setattr(live, "run_async", ends)
    authority = CertificateAuthority.create("units")
    maker = SimpleNamespace(
        issue=lambda device_id: authority.issue_client(device_id.hex()),
        servers_record=lambda interval_s: base.records["device"]["servers"],
    )
    fleet = live.LiveFleet(base, maker, live.Tally(), 2, 20)  # type: ignore[arg-type]
    with pytest.raises(FleetError, match="a unit ended: RuntimeError"):
        asyncio.run(fleet.storm(1))
    del fleet
    gc.collect()  # asyncio logs an error that nobody retrieved when its task is collected
    assert not caplog.records
