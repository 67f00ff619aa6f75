"""`firstboot rollout`: from a signed release to the end of its rollout, and what is refused."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from device.errors import KnownBadError
from device.suit import envelope, report
from provisioning.cli.main import app, load_commands
from provisioning.cli.rollout_access import parse_span
from provisioning.product.product import load_product
from provisioning.release.release import Release, build_release
from provisioning.servers import published_rollout
from provisioning.servers.report_log import ReportLog, Reports
from provisioning.shared_store.database import SharedDatabase
from provisioning.shared_store.release_store import DatabaseStore
from provisioning.shared_store.reports import SharedReports
from tests.unit.provisioning.real_maker import REAL
from tests.unit.provisioning.servers.test_serve_parts import SIGNER

STAGES = ("--stage", "1%:24h", "--stage", "100%")
CLASS = ("--product", "product.toml", "--store", "published")


@pytest.fixture(autouse=True)
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    monkeypatch.chdir(tmp_path)
    if not app.registered_groups:
        load_commands(app)
    Path("product.toml").write_text(REAL)
    release = build_release(
        b"payload",
        vendor_id=bytes(16),
        class_id=load_product(Path("product.toml")).class_id,
        sequence_number=7,
        signer=SIGNER,
        version="1.0.0",
        mitigates="nothing",
        interrupts="no",
    )
    release.save(Path("release-7"))
    Path("published").mkdir()
    return release


def run(*arguments: str, code: int = 0) -> Result:
    found = CliRunner().invoke(app, ["rollout", *arguments])
    assert found.exit_code == code, found.output
    return found


def ask(*arguments: str, code: int = 0) -> Any:
    return json.loads(run(*arguments, "--json", code=code).stdout)


def begin(*arguments: str, code: int = 0) -> Result:
    return run("begin", "release-7", "--store", "published", *STAGES, *arguments, code=code)


def show() -> Any:
    return ask("show", "--product", "product.toml")


def failures(release: Release, count: int, log: Reports | None = None) -> None:
    digest = envelope.decode_digest(envelope.decode(release.envelope).digest)
    log = log or ReportLog(Path("reports.jsonl"), now=lambda: time.time() + 1)
    for unit in range(count):
        for error in (0, KnownBadError.code):
            found = report.Report(
                report.Reference("", digest), None, bytes(32), "1.0.0", 6, error, error == 0, {}
            )
            log.append(f"{unit:032x}", "mqtt", report.encode(found))


def test_a_rollout_is_begun_before_its_release_is_published_and_shown() -> None:
    assert "stage 1 of 2: 1 % of the fleet" in begin().stdout
    found = show()
    assert (found["release"], found["state"], found["share"]) == (7, "running", 0.01)
    assert [one["what"] for one in found["changes"]] == ["began: stage 1 of 2: 1 % of the fleet"]


def test_units_that_fail_pause_it_and_cron_learns_it_by_the_exit_code(made: Release) -> None:
    begin()
    failures(made, 5)
    once = ("run", *CLASS, "--reports", "reports.jsonl", "--once")
    found = run(*once, code=1)
    assert "paused: 5 units failed, 100.0%" in found.stdout
    assert "the rollout of release 7 is paused: 5 units failed, 100.0%" in found.stderr
    assert run(*once, code=1).stdout == "", "a pause is printed once"
    assert show()["errors"] == [{"error": KnownBadError.code, "name": "KnownBadError", "units": 5}]
    run("resume", *CLASS)
    run(*once)
    assert show()["state"] == "running"


def test_a_server_database_has_the_published_rollout_and_the_reports_that_decide(made: Release) -> None:
    database = SharedDatabase.create("servers.db")
    place = ("--store", "servers.db")
    run("begin", "release-7", *place, *STAGES)
    store = DatabaseStore(database, load_product(Path("product.toml")).class_id)
    assert published_rollout.decode(store.rollout() or b"").sequence == 7
    failures(made, 5, SharedReports(database, now=lambda: time.time() + 1))
    once = ("run", "--product", "product.toml", *place, "--reports", "servers.db", "--once")
    assert "paused: 5 units failed, 100.0%" in run(*once, code=1).stdout
    run("end", "--product", "product.toml", *place)
    assert store.rollout() is None
    database.close()


def test_a_server_database_that_does_not_answer_ends_with_try_again() -> None:
    address = "postgresql://nobody@127.0.0.1:1/none"
    assert "127.0.0.1" in run("resume", "--product", "product.toml", "--store", address, code=75).stderr


def test_a_published_rollout_whose_file_is_lost_is_replaced_only_when_a_person_says_so() -> None:
    begin()
    Path("rollouts.db").unlink()
    assert "begin with --replace-lost" in begin(code=1).stderr
    begin("--replace-lost")
    assert show()["state"] == "running"


def test_a_person_pauses_resumes_and_ends_it() -> None:
    begin()
    assert ask("pause", *CLASS, "--reason", "the lamp flickers")["text"] == "paused: the lamp flickers"
    assert ask("resume", *CLASS)["state"] == "running"
    assert ask("end", *CLASS)["state"] == "ended"
    assert "is ended" in run("end", *CLASS, code=1).stderr
    assert len(show()["changes"]) == 4


def test_stages_longer_than_a_unit_waits_are_said() -> None:
    found = run("begin", "release-7", "--store", "published", "--stage", "1%:4d", "--stage", "100%", "--json")
    assert "does not wait longer" in " ".join(found.stderr.split())
    assert json.loads(found.stdout)["stages"] == 2


@pytest.mark.parametrize(
    "stage",
    ["1", "1%:", "1%:24", "1%:24h:1", "-1%:1h", "101%:1h", "1.001%:1h", "x%:1h", "1%:1.5h", "", "1 %:1h"],
)
def test_a_stage_that_cannot_be_read_begins_nothing(stage: str) -> None:
    run("begin", "release-7", "--store", "published", "--stage", stage, "--stage", "100%", code=2)
    assert not Path("rollouts.db").exists()


@pytest.mark.parametrize("stages", [("1%:1h",), ("100%", "1%"), ("0%", "100%"), ("50%", "50%", "100%")])
def test_stages_that_do_not_lead_to_the_whole_fleet_begin_nothing(stages: tuple[str, ...]) -> None:
    given = [word for stage in stages for word in ("--stage", stage)]
    run("begin", "release-7", "--store", "published", *given, code=1)
    assert not Path("rollouts.db").exists()


def test_a_mistyped_store_is_not_made() -> None:
    found = run("begin", "release-7", "--store", "publishd", *STAGES, code=2)
    assert "publishd is not a folder" in found.stderr
    assert not Path("publishd").exists() and not Path("rollouts.db").exists()


def test_reports_that_do_not_exist_are_said() -> None:
    begin()
    found = run("run", *CLASS, "--reports", "reprots.jsonl", "--once")
    assert "reprots.jsonl does not exist" in found.stderr


def test_what_is_missing_is_named() -> None:
    assert "begin a rollout first" in run("show", "--product", "product.toml", code=1).stderr
    assert "is not a folder" in run("end", "--product", "product.toml", "--store", "missing", code=2).stderr
    run("begin", "release-8", "--store", "published", *STAGES, code=2)


def test_a_span_of_time_is_read() -> None:
    assert [parse_span(text, "--every") for text in ("5s", "90m", "24h", "3d")] == [5, 5400, 86400, 259200]
