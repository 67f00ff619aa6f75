"""The demo on the emulated board: boot ROM and firmware as they would be flashed, under QEMU."""

import shutil
from typing import Any

import pytest

from tests.demo.story import STEP_NAMES, expect_passed, run

pytestmark = pytest.mark.emulated

_TOOLS = ("qemu-system-arm", "arm-none-eabi-gcc")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    return run(tmp_path_factory.mktemp("qemu"), "qemu", "--transport", "both")


@pytest.mark.parametrize("name", STEP_NAMES)
def test_a_step_of_the_story_passes_on_the_emulated_board(report: dict[str, Any], name: str) -> None:
    expect_passed(report, name)


def test_the_demo_ends_with_exit_code_0(report: dict[str, Any]) -> None:
    assert (report["result"], report["exit"]) == ("passed", 0)
