"""The steps of the porting checklist: what the host reads of the modules that run on the board."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from simulator.porting.checklist import MODULES, Check, checks

ROOT = Path(__file__).resolve().parents[4]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as the documentation site makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", one.lower())).strip("-") for one in headings}


def test_every_step_has_checks() -> None:
    assert list(dict.fromkeys(check.step.module for check in checks())) == list(MODULES)


def test_every_step_has_its_place_on_the_page() -> None:
    missing = {check.step.page for check in checks()} - {
        f"docs/porting.md#{anchor}" for anchor in anchors(ROOT / "docs" / "porting.md")
    }
    assert not missing


def test_no_two_checks_have_the_same_name() -> None:
    names = [check.name for check in checks()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
def test_every_named_function_exists_and_takes_port_and_bench(check: Check) -> None:
    try:
        module = importlib.import_module(f"device.boards.checklist.{check.step.module}")
    except ImportError as error:  # a module of MicroPython alone
        pytest.skip(str(error))
    for name in filter(None, (check.function, check.after)):
        assert getattr(module, name).__code__.co_varnames[:2] == ("port", "bench")
    tables = [getattr(module, table, {}) for table in ("NEEDS", "LOOKS", "RESTARTS")]
    assert all(hasattr(module, name) for table in tables for name in table)


def test_every_need_is_one_that_a_board_can_answer() -> None:
    assert {check.need for check in checks()} == {"", "burn", "hand", "host"}
