"""The `firstboot` command: the parts of provisioning/, and those that other packages register.

A part is a Typer app (a group of commands) or a function (one command). Another package registers its parts as entry
points of the group `firstboot.commands`, so provisioning/ never imports simulator/ or renode/.

Rule: a part is imported when it is used. `firstboot --help` reads the first line of each part's docstring instead,
which has the form "`firstboot NAME`: what it does."
"""

from __future__ import annotations

import ast
from importlib import metadata, util
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from provisioning.cli.commands import Command, CommandGroup

GROUP: Final = "firstboot.commands"
OWN: Final = {
    "advisory": "provisioning.cli.advisory:app",
    "brand": "provisioning.cli.brand:app",
    "broker": "provisioning.cli.broker:app",
    "conformance": "provisioning.cli.conformance:app",
    "evidence": "provisioning.cli.evidence:app",
    "failure": "provisioning.cli.failure:app",
    "firmware": "provisioning.cli.firmware:app",
    "keys": "provisioning.cli.keys:app",
    "kit": "provisioning.cli.kit:app",
    "onboard": "provisioning.cli.onboard:onboard",
    "registry": "provisioning.cli.registry:app",
    "release": "provisioning.cli.release:app",
    "report": "provisioning.cli.report:app",
    "rollout": "provisioning.cli.rollout:app",
    "rp2350": "provisioning.cli.rp2350:app",
    "self-check": "provisioning.cli.self_check:self_check_command",
    "serve": "provisioning.cli.serve:app",
    "site": "provisioning.cli.site:app",
    "statement": "provisioning.cli.statement:app",
    "station": "provisioning.cli.station:app",
    "support": "provisioning.cli.support:app",
    "wifi": "provisioning.cli.wifi:wifi",
}

HELP = """The open reference stack for consumer devices under the UK product-security regime (PSTI).

Start with `firstboot demo --on sim`: it shows the whole life of a device in seconds and needs only Python.

Every command has `--help` with an example. `firstboot --install-completion` lets your shell complete commands and
options with the Tab key.
"""


def entries() -> dict[str, metadata.EntryPoint]:
    """Return every part by name, in the order of the names."""
    found = {entry.name: entry for entry in metadata.entry_points(group=GROUP)}
    found |= {name: metadata.EntryPoint(name, value, GROUP) for name, value in OWN.items()}
    return dict(sorted(found.items()))


class LazyGroup(TyperGroup):
    """The root of all commands; imports a part when it is used, and none for its own help."""

    _is_listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all parts."""
        return sorted({*self.commands, *entries()})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The part called `cmd_name`, or None. While the help lists the parts: its name and one sentence only."""
        entry = entries().get(cmd_name)
        if cmd_name in self.commands or entry is None:
            return super().get_command(ctx, cmd_name)
        if self._is_listing:
            return TyperCommand(cmd_name, help=summary(entry))
        holder = CommandGroup("")
        add_command(holder, entry)
        return get_group(holder).commands[cmd_name]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help page."""
        self._is_listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._is_listing = False

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Complete the name of a part."""
        self._is_listing = True
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self._is_listing = False


app = CommandGroup(HELP, cls=LazyGroup, add_completion=True)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"firstboot {metadata.version('firstboot')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Common options."""


def summary(entry: metadata.EntryPoint) -> str:
    """Return what the part does in one sentence, from its source file; nothing of it is run."""
    spec = util.find_spec(entry.module)
    if spec is None or spec.origin is None:
        return ""
    source = Path(spec.origin).read_text(encoding="utf-8")
    text = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0].partition("`: ")[2]
    return text[:1].upper() + text[1:]


def add_command(target: typer.Typer, entry: metadata.EntryPoint) -> None:
    """Import one part and add it to `target` under its name."""
    part = entry.load()
    if isinstance(part, typer.Typer):
        target.add_typer(part, name=entry.name)
    else:
        target.command(entry.name, cls=Command)(part)


def load_commands(target: typer.Typer) -> None:
    """Import every part and add it to `target`, for programs that walk all commands."""
    for entry in entries().values():
        add_command(target, entry)


def main() -> None:
    """Entry point of the `firstboot` script."""
    app(prog_name="firstboot")


if __name__ == "__main__":
    main()
