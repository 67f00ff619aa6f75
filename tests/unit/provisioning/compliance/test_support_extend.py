"""`firstboot support extend`: every place states the new day, and a cut at any step costs nothing (SP-02, SP-03)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner, Result

from device.codec import cose
from device.records import support
from device.records.support import date_text
from provisioning.cli import site as site_commands
from provisioning.cli import support_extend
from provisioning.cli.exit_codes import ExitCode
from provisioning.cli.site import app as site_app
from provisioning.cli.support import app
from provisioning.compliance.extension import LOCK_SUFFIX, only_extension, plan_path
from provisioning.compliance.ledger import Ledger
from provisioning.compliance.support_register import history
from provisioning.product.product import load_product
from provisioning.release.folder_store import FolderStore
from tests.unit.provisioning.compliance.statement_bench import PRODUCT, TODAY
from tests.unit.provisioning.real_maker import BASE_URL, REAL

DAY = "2033-12-31"
RUNNER = CliRunner()


def places(folder: Path) -> list[str]:
    found = [
        "--product",
        folder / "product.toml",
        "--base-url",
        BASE_URL,
        "--register",
        folder / "register.jsonl",
    ]
    found += ["--archive", folder / "archive", "--out", folder / "site", "--evidence", folder / "evidence"]
    return [str(each) for each in found]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a definition, the support key, and a site that publishes the period."""
    monkeypatch.setattr(site_commands, "today_utc", lambda: TODAY)
    (tmp_path / "product.toml").write_text(REAL)
    key = ec.generate_private_key(ec.SECP256R1())
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "support.pem").write_bytes(key.private_bytes(*plain))
    (tmp_path / "support.pem").chmod(0o600)
    built = RUNNER.invoke(site_app, ["build", *places(tmp_path)])
    assert built.exit_code == 0, built.output
    return tmp_path


def extend(folder: Path, *more: str, until: str = DAY) -> Result:
    given = ["--until", until, "--signer", str(folder / "support.pem"), "--store", str(folder / "store")]
    return RUNNER.invoke(app, ["extend", *places(folder), *given, *more])


def record_of(folder: Path) -> support.SupportRecord:
    data = (folder / "product.support.cose").read_bytes()
    return support.decode(cose.decode(data).payload or b"")


def assert_extended(folder: Path) -> None:
    """Every place states the new day, once."""
    published = history(Ledger(folder / "register.jsonl").lines())
    assert [each.end_date.isoformat() for each in published] == ["2031-12-31", DAY]
    definition = load_product(folder / "product.toml").support
    assert (definition.end_date.isoformat(), definition.sequence) == (DAY, 2)
    record = (folder / "product.support.cose").read_bytes()
    assert date_text(record_of(folder).end_day) == DAY and record_of(folder).sequence == 2
    assert (folder / "site/records/support-FB-1.cose").read_bytes() == record
    for page in ("products/FB-1/index.html", "support.xml", "support/index.html"):
        assert (
            "31 December 2033" in (folder / "site" / page).read_text()
            or DAY in (folder / "site" / page).read_text()
        )
    store = FolderStore(folder / "store", PRODUCT.class_id)
    assert store.published("support") == record
    assert not plan_path(folder / "product.toml").exists()


def files(folder: Path) -> dict[str, bytes]:
    found = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: data for name, data in found.items() if not name.endswith(LOCK_SUFFIX)}


def test_sp_03_one_command_extends_definition_register_site_feed_and_devices(folder: Path) -> None:
    found = extend(folder, "--yes", "--json")
    assert found.exit_code == ExitCode.DONE, found.output
    assert json.loads(found.stdout)["outcome"] == "EXTENDED"
    assert_extended(folder)


def test_a_dry_run_shows_each_place_and_changes_nothing(folder: Path) -> None:
    before = files(folder)
    found = extend(folder, "--dry-run")
    assert found.exit_code == ExitCode.DONE and files(folder) == before
    for words in ("+end_date = 2033-12-31", "2031-12-31 -> 2033-12-31", "sequence 2", str(folder / "store")):
        assert words in found.stdout


def test_nothing_changes_until_the_person_types_the_day(folder: Path) -> None:
    before = files(folder)
    given = [*places(folder), "--until", DAY, "--signer", str(folder / "support.pem")]
    found = RUNNER.invoke(app, ["extend", *given], input="yes\n")
    assert found.exit_code == ExitCode.FAILED and files(folder) == before


