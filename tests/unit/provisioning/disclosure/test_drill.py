"""`firstboot report drill`: forty days of three reporters, and a maker who is late is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from provisioning.cli.report import app
from provisioning.disclosure import drill
from tests.unit.provisioning.disclosure.cases_bench import PRODUCT_FILE, START_S, promise


def test_every_reporter_hears_everything_once_and_in_time_although_the_mail_server_is_down(
    tmp_path: Path,
) -> None:
    done = CliRunner().invoke(
        app, ["drill", "--product", str(PRODUCT_FILE), "--to", str(tmp_path / "d"), "--json"]
    )
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["problems"] == []
    assert found["received"][drill.BEN][1].endswith("Your security report continues in another case")
    assert any("the server is down" in line for line in found["lines"])


def test_a_maker_who_does_not_inform_in_time_fails_the_drill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drill, "_EARLY_S", -2 * 86400)
    monkeypatch.setattr(drill, "DAYS", 30)
    found = drill.run(tmp_path, promise(), START_S)
    assert [one for one in found.problems if "overdue" in one and "status update" in one]
