"""MkDocs hook: the reference pages that are generated from the code (commands, errors, the device's public names).

1. A page is generated at every build and is never a file of the checkout, so it cannot disagree with the code.
2. `reference/cli.md` comes from the Typer commands, `reference/errors.md` from device/errors.py, and
   `reference/api/*.md` names every module of device/, which mkdocstrings reads without importing it.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

# Packages in the order of the layers, from the top. Boards have no public names.
PACKAGES: Final = (
    "agent",
    "ports",
    "web",
    "transport",
    "update",
    "owner",
    "factory",
    "net",
    "trust",
    "records",
    "suit",
    "crypto",
    "codec",
)


# --- commands -----------------------------------------------------------------------------------------------
def _paragraphs(text: str | None) -> str:
    """Return a docstring as Markdown: common indentation removed, line breaks inside a paragraph kept as spaces."""
    return inspect.cleandoc(text or "").replace("\b", "").replace("<", "&lt;")


def _cell(text: str | None) -> str:
    return _paragraphs(text).replace("\n", " ").replace("|", "\\|")


def _walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every visible command below `command`, depth first, with the words that call it."""
    yield words, command
    for name in sorted(getattr(command, "commands", {})):
        child = command.commands[name]
        if not child.hidden:
            yield from _walk(child, (*words, name))


def _parameters(command: Any) -> list[str]:
    rows = []
    for parameter in command.params:
        if getattr(parameter, "hidden", False) or parameter.name in {"install_completion", "show_completion"}:
            continue
        is_argument = parameter.param_type_name == "argument"
        name = (
            f"`{parameter.name.upper()}`"
            if is_argument
            else ", ".join(f"`{word}`" for word in parameter.opts)
        )
        default = parameter.default
        has_default = (
            default is not None and not callable(default) and str(default) not in {"", "False", "()", "[]"}
        )
        shown = str(getattr(default, "value", default)) if has_default else ""
        required = " **Required.**" if parameter.required else ""
        text = f"{_cell(getattr(parameter, 'help', ''))}{required}"
        rows.append(f"| {name} | {text} | {f'`{shown}`' if shown and 'Sentinel' not in shown else ''} |")
    return rows


def command_page() -> str:
    """Return Markdown of every `firstboot` command: its help, its arguments and options, with their defaults."""
    import typer

    from provisioning.cli.main import app, load_commands

    if not app.registered_groups:
        load_commands(app)
    parts = [
        "# Commands",
        "Generated from the commands themselves. `firstboot COMMAND --help` prints the same.",
    ]
    for words, command in _walk(typer.main.get_command(app), ("firstboot",)):
        parts.append(f"{'#' * min(len(words) + 1, 4)} `{' '.join(words)}`")
        parts.append(_paragraphs(command.help))
        if len(words) == 1:
            parts.append(command.epilog)  # the exit codes: one table for all commands
        rows = _parameters(command)
        if rows:
            parts.append("\n".join(["| argument or option | meaning | default |", "|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


# --- errors -------------------------------------------------------------------------------------------------
def error_page(source: str) -> str:
    """Return a Markdown table of the error classes in the text of device/errors.py: number, name, meaning."""
    parts = [
        "# Errors",
        "Generated from `device/errors.py`. A number belongs permanently to one class; reports carry it.",
    ]
    groups = [
        (number, match[1].strip())
        for number, line in enumerate(source.splitlines(), 1)
        if (match := re.match(r"# (\d+ [^-]+?) -{5,}", line))
    ]
    rows: dict[str, list[str]] = {}
    for node in ast.parse(source).body:
        if not isinstance(node, ast.ClassDef):
            continue
        code = next(
            (
                ast.literal_eval(item.value)
                for item in node.body
                if isinstance(item, ast.Assign) and ast.unparse(item.targets[0]) == "code"
            ),
            "",
        )
        title = next((name for line, name in reversed(groups) if line < node.lineno), "Base class")
        base = ast.unparse(node.bases[0]) if node.bases else ""
        rows.setdefault(title, []).append(
            f"| {code} | `{node.name}` | `{base}` | {_cell(ast.get_docstring(node))} |"
        )
    for title, lines in rows.items():
        parts.append(f"## {title}")
        parts.append("\n".join(["| number | class | kind of | meaning |", "|---:|---|---|---|", *lines]))
    return "\n\n".join(parts) + "\n"


# --- device API ---------------------------------------------------------------------------------------------
def _modules(package: str) -> list[str]:
    return sorted(
        path.stem for path in (ROOT / "device" / package).glob("*.py") if not path.stem.startswith("_")
    )


def api_pages() -> dict[str, str]:
    """Return Markdown of the API pages by path: an index, the root modules, one page for each package."""
    roots = sorted(path.stem for path in (ROOT / "device").glob("*.py") if not path.stem.startswith("_"))
    index = [
        "# Device API",
        "The public names of `device/`, from its docstrings. A board's port implements `device.interfaces`.",
        "- [device](device.md): " + ", ".join(f"`{name}`" for name in roots),
    ]
    pages = {"device": "# device\n\n" + "\n\n".join(f"::: device.{name}" for name in roots) + "\n"}
    for package in PACKAGES:
        names = _modules(package)
        index.append(f"- [device.{package}]({package}.md): " + ", ".join(f"`{name}`" for name in names))
        body = "\n\n".join(f"::: device.{package}.{name}" for name in names)
        pages[package] = f"# device.{package}\n\n{body}\n"
    pages["index"] = "\n\n".join(index[:2]) + "\n\n" + "\n".join(index[2:]) + "\n"
    return {f"reference/api/{name}.md": text for name, text in pages.items()}


def generated() -> dict[str, str]:
    """Return every generated page by its path in the site, as Markdown."""
    errors = (ROOT / "device" / "errors.py").read_text(encoding="utf-8")
    return {"reference/cli.md": command_page(), "reference/errors.md": error_page(errors), **api_pages()}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """MkDocs calls this before it reads the navigation: add the generated pages."""
    from mkdocs.structure.files import File

    for path, text in generated().items():
        files.append(File.generated(config, path, content=text))
    return files
