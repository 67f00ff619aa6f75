"""The demo on CPython: the whole story, with both transports."""

from pathlib import Path
from typing import Any

import pytest

from tests.demo.story import STEP_NAMES, expect_passed, run


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run(tmp_path_factory.mktemp("sim"), "sim", "--transport", "both")


@pytest.mark.parametrize("name", STEP_NAMES)
def test_a_step_of_the_story_passes_on_the_simulator(report: dict[str, Any], name: str) -> None:
    expect_passed(report, name)


def test_the_demo_ends_with_exit_code_0(report: dict[str, Any]) -> None:
    assert (report["result"], report["exit"]) == ("passed", 0)


@pytest.mark.parametrize(("transport", "skipped"), [("mqtt", "update_coap"), ("coap", "update_mqtt")])
def test_a_transport_that_was_not_asked_for_is_skipped_and_said_so(
    tmp_path: Path, transport: str, skipped: str
) -> None:
    report = run(tmp_path, "sim", "--transport", transport)
    assert report["result"] == "passed", report["text"]
    assert report["steps"][skipped]["status"] == "skipped"
