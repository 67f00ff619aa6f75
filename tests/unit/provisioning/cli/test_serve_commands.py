"""`firstboot serve` without a network: the broker's configuration, the recipes, the log."""

from __future__ import annotations

import json
import logging
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from provisioning.cli import serve, serve_log
from provisioning.cli.exit_codes import ExitCode
from provisioning.cli.serve_recipe import RECIPES, recipe_text
from provisioning.keys.pki import CertificateAuthority
from provisioning.product.example import EXAMPLE
from provisioning.registry.registry import Registry
from provisioning.servers import observer
from provisioning.servers.mosquitto_config import CONFIGURATION
from tests.patience import run

CLASS_HEX = "1492af1425695e48bf429b2d51f2ab45"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    authority = CertificateAuthority.create("test CA")
    authority.save(tmp_path, "ca")
    authority.issue_server("localhost", ["localhost"]).save(tmp_path, "server")
    authority.issue_server("localhost", ["localhost"]).save(tmp_path, "other")
    (tmp_path / "product.toml").write_text(EXAMPLE)
    return tmp_path


def broker_config(folder: Path, **changes: Any):
    options = {
        "product": folder / "product.toml", "server-cert": folder / "server.crt", "server-key": folder / "server.key",
        "client-ca": folder / "ca.crt", "out": folder / "broker",
    } | changes  # fmt: skip
    words = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    return CliRunner().invoke(serve.app, ["broker-config", *words])


def test_a_makers_broker_has_every_line_of_the_broker_of_demo_and_tests(folder: Path) -> None:
    result = broker_config(folder, listen="0.0.0.0:8883")
    assert result.exit_code == ExitCode.DONE, result.output
    written = (folder / "broker" / "mosquitto.conf").read_text().splitlines()
    names = {line.split()[0] for line in CONFIGURATION.splitlines()}
    assert names == {line.split()[0] for line in written if not line.startswith("#")}
    assert {"require_certificate true", "allow_anonymous false", "listener 8883 0.0.0.0"} <= set(written)
    assert "every unit that your authorities certified has access" in result.stderr


def test_only_units_of_the_registry_have_rights(folder: Path) -> None:
    Registry.create(folder / "registry.db").close()
    result = broker_config(folder, registry=folder / "registry.db", service="tracker-lamps")
    assert result.exit_code == ExitCode.DONE, result.output
    rights = (folder / "broker" / "acl").read_text()
    assert "pattern" not in rights and "user tracker-lamps" in rights and "user publisher" not in rights


def test_without_a_registry_every_certified_unit_has_the_rights_of_its_own_name(folder: Path) -> None:
    broker_config(folder)
    rights = (folder / "broker" / "acl").read_text()
    assert f"pattern read fb/{CLASS_HEX}/#" in rights and "pattern write fb/d/%u/report" in rights


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"server-key": "other.key"}, "is not the key of"),
        ({"server-cert": "product.toml"}, "is not a certificate"),
        ({"service": "lamp"}, "is not a publisher or tracker"),
        ({"listen": "8883"}, "--listen"),
        ({"server-key": "missing.key"}, "missing.key"),
    ],
)
def test_what_a_broker_cannot_use_is_exit_code_2_and_nothing_is_written(
    folder: Path, changes: dict[str, str], text: str
) -> None:
    placed = {name: folder / value if name.startswith("server") else value for name, value in changes.items()}
    result = broker_config(folder, **placed)
    assert (result.exit_code, text in result.stderr) == (ExitCode.WRONG_INPUT, True), result.stderr
    assert not (folder / "broker").exists()


def test_a_brokers_key_that_others_can_read_is_refused(folder: Path) -> None:
    (folder / "server.key").chmod(0o644)
    result = broker_config(folder)
    assert result.exit_code == ExitCode.WRONG_INPUT and "chmod 600" in result.stderr


# Recipes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_printed(name: str) -> None:
    result = CliRunner().invoke(serve.app, ["recipe", name])
    assert result.exit_code == ExitCode.DONE and result.stdout == recipe_text(name)


def test_an_unknown_recipe_is_exit_code_2() -> None:
    assert CliRunner().invoke(serve.app, ["recipe", "cron"]).exit_code == ExitCode.WRONG_INPUT


def commands_of_recipes() -> list[list[str]]:
    service = re.sub(r"\\\n", " ", recipe_text("systemd"))
    started = re.search(r"^ExecStart=\S+ serve (.*)$", service, re.MULTILINE)
    container = re.sub(r"\\\n", " ", recipe_text("container"))
    command = re.search(r"^CMD (\[.*\])$", container, re.MULTILINE)
    assert started and command
    return [shlex.split(started[1]), json.loads(command[1])]


@pytest.mark.parametrize("words", commands_of_recipes(), ids=["systemd", "container"])
def test_every_option_that_a_recipe_gives_exists(words: list[str]) -> None:
    command = get_command(serve.app).commands[words[0]]  # type: ignore[attr-defined]
    known = {option for one in command.params for option in one.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / RECIPES["systemd"]
    unit.write_text(recipe_text("systemd").replace("/usr/local/bin/firstboot", "/bin/true"))
    result = run(["systemd-analyze", "verify", unit])
    assert (result.returncode, result.stderr) == (0, "")


# Log -------------------------------------------------------------------------------------------------------


def line_of(is_json: bool, **parts: Any) -> str:
    record = logging.LogRecord(
        "name", logging.INFO, "", 0, parts.pop("text", "text"), (), parts.pop("failure", None)
    )
    vars(record).update(parts)
    return serve_log.LineFormatter(is_json=is_json).format(record)


@pytest.mark.parametrize("is_json", [False, True])
def test_a_line_shows_no_pin_no_password_and_no_control_character(is_json: bool) -> None:
    text = "pkcs11:token=hsm?pin-value=4711 at postgresql://me:s3cret@host/db\n\x1b[31mforged"
    failure = (ValueError, ValueError(text), None)
    for line in (
        line_of(is_json, text=text),
        line_of(is_json, event="refused", facts={"reason": text}),
        line_of(is_json, failure=failure),
    ):
        assert "\n" not in line and "\x1b" not in line
        assert "4711" not in line and "s3cret" not in line and "forged" in line


def test_a_flood_of_refusals_is_counted_and_not_written(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    log = serve_log.EventLog(clock=lambda: now[0])
    with caplog.at_level(logging.INFO):
        for _ in range(1000):
            log(observer.REFUSED, source="coap", kind="message", reason="unprotected")
        assert len(caplog.records) == serve_log.BURST
        now[0] += serve_log.WINDOW_S + 1
        log(observer.REFUSED, source="coap", kind="message", reason="unprotected")
    facts = [getattr(one, "facts", {}) for one in caplog.records]
    assert {"count": 1000 - serve_log.BURST} in facts


def test_of_a_file_in_blocks_the_first_one_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    log = serve_log.EventLog()
    with caplog.at_level(logging.INFO):
        for start in (0, 1024, 2048):
            log(observer.SENT, source="coap", kind="object", size=1024, start=start)
    assert len(caplog.records) == 1
