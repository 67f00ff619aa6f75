"""The library of the Robot suites: it finds a Python with Firstboot, and passes results through unchanged."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest
from robot.api import FatalError, SkipExecution

from provisioning import fair_time
from renode.run import SUITES
from simulator.story import keyword_server

PATIENCE_S = 60  # an idle machine needs none


@pytest.fixture
def shim() -> ModuleType:
    spec = importlib.util.spec_from_file_location("suite_keywords", SUITES / "keywords.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Example:
    """A library for the tests below."""

    closed = False

    @property
    def _hidden(self) -> str:
        raise AssertionError("the list of keywords must not read properties")

    def greet(self, name: str) -> None:
        """Say hello."""
        print(f"hello {name}")

    def fail(self) -> None:
        """Fail."""
        raise ValueError("as asked")

    def skip(self) -> None:
        """Skip."""
        raise SkipExecution("nothing to check here")

    def many(self, *names: str) -> None:
        """Take any number."""

    def close(self) -> None:
        self.closed = True


def served(*requests: object) -> tuple[Example, list[dict[str, object]]]:
    library, answers = Example(), io.StringIO()
    asked = io.StringIO("".join(json.dumps(request) + "\n" for request in requests))
    keyword_server.serve(library, asked, answers)
    return library, [json.loads(line) for line in answers.getvalue().splitlines()]


def test_the_server_lists_keywords_with_arguments_and_text() -> None:
    _, (first,) = served()
    assert first == {
        "keywords": {
            "fail": {"arguments": [], "text": "Fail."},
            "greet": {"arguments": ["name"], "text": "Say hello."},
            "many": {"arguments": ["*names"], "text": "Take any number."},
            "skip": {"arguments": [], "text": "Skip."},
        }
    }


def test_what_a_keyword_prints_is_in_its_answer() -> None:
    _, (_, answer) = served({"run": "greet", "arguments": ["Ada"]})
    assert answer == {"status": "passed", "output": "hello Ada\n", "error": ""}


def test_an_error_fails_the_keyword_and_names_its_type() -> None:
    _, (_, answer) = served({"run": "fail", "arguments": []})
    assert (answer["status"], answer["error"]) == ("failed", "ValueError: as asked")
    assert "Traceback" in str(answer["output"])


def test_a_skip_stays_a_skip() -> None:
    _, (_, answer) = served({"run": "skip", "arguments": []})
    assert (answer["status"], answer["error"]) == ("skipped", "nothing to check here")


@pytest.mark.parametrize("name", ["close", "_hidden", "absent"])
def test_what_is_no_keyword_is_not_called(name: str) -> None:
    _, (_, answer) = served({"run": name, "arguments": []})
    assert answer["status"] == "failed" and "no keyword" in str(answer["error"])


def test_the_end_of_the_requests_closes_the_library() -> None:
    library, _ = served()
    assert library.closed


def test_the_end_of_the_requests_inside_a_keyword_gives_up_at_once() -> None:
    given_up = threading.Event()
    lines = keyword_server.lines_until_end(io.StringIO("one\n"), given_up.set)
    assert next(lines) == "one\n"
    assert fair_time.wait(given_up, PATIENCE_S), "still inside the first request"


def test_the_end_of_the_requests_after_the_last_answer_is_an_ordinary_end() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as requests, os.fdopen(writing, "w") as client:
        lines = keyword_server.lines_until_end(requests, lambda: pytest.fail("it was idle"))
        client.write("one\n")
        client.flush()
        assert next(lines) == "one\n"
        threading.Timer(0.1, client.close).start()
        assert list(lines) == []


def test_an_unknown_library_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert keyword_server.main(["nonsense", "qemu"]) == 2
    assert "board|unit" in capsys.readouterr().err


def test_every_library_is_found_by_the_running_python(shim: ModuleType) -> None:
    for name in keyword_server.LIBRARIES:
        library = shim.keywords(name, "qemu")
        assert "close" not in library.get_keyword_names()
        assert library.get_keyword_documentation(library.get_keyword_names()[0])
        library._end()


def test_a_failed_keyword_raises_in_robot_with_its_reason(shim: ModuleType) -> None:
    library = shim.keywords("unit", "qemu")
    with pytest.raises(AssertionError, match="use the keyword"):
        library.run_keyword("only_set_up_answers", [])
    library._end()


def without_firstboot(folder: Path) -> Path:
    """Return a Python that has nothing but the standard library."""
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nunset PYTHONPATH\nexec "{sys.executable}" -I -S "$@"\n')
    python.chmod(0o755)
    return python


def test_a_named_python_without_firstboot_is_reported_with_the_next_step(
    shim: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = without_firstboot(tmp_path)
    monkeypatch.setenv("FIRSTBOOT_PYTHON", str(bare))
    library = shim.keywords("unit", "qemu")
    assert library.get_keyword_names() == ["firstboot_is_here"]
    with pytest.raises(FatalError, match="Set FIRSTBOOT_PYTHON") as caught:
        library.run_keyword("firstboot_is_here", [])
    assert f"{bare}: " in str(caught.value) and "No module named" in str(caught.value)


def test_a_robot_framework_in_another_python_uses_the_checkouts(
    shim: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = without_firstboot(tmp_path)
    monkeypatch.delenv("FIRSTBOOT_PYTHON", raising=False)
    monkeypatch.setattr(shim, "_pythons", lambda: [str(bare), sys.executable])
    library = shim.keywords("unit", "qemu")
    assert "only_set_up_answers" in library.get_keyword_names()
    library.run_keyword("firstboot_is_here", [])
    library._end()


def test_a_keyword_process_that_ended_is_reported(shim: ModuleType) -> None:
    library = shim.keywords("unit", "qemu")
    library._process.kill()
    library._process.wait()
    with pytest.raises(FatalError, match="has ended"):
        library.run_keyword("end_the_unit", [])
    library._end()


@pytest.mark.parametrize("suite", sorted(SUITES.glob("*.robot")), ids=lambda path: path.stem)
def test_a_suite_sets_all_that_renode_test_would_set_for_it(suite: Path) -> None:
    text = suite.read_text()
    for setting in ("Suite Setup ", "Suite Teardown ", "Test Setup ", "Test Teardown "):
        assert text.count(f"\n{setting}") == 1, setting
    assert "Firstboot Is Here" in text
