"""examples/product, copied out of the checkout and run with the built wheel, as its reader does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.wheel.conftest import ROOT, Installed

TEMPLATE = ROOT / "examples" / "product"
PYTEST = ("-m", "pytest", "-p", "no:cacheprovider", "-p", "no:asyncio", "-q")


@pytest.fixture
def product(tmp_path: Path) -> Path:
    """A copy of the template."""
    return Path(shutil.copytree(TEMPLATE, tmp_path / "sensor"))


def test_its_tests_pass_on_the_simulator(installed: Installed, product: Path) -> None:
    assert "3 passed" in installed.run(*PYTEST, cwd=product)
    assert (product / "keys").is_dir()


@pytest.mark.emulated
@pytest.mark.nightly
@pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None or shutil.which("arm-none-eabi-gcc") is None,
    reason="qemu-system-arm or arm-none-eabi-gcc is not installed",
)
def test_its_tests_pass_on_the_emulated_board(installed: Installed, product: Path) -> None:
    assert "3 passed" in installed.run(*PYTEST, "--firstboot-on", "qemu", cwd=product, timeout=1500)


def test_a_change_that_lets_a_weak_password_through_makes_a_test_fail(
    installed: Installed, product: Path
) -> None:
    installed.run(
        "-m", "firstboot", "firmware", "copy", "device/owner/passwords.py", "--to", "firmware", cwd=product
    )
    changed = product / "firmware" / "device" / "owner" / "passwords.py"
    text = changed.read_text()
    checked = "    _check_length(password)\n    _check_characters(password, is_normalised)\n    plain ="
    assert text.count(checked) == 1
    changed.write_text(text.replace(checked, f"    return\n{checked}"))
    done = installed.try_run(*PYTEST, "-k", "box", "--firstboot-firmware", "firmware", cwd=product)
    assert done.returncode == 1 and "1 failed" in done.stdout
    assert "PW-15" in done.stdout  # the requirement is named


def test_git_ignores_the_keys(product: Path) -> None:
    assert "keys/" in (product / ".gitignore").read_text().splitlines()


def test_its_workflow_passes_inputs_that_the_reusable_workflow_has(product: Path) -> None:
    called = yaml.safe_load((ROOT / ".github" / "workflows" / "emulated-board.yml").read_text())
    inputs = called[True]["workflow_call"]["inputs"]  # YAML reads the key `on` as true
    caller = yaml.safe_load((product / ".github" / "workflows" / "board.yml").read_text())["jobs"]["board"]
    assert set(caller["with"]) <= set(inputs)
    assert {name for name, one in inputs.items() if one.get("required")} <= set(caller["with"])
