"""`--json` of the commands that a program calls: standard output is one document, also when a command is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from provisioning.cli.main import app, load_commands
from provisioning.registry import branches
from provisioning.registry.registry import Registry
from tests.unit.provisioning.registry.registry_bench import finish, open_batch, reserve

BY = ("--by", "E. Example", "--reason", "x")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if not app.registered_groups:
        load_commands(app)


@pytest.fixture
def registry() -> str:
    """A main registry with two finished units in the open batch B1."""
    made = Registry.create("main.db")
    open_batch(made)
    for number in (1, 2):
        finish(made, number, f"code{number}")
    made.close()
    return "main.db"


@pytest.fixture
def branch(registry: str) -> str:
    """A branch with leased numbers."""
    ask("registry", "join", "--main", registry, "--branch", "line1.db", "--name", "line1")
    ask(
        "registry", "lease", "--main", registry, "--branch", "line1.db", "--prefix", "SN-", "--count", "5",
        "--batch", "B1",
    )  # fmt: skip
    return "line1.db"


def ask(*arguments: str, code: int = 0) -> Any:
    """Run a command with --json and return the document that it prints."""
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_init_names_the_registry_and_its_key() -> None:
    document = ask("registry", "init", "--registry", "new.db")
    assert document["registry"] == "new.db" and Path(document["key"]).is_file()
    assert len(bytes.fromhex(document["registry_id"])) == 16


def test_join_and_lease_name_the_branch_and_its_numbers(registry: str) -> None:
    joined = ask("registry", "join", "--main", registry, "--branch", "line1.db", "--name", "line1")
    assert (joined["branch"], joined["name"]) == ("line1.db", "line1")
    leased = ask("registry", "lease", "--main", registry, "--for", "line1", "--prefix", "SN-", "--count", "5")
    assert leased == {"first": "SN-000003", "last": "SN-000007", "count": 5}


def test_a_sync_counts_what_is_new(registry: str, branch: str) -> None:
    made = Registry(branch)
    finish(made, 9, "code9", "line1")
    made.close()
    document = ask("registry", "sync", "--main", registry, "--branch", branch)
    assert document == {"new_units": 1, "new_records": 1, "incidents": []}


def test_a_sync_with_an_incident_lists_it_and_fails(registry: str, branch: str) -> None:
    made = Registry(branch)
    finish(made, 9, "code1", "line1")  # a code that the main registry has given to another unit
    made.close()
    document = ask("registry", "sync", "--main", registry, "--branch", branch, code=1)
    assert document["new_units"] == 1 and document["incidents"]


def test_a_sync_by_files_reports_each_file_and_its_key(registry: str, branch: str) -> None:
    out = ask("registry", "export-sync", "--registry", branch, "--to", "line1.sync")
    assert out["file"] == "line1.sync"
    taken = ask(
        "registry", "import-sync", "line1.sync", "--main", registry, "--answer", "line1.answer", "--key",
        out["signed_by"],
    )  # fmt: skip
    assert (taken["answer"], taken["new_units"], taken["incidents"]) == ("line1.answer", 0, [])
    finished = ask(
        "registry", "finish-sync", "line1.answer", "--registry", branch, "--key", taken["signed_by"]
    )
    assert finished == {"stopped_units": 0, "new_ranges": 0}


def test_a_batch_that_cannot_ship_lists_every_reason(registry: str) -> None:
    document = ask("registry", "ship-batch", "--registry", registry, "--batch", "B1", code=1)
    assert document["is_shipped"] is False and "still open" in document["problems"][0]


def test_a_batch_is_closed_and_shipped(registry: str) -> None:
    closed = ask("registry", "close-batch", "--registry", registry, "--batch", "B1")
    assert closed == {"batch": "B1", "is_closed": True}
    shipped = ask("registry", "ship-batch", "--registry", registry, "--batch", "B1")
    assert shipped == {"batch": "B1", "is_shipped": True, "problems": []}


def test_an_incident_is_settled(registry: str) -> None:
    made = Registry(registry)
    with made.writing() as session:
        from provisioning.registry.models import Incident

        session.add(Incident(kind="code", batch="B1", text="a code came twice", found_s=1))
    number = branches.incidents(made)[0].id
    made.close()
    document = ask("registry", "settle", str(number), "--registry", registry, *BY)
    assert document == {"incident": number, "is_settled": True}


def test_a_withdrawn_unit_is_named_with_its_device_id(registry: str) -> None:
    document = ask("registry", "withdraw", "SN-000001", "--registry", registry, *BY)
    assert document["serial"] == "SN-000001" and document["is_withdrawn"]
    assert len(bytes.fromhex(document["device_id"])) == 16


def test_an_export_reports_its_file(registry: str) -> None:
    document = ask("registry", "export", "csv", "--registry", registry, "--to", "units.csv")
    assert document == {
        "format": "csv",
        "file": "units.csv",
        "bytes": Path("units.csv").stat().st_size,
    }


def test_an_export_to_standard_output_leaves_no_room_for_a_report(registry: str) -> None:
    result = CliRunner().invoke(app, ["registry", "export", "csv", "--registry", registry, "--json"])
    assert result.exit_code == 2 and not result.stdout and "--to" in result.stderr


def test_import_secrets_counts_units(registry: str) -> None:
    ask("keys", "generate", "server", "server")
    ask("registry", "export", "secrets", "--registry", registry, "--to", "secrets.json")
    document = ask(
        "registry", "import-secrets", "secrets.json", "--key", "server/oscore.key", "--store", "store"
    )
    assert document == {"served_units": 0, "removed_units": 0}


def test_a_restored_registry_is_reported_like_a_check(registry: str) -> None:
    ask("registry", "backup", "--registry", registry, "--to", "backup")
    document = ask("registry", "restore", "backup", "--registry", "again.db", "--by", "E. Example")
    assert (document["registry"], document["records"], document["is_whole"]) == ("again.db", 2, True)


def test_a_new_station_names_its_files() -> None:
    document = ask("station", "init", "line", "--development")
    assert document["is_development"] is True
    for name in ("product", "registry", "keys", "server_key"):
        assert Path(document[name]).exists(), name


def test_a_unit_is_quarantined_and_reworked(registry: str) -> None:
    held = ask("station", "quarantine", "SN-000001", "--registry", registry, *BY)
    assert held == {"serial": "SN-000001", "status": "quarantined"}
    reworked = ask("station", "rework", "SN-000001", "--registry", registry, *BY)
    assert reworked == {"serial": "SN-000001", "status": "retired", "is_withdrawn": True}


def test_the_rework_of_a_unit_that_never_passed_withdraws_nothing(registry: str) -> None:
    made = Registry(registry)
    serial = reserve(made, 5, "code5").serial
    made.close()
    assert ask("station", "rework", serial, "--registry", registry, *BY)["is_withdrawn"] is False


def test_a_replaced_and_a_revoked_key_name_the_next_key_set() -> None:
    ask("station", "init", "line")
    ask("keys", "init", "maker", "--product", "line/product.toml")
    rotated = ask("keys", "rotate", "author", "--keys", "maker/keys", "--revoke")
    assert (rotated["role"], rotated["is_revoked"]) == ("author", True)
    revoked = ask("keys", "revoke", "image-0", "--keys", "maker/keys")
    assert revoked == {"key": "image-0", "is_revoked": True, "next_sequence": rotated["next_sequence"] + 1}


@pytest.mark.parametrize("key", ["image-first", "image-3", "image-01", "0123", "not hex"])
def test_a_key_that_cannot_be_revoked_is_named(key: str) -> None:
    ask("station", "init", "line")
    ask("keys", "init", "maker", "--product", "line/product.toml")
    result = CliRunner().invoke(app, ["keys", "revoke", "--keys", "maker/keys", "--", key])
    assert result.exit_code == 2 and key in result.stderr
