"""`firstboot registry` as a person uses it, with backups and exports."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from provisioning.cli.keys import app as keys_app
from provisioning.cli.registry import app
from provisioning.registry import backup, branches, export
from provisioning.registry.errors import ChainError, RegistryError
from provisioning.registry.registry import Registry
from provisioning.registry.sealed import ServerPrivateKey
from provisioning.servers.oscore_store import OscoreStore
from tests.unit.provisioning.registry.registry_bench import FACTS, finish, open_batch, reserve

RUNNER = CliRunner()
CLASS_ID = bytes(range(16))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    registry = Registry.create(tmp_path / "main" / "registry.db")
    open_batch(registry)
    for number in (1, 2):
        finish(registry, number, f"CANARY{number}")
    registry.close()
    return tmp_path / "main" / "registry.db"


def run(*arguments: object) -> Result:
    return RUNNER.invoke(app, [str(argument) for argument in arguments])


def generate_server_key(folder: Path) -> None:
    result = CliRunner().invoke(keys_app, ["generate", "server", str(folder)])
    assert result.exit_code == 0, result.output


def done(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_checkpoint_is_written_and_the_registry_checked_against_it(path: Path, tmp_path: Path) -> None:
    done("checkpoint", "--registry", path, "--to", tmp_path / "kept")
    text = done("verify", "--registry", path, "--checkpoint", tmp_path / "kept")
    assert "whole: 2 production records" in text and "what its owner took back" not in text
    assert "No checkpoint from elsewhere" in done("verify", "--registry", path)


def test_what_does_not_hold_has_an_exit_code_of_its_own(path: Path, tmp_path: Path) -> None:
    done("export", "ledger", "--registry", path, "--to", tmp_path / "ledger.json")
    text = (tmp_path / "ledger.json").read_text()
    (tmp_path / "ledger.json").write_text(text.replace("SN-000002", "SN-000003"))
    result = run("verify", "--ledger", tmp_path / "ledger.json")
    assert result.exit_code == 1 and "was changed" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [["verify"], ["verify", "--registry", "nowhere.db"], ["verify", "--ledger", "nowhere.json"],
     ["export", "xml", "--registry", "{path}"], ["export", "acl", "--registry", "{path}", "--class", "xy"],
     ["withdraw", "SN-9", "--registry", "{path}", "--by", "E", "--reason", "x"],
     ["settle", "9", "--registry", "{path}", "--by", "E", "--reason", "x"],
     ["verify", "--registry", "postgresql://u:pw@h/x", "--files", "."]],
)  # fmt: skip
def test_what_cannot_be_used_is_wrong_input(arguments: list[str], path: Path) -> None:
    result = run(*(argument.replace("{path}", str(path)) for argument in arguments))
    assert result.exit_code == 2 and result.stderr and "pw@" not in result.stderr


def test_looking_at_a_registry_makes_none(tmp_path: Path) -> None:
    assert run("checkpoint", "--registry", tmp_path / "none.db", "--to", tmp_path).exit_code == 2
    assert not (tmp_path / "none.db").exists()


def test_a_branch_is_joined_leased_and_synced(path: Path, tmp_path: Path) -> None:
    branch = tmp_path / "line1" / "registry.db"
    done("join", "--main", path, "--branch", branch, "--name", "line1")
    text = done("lease", "--main", path, "--branch", branch, "--prefix", "SN-", "--count", 5, "--batch", "B1")
    assert "SN-000003 to SN-000007" in text
    registry = Registry(branch)
    finish(registry, 9, "code9", "line1")
    registry.close()
    assert "1 new units, 1 new" in done("sync", "--main", path, "--branch", branch)
    done("close-batch", "--registry", path, "--batch", "B1")
    result = run("ship-batch", "--registry", path, "--batch", "B1")
    assert result.exit_code == 1 and "line1 was not synced" in result.stderr
    done("close-batch", "--registry", branch, "--batch", "B1")
    done("sync", "--main", path, "--branch", branch)
    assert "has shipped" in done("ship-batch", "--registry", path, "--batch", "B1")
    assert "no open incident" in done("incidents", "--registry", path)


# Exports ---------------------------------------------------------------------------------------------------


def test_units_are_exported_without_anything_secret(path: Path) -> None:
    units = json.loads(done("export", "json", "--registry", path))
    rows = list(csv.DictReader(io.StringIO(done("export", "csv", "--registry", path))))
    assert [unit["serial"] for unit in units] == [row["serial"] for row in rows] == ["SN-000001", "SN-000002"]
    assert "CANARY" not in json.dumps(units) and "fingerprint" not in json.dumps(units)


def test_a_cell_is_no_formula(path: Path) -> None:
    registry = Registry(path)
    registry.quarantine(reserve(registry, 5, "code5").unit_id, "=HYPERLINK(1)")
    assert "'=HYPERLINK(1)" in export.units_csv(registry)
    registry.close()


def test_a_revoked_unit_is_left_out_of_the_brokers_rights(path: Path) -> None:
    registry = Registry(path)
    first, second = registry.units()
    registry.close()
    arguments = ("export", "acl", "--registry", path, "--class", CLASS_ID.hex())
    assert f"topic write fb/d/{first.device_id.hex()}/report" in done(*arguments)
    done("withdraw", first.serial, "--registry", path, "--by", "E. Example", "--reason", "stolen")
    text = done(*arguments)
    assert first.device_id.hex() not in text and f"user {second.device_id.hex()}" in text
    assert "user publisher" in text and "user tracker" in text
    assert "pattern" not in text  # a pattern would give rights to every holder of a certificate


def test_sealed_secrets_reach_the_coap_server_and_leave_it_with_a_revocation(
    path: Path, tmp_path: Path
) -> None:
    generate_server_key(tmp_path / "server")
    key = ServerPrivateKey.load(tmp_path / "server" / "oscore.key")
    registry = Registry(path)
    import dataclasses

    unit = reserve(registry, 7, "code7")
    sealed = key.public.seal(unit.device_id, b"s" * 16, b"t" * 8)
    registry.complete(unit.unit_id, dataclasses.replace(FACTS, oscore=(key.public.key_id, sealed)))
    registry.record_pass(unit.unit_id, {"station": "station"})
    registry.close()
    store, secrets_file = OscoreStore(tmp_path / "store"), tmp_path / "secrets.json"
    command = (
        "import-secrets",
        secrets_file,
        "--key",
        tmp_path / "server" / "oscore.key",
        "--store",
        store.directory,
    )
    done("export", "secrets", "--registry", path, "--to", secrets_file)
    assert "1 unit served, 0 removed" in done(*command)
    found = store.find(unit.device_id[:7])
    assert found is not None and (found.secret, found.salt) == (b"s" * 16, b"t" * 8)
    assert (b"s" * 16).hex() not in secrets_file.read_text()
    done("withdraw", unit.serial, "--registry", path, "--by", "E. Example", "--reason", "stolen")
    done("export", "secrets", "--registry", path, "--to", secrets_file)
    assert "0 units served, 1 removed" in done(*command)
    assert store.find(unit.device_id[:7]) is None
    assert CliRunner().invoke(keys_app, ["generate", "server", str(tmp_path / "server")]).exit_code == 2


# Backups ---------------------------------------------------------------------------------------------------


def test_a_backup_is_made_under_work_and_proves_itself(path: Path, tmp_path: Path) -> None:
    assert "whole: 2 production" in done("backup", "--registry", path, "--to", tmp_path / "b1")
    assert "whole: 2 production" in done("check-backup", tmp_path / "b1")
    assert {oct(file.stat().st_mode & 0o777) for file in (tmp_path / "b1").iterdir()} == {"0o600"}
    assert run("backup", "--registry", path, "--to", tmp_path / "b1").exit_code == 2


def test_a_restored_registry_doubles_nothing_and_waits_for_a_person(path: Path, tmp_path: Path) -> None:
    done("backup", "--registry", path, "--to", tmp_path / "b1")
    lost = Registry(path)
    after_backup = finish(lost, 3, "code3")
    lost.close()
    restored = tmp_path / "new" / "registry.db"
    done("restore", tmp_path / "b1", "--registry", restored, "--by", "E. Example")
    registry = Registry(restored)
    again = finish(registry, 4, "code4")
    assert again.serial != after_backup.serial and again.serial == "SN-010003"
    assert registry.verify().chains == {"station": 2, "station.2": 1}
    registry.close_batch("B1")
    assert "restored from a backup by E. Example" in branches.ship_problems(registry, "B1")[0]
    registry.close()


def test_a_backup_never_lands_on_a_registry(path: Path, tmp_path: Path) -> None:
    done("backup", "--registry", path, "--to", tmp_path / "b1")
    before = path.read_bytes()
    assert run("restore", tmp_path / "b1", "--registry", path, "--by", "E").exit_code == 2
    assert path.read_bytes() == before


def test_a_damaged_backup_is_reported(path: Path, tmp_path: Path) -> None:
    done("backup", "--registry", path, "--to", tmp_path / "b1")
    file = tmp_path / "b1" / "checkpoint.json"
    file.write_text(file.read_text().replace('"records": 2', '"records": 3'))
    with pytest.raises(ChainError):
        backup.check_backup(tmp_path / "b1")
    (tmp_path / "b1" / "registry.db").unlink()
    with pytest.raises(RegistryError, match="is missing"):
        backup.check_backup(tmp_path / "b1")
