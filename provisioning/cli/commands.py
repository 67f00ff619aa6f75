"""The Typer classes of all commands: every command runs inside the error boundary, every group shows the exit codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand
from typer.models import CommandFunctionType

from provisioning.cli import exit_codes
from provisioning.cli.errors import boundary, err
from provisioning.cli.exit_codes import ExitCode
from provisioning.cli.input_files import regular_inputs


class Command(TyperCommand):
    """A command whose expected errors are reported with their exit code."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """As TyperCommand. The words that Pydantic puts before the text of a ValueError are left out."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run the command inside the boundary."""
        with boundary(), regular_inputs():
            return super().invoke(ctx)


class CommandGroup(typer.Typer):
    """A group of commands. Its help ends with the table of exit codes."""

    def __init__(self, help: str, **settings: Any) -> None:
        settings.setdefault("no_args_is_help", True)
        settings.setdefault("add_completion", False)
        super().__init__(
            help=help,
            epilog=exit_codes.help_text(),
            rich_markup_mode="markdown",
            pretty_exceptions_show_locals=False,
            **settings,
        )

    def command(
        self, name: str | None = None, **settings: Any
    ) -> Callable[[CommandFunctionType], CommandFunctionType]:
        """As `typer.Typer.command`, with the boundary."""
        settings.setdefault("cls", Command)
        return super().command(name, **settings)

    def moved(self, name: str, new: str) -> None:
        """Keep an old spelling: it runs nothing, prints the new spelling and ends with exit code 2."""

        def old_spelling() -> None:
            err.print(f"moved: use `{new}`", markup=False)
            raise typer.Exit(int(ExitCode.WRONG_INPUT))

        self.command(
            name,
            hidden=True,
            help=f"Moved: use `{new}`.",
            add_help_option=False,
            context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
        )(old_spelling)
