"""docs/how-to/run-servers.md as a maker follows it: every block of commands, in order, in an empty folder."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from provisioning.servers.mosquitto import find_mosquitto
from tests.demo.blocks import ROOT, run
from tests.own_port import own_port

PAGE = ROOT / "docs" / "how-to" / "run-servers.md"
PASSWORD = "seven copper lanterns under Tay bridge"  # what the owner types
TIMEOUT_S = 400
TAIL = 3000


def script() -> str:
    """The blocks of the page as one script, on ports that are free here."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 12
    text = "\n".join(blocks)
    ports = {name: own_port() for name in ("8883", "9465", "5683")}
    text = text.replace(
        "sed -i '", f"sed -i 's/port = 8883/port = {ports['8883']}/; s/port = 5683/port = {ports['5683']}/; "
    )  # fmt: skip
    for known, port in ports.items():
        text = text.replace(f"127.0.0.1:{known}", f"127.0.0.1:{port}")
    return "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + text


def test_the_page_leads_from_nothing_to_a_unit_that_updates_over_both_transports(tmp_path: Path) -> None:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    exit_code, output = run(
        script(), tmp_path, PASSWORD, timeout_s=TIMEOUT_S, end=signal.SIGKILL, programs=("/usr/sbin",)
    )
    log = (tmp_path / "serve.log").read_text() if (tmp_path / "serve.log").exists() else ""
    assert exit_code == 0, output[-TAIL:] + log[-TAIL:]
    events = [json.loads(line)["event"] for line in (tmp_path / "serve.txt").read_text().splitlines()]
    assert [one for one in events if one != "not_ready"] == ["listening", "ready", "stopped"]
    logged = [json.loads(line) for line in log.splitlines()]
    sources = {one["source"] for one in logged if one["event"] == "answered"}
    assert sources == {"mqtt", "coap"}
    assert any(one["event"] == "sent" and one["kind"] == "object" for one in logged), (
        "release 3 came over CoAP"
    )
    words = {word for path in tmp_path.rglob("*") if path.is_file() for word in secret_words(path)}
    assert len(words) > 20
    assert not [word for word in words if word in log or word in output]


def secret_words(path: Path) -> list[str]:
    """The parts of a file that nobody else may see."""
    if path.suffix == ".unit":
        entry = json.loads(path.read_text())
        return [entry["secret"], entry["salt"]]
    return (
        re.findall(r"[A-Za-z0-9+/=]{16,}", path.read_text("latin-1"))
        if path.suffix in {".pem", ".key"}
        else []
    )