@pytest.mark.parametrize(
    ("until", "code"),
    [("2031-12-30", ExitCode.FAILED), ("2060-01-01", ExitCode.FAILED), ("soon", ExitCode.WRONG_INPUT)],
)
def test_sp_02_a_shortening_and_a_wrong_day_change_nothing(until: str, code: int, folder: Path) -> None:
    before = files(folder)
    assert extend(folder, "--yes", until=until).exit_code == code and files(folder) == before


def test_extending_to_the_same_day_again_is_unchanged(folder: Path) -> None:
    assert extend(folder, "--yes").exit_code == ExitCode.DONE
    before = files(folder)
    found = extend(folder, "--yes", "--json")
    assert json.loads(found.stdout) == {"outcome": "UNCHANGED"} and files(folder) == before


def test_a_second_extension_follows_the_first(folder: Path) -> None:
    assert extend(folder, "--yes").exit_code == ExitCode.DONE
    assert extend(folder, "--yes", until="2034-12-31").exit_code == ExitCode.DONE
    assert record_of(folder).sequence == 3


def test_a_second_extension_at_the_same_time_is_refused_and_changes_nothing(folder: Path) -> None:
    with only_extension(folder / "register.jsonl"):
        before = files(folder)
        found = extend(folder, "--yes")
        assert (
            found.exit_code == ExitCode.FAILED
            and "another extension works with register.jsonl" in found.stderr
        )
        assert extend(folder, "--dry-run").exit_code == ExitCode.DONE
        assert files(folder) == before
    assert extend(folder, "--yes").exit_code == ExitCode.DONE


def test_an_extension_excludes_others_from_its_question_to_its_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[int] = []

    def answer(*_: Any, **__: Any) -> str:
        others.append(extend(folder, "--yes", until="2034-12-31").exit_code)
        return DAY

    monkeypatch.setattr(support_extend.typer, "prompt", answer)
    assert extend(folder).exit_code == ExitCode.DONE
    assert others == [ExitCode.FAILED]
    assert_extended(folder)


# A cut before and after each step -----------------------------------------------------------------------------------


STEPS = (
    (support_extend, "sign_record"),
    (support_extend, "replace_file"),
    (support_extend, "build_site"),
    (support_extend, "save_evidence"),
    (support_extend.extension, "replace_definition"),
    (support_extend, "publish"),
    (support_extend.extension, "finish_plan"),
)


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("module", "name"), STEPS, ids=[name for _, name in STEPS])
def test_an_extension_that_was_cut_goes_on_and_does_nothing_twice(
    module: Any, name: str, is_after: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., Any] = getattr(module, name)

    def cut(*given: Any, **more: Any) -> None:
        if is_after:
            real(*given, **more)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, name, cut)
        assert extend(folder, "--yes").exit_code != ExitCode.DONE
    record = folder / "product.support.cose"
    signed = record.read_bytes() if record.exists() else None
    found = extend(folder, "--yes")
    assert found.exit_code == ExitCode.DONE, found.output
    assert_extended(folder)
    assert signed in (None, record.read_bytes())


def test_another_day_is_refused_while_a_published_extension_is_not_finished(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(support_extend.extension, "replace_definition", cut)
        extend(folder, "--yes")
    found = extend(folder, "--yes", until="2034-12-31")
    assert found.exit_code == ExitCode.FAILED and "is not finished" in found.stderr


def test_a_site_that_cannot_be_built_leaves_definition_and_register(folder: Path) -> None:
    (folder / "archive" / "support-register.jsonl").unlink()
    before = (folder / "register.jsonl").read_bytes()
    assert extend(folder, "--yes").exit_code == ExitCode.FAILED
    assert (folder / "product.toml").read_text() == REAL
    assert (folder / "register.jsonl").read_bytes() == before


@pytest.mark.parametrize("name", ["product.toml", "register.jsonl"])
def test_a_file_that_is_changed_in_place_is_no_pipe(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    before = sorted(folder.rglob("*"))
    refused = extend(folder, "--yes")
    assert refused.exit_code == 2
    assert f"{name} is not a regular file, and this command changes it in place" in " ".join(
        refused.stderr.split()
    )
    assert sorted(folder.rglob("*")) == before
