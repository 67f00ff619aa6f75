"""The `firstboot` command: subcommands of every part, found by the entry point group `firstboot.commands`.

Each entry is a Typer app (a group of subcommands) or a function (one command). A part registers itself in
pyproject.toml; this module knows none of them, so provisioning never imports simulator or renode.
"""

from __future__ import annotations

from importlib import metadata
from typing import Annotated

import typer

GROUP = "firstboot.commands"

HELP = """The open reference stack for consumer devices under the UK product-security regime (PSTI).

Try `firstboot demo --on sim` first: the whole story in seconds, with nothing but Python. Every command explains
itself with --help; --install-completion teaches your shell the names.

Exit codes: 0 done, 1 it did not work out (the reason is said), 2 the command line was wrong.
"""

app = typer.Typer(
    help=HELP, no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_show_locals=False
)


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


def load_commands(target: typer.Typer) -> None:
    """Add every registered part, in the order of its name."""
    for entry in sorted(metadata.entry_points(group=GROUP), key=lambda found: found.name):
        part = entry.load()
        if isinstance(part, typer.Typer):
            target.add_typer(part, name=entry.name)
        else:
            target.command(entry.name)(part)


def main() -> None:
    """Entry point of the `firstboot` script."""
    load_commands(app)
    app(prog_name="firstboot")


if __name__ == "__main__":
    main()
