"""`firstboot report drill`: forty days of three reporters, and a maker who is late is found."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from provisioning.cli.report import app
from provisioning.disclosure import advisory, drill, drill_public
from provisioning.disclosure.advisory import Advisory, Revision
from provisioning.disclosure.case import Case
from tests import openpgp as bench
from tests.unit.provisioning.disclosure.cases_bench import PRODUCT, PRODUCT_FILE, START_S, promise


def test_every_reporter_hears_everything_once_and_in_time_although_the_mail_server_is_down(
    tmp_path: Path,
) -> None:
    key = str(bench.private_key(tmp_path / "security.asc"))
    done = CliRunner().invoke(
        app,
        [
            "drill", "--product", str(PRODUCT_FILE), "--to", str(tmp_path / "d"), "--openpgp-key", key, "--json",
        ],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["problems"] == []
    assert found["received"][drill.BEN][1].endswith("Your security report continues in another case")
    assert any("the server is down" in line for line in found["lines"])
    assert any(line.endswith("are public, signed with the OpenPGP key") for line in found["lines"])
    page = (tmp_path / "d/public/advisories/sa-2026-0001.html").read_text()
    assert drill_public.TITLE in page


def test_a_maker_who_does_not_inform_in_time_fails_the_drill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drill, "_EARLY_S", -2 * 86400)
    monkeypatch.setattr(drill, "DAYS", 30)
    found = drill.run(tmp_path, PRODUCT, promise(), START_S)
    assert [one for one in found.problems if "overdue" in one and "status update" in one]


def found_in_public(tmp_path: Path) -> list[str]:
    """Run a drill. Return its problems of the public folder."""
    return [
        one for one in drill.run(tmp_path, PRODUCT, promise(), START_S).problems if "public folder" in one
    ]


def test_an_advisory_that_leaves_its_embargo_fails_the_drill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leaky(cases: Iterable[Case]) -> list[Advisory]:
        return [
            Advisory(one, drill_public.TEXT, (Revision(1, START_S, "First version."),))
            for one in cases
            if one.advisories
        ]

    monkeypatch.setattr(advisory, "public", leaky)
    monkeypatch.setattr(drill, "DAYS", 16)
    found = found_in_public(tmp_path)
    for place in (
        "advisories/index.html",
        "advisories/feed.xml",
        ".well-known/csaf/csaf-feed-tlp-white.json",
    ):
        assert f"day 15: the public folder: {place} shows {drill_public.TITLE!r}" in found
