"""The documentation site: generated pages are complete, and the picture shows the steps of the demo."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from provisioning.cli import main as cli


@pytest.fixture(scope="module")
def site_pages(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_pages", root / "tools" / "site_pages.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_errors_has_every_class_with_its_number(site_pages: ModuleType, root: Path) -> None:
    source = (root / "device" / "errors.py").read_text(encoding="utf-8")
    classes = {node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}
    rows = re.findall(r"^\| (\d+) \| `(\w+)`", site_pages.error_page(source), re.MULTILINE)
    assert {name for _, name in rows} == classes
    assert len({number for number, _ in rows}) == len(classes)


def test_the_page_of_commands_has_every_visible_command(site_pages: ModuleType) -> None:
    page = site_pages.command_page()
    app = cli.typer.Typer()
    cli.load_commands(app)
    groups = cli.typer.main.get_command(app).commands  # type: ignore[attr-defined]
    wanted = {
        f"firstboot {group} {name}".strip()
        for group, command in groups.items()
        if not command.hidden
        for name in ["", *(n for n, child in getattr(command, "commands", {}).items() if not child.hidden)]
    }
    assert len(wanted) > 30
    assert wanted <= set(re.findall(r"^#+ `(firstboot[^`]*)`$", page, re.MULTILINE))


def test_the_api_pages_name_every_module_of_the_device(site_pages: ModuleType, root: Path) -> None:
    named = set(re.findall(r"^::: ([\w.]+)$", "\n".join(site_pages.api_pages().values()), re.MULTILINE))
    built = {
        ".".join(path.relative_to(root).with_suffix("").parts)
        for path in (root / "device").rglob("*.py")
        if not path.stem.startswith("_") and "boards" not in path.parts
    }
    assert named == built


def test_the_navigation_names_every_page_that_is_generated(site_pages: ModuleType, root: Path) -> None:
    navigation = (root / "mkdocs.yml").read_text(encoding="utf-8")
    assert not [path for path in site_pages.generated() if path not in navigation]


def test_the_picture_of_the_demo_shows_its_steps(root: Path) -> None:
    from simulator.story.steps import STEPS

    picture = (root / "docs" / "assets" / "demo.svg").read_text(encoding="utf-8")
    assert re.findall(r'class="n" x="\d+">(\w+)<', picture) == [step.name for step in STEPS]
    assert len(picture.encode()) < 10_000
