"""The pytest plugin of the wheel, in a project of a maker outside of the checkout."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.wheel.conftest import ROOT, Installed

PAGE = (ROOT / "docs" / "how-to" / "test-your-change.md").read_text(encoding="utf-8")
PYTEST = ("-m", "pytest", "-p", "no:cacheprovider", "-p", "no:asyncio", "-q")


def needs_board(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that runs the emulated board."""
    is_missing = shutil.which("qemu-system-arm") is None or shutil.which("arm-none-eabi-gcc") is None
    skip = pytest.mark.skipif(is_missing, reason="qemu-system-arm or arm-none-eabi-gcc is not installed")
    return pytest.mark.emulated(skip(test))


def _block(kind: str) -> str:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)[0]


@pytest.fixture
def project(installed: Installed, tmp_path: Path) -> Path:
    """The project of the page, with a folder `device` and a folder `tests` of the maker's own."""
    _, _, typed = _block("sh").partition(
        "\n"
    )  # without the line that installs the wheel, which `installed` did
    installed.shell(typed, cwd=tmp_path)
    for name, content in (("device", "raise SystemExit('the maker\\'s device')\n"), ("tests", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(content)
    (tmp_path / "pyproject.toml").write_text(_block("toml"))
    (tmp_path / "tests" / "test_my_unit.py").write_text(_block("python"))
    return tmp_path


def test_the_example_has_twenty_lines() -> None:
    assert len(_block("python").splitlines() + _block("toml").splitlines()) <= 20


def test_the_example_passes_on_the_simulator_beside_a_makers_own_device(
    installed: Installed, project: Path
) -> None:
    assert "1 passed" in installed.run(*PYTEST, "tests", cwd=project)


@needs_board
def test_the_example_passes_on_the_emulated_board_with_the_makers_firmware(
    installed: Installed, project: Path
) -> None:
    text = installed.run(*PYTEST, "tests", "--firstboot-on", "qemu", cwd=project, timeout=1500)
    assert "1 passed" in text


def test_two_tests_run_in_parallel_and_a_failed_one_names_the_files_of_its_unit(
    installed: Installed, project: Path
) -> None:
    text = 'def test_passes(owner):\n    assert owner.get("/").status == 200\n\n'
    text += 'def test_fails(board, broker, coap_server, tracker, station, clock):\n    assert board.console == ""\n'
    (project / "tests" / "test_my_unit.py").write_text(text)
    done = installed.try_run(*PYTEST, "-n", "2", "tests", cwd=project)
    assert done.returncode == 1 and "1 failed, 1 passed" in done.stdout
    found = dict(
        re.findall(r"^(serial log|flash image|station's log|broker's log): (\S+)$", done.stdout, re.MULTILINE)
    )
    assert len(found) == 4
    assert "factory default" in Path(found["serial log"]).read_text()
    assert Path(found["flash image"]).stat().st_size > 1_000_000


@needs_board
def test_a_failed_test_on_the_board_leaves_the_one_file_that_replays_it_with_its_power_cut(
    installed: Installed, project: Path
) -> None:
    text = "def test_fails(owner, power):\n    power.cut_at(3)\n    try:\n        owner.set_up()\n"
    text += (
        "    except OSError:\n        pass\n    power.wait_until_cut()\n    power.on()\n    assert False\n"
    )
    (project / "tests" / "test_my_unit.py").write_text(text)
    done = installed.try_run(*PYTEST, "tests", "--firstboot-on", "qemu", cwd=project, timeout=1500)
    assert done.returncode == 1 and "1 failed" in done.stdout, done.stdout[-6000:]
    named = re.findall(r"^to repeat it: firstboot replay (\S+)$", done.stdout, re.MULTILINE)
    assert len(named) == 1, done.stdout[-6000:]
    alone = shutil.copy(named[0], project / "only.recording")
    text = installed.run("-m", "firstboot", "replay", str(alone), "--keep", "kept", cwd=project, timeout=1500)
    assert "(as recorded)" in text
    consoles = [path.read_text() for path in sorted((project / "kept").glob("*/console.out"))]
    assert any("nvm: power cut" in console for console in consoles)


def test_a_run_without_our_fixtures_imports_nothing_of_firstboot_but_the_plugin(
    installed: Installed, tmp_path: Path
) -> None:
    (tmp_path / "test_other.py").write_text(
        "import sys\ndef test_other():\n"
        "    print(sorted(name for name in sys.modules if name.startswith('firstboot')))\n"
    )
    text = installed.run(*PYTEST, "-s", cwd=tmp_path)
    assert "['firstboot', 'firstboot.pytest_plugin']" in text


def test_a_folder_without_device_is_refused_with_the_reason(installed: Installed, tmp_path: Path) -> None:
    done = installed.try_run(*PYTEST, "--firstboot-firmware", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 4 and "has no folder `device`" in done.stdout
