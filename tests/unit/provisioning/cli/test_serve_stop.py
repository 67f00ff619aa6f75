"""The stop of `firstboot serve` has a bound."""

from __future__ import annotations

import os
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from provisioning.cli import serve_run
from provisioning.cli.exit_codes import ExitCode
from provisioning.servers.errors import ServerError


def stop(servers: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The events of a stop. Raises SystemExit where the process would end at once."""
    events: list[str] = []

    def end(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", end)
    settings = SimpleNamespace(stop_within=0.05, is_json=False)
    serve_run._stop(servers, settings, lambda event, **facts: events.append(event))  # type: ignore[arg-type]
    return events


def test_a_stop_that_takes_longer_ends_the_process_as_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    with pytest.raises(SystemExit) as ended:
        stop(SimpleNamespace(stop=released.wait), monkeypatch)
    released.set()
    assert ended.value.code == ExitCode.FAILED


def test_a_stop_that_fails_ends_the_process_as_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ServerError("a thread does not end")

    with pytest.raises(SystemExit) as ended:
        stop(SimpleNamespace(stop=fail), monkeypatch)
    assert ended.value.code == ExitCode.FAILED


def test_a_stop_within_the_bound_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stop(SimpleNamespace(stop=lambda: None), monkeypatch) == ["stopped"]
