"""Settings of commands with many options: the command line beats `firstboot.toml`, the file beats the default.

A command declares its options once, as a frozen dataclass whose fields are `Annotated` with `typer.Option` or
`typer.Argument`. `with_settings` makes the command line of it, adds `--config` and `--show-config`, and calls the
command with one instance.

    [station]                    options of every command of the group
    keys = "maker/keys"
    [station.run]                options of one command; they beat those of the group
    port = ["serial:/dev/ttyUSB*"]

Rules:
1. A key of the file is the option's name without the dashes. An unknown key is an error that names the nearest one.
2. A path in the file is relative to the file's folder.
3. `--show-config` shows each value and its source, and no secret.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from copy import copy
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_args

import typer
from typer.models import OptionInfo, ParameterInfo

from provisioning.cli.errors import redacted
from provisioning.cli.output import print_result
from provisioning.cli.settings_fields import FILE_NAME, Field, SettingsError, Value, fields_of
from provisioning.cli.settings_file import values_of_file

COMMAND_LINE: Final = "command line"
DEFAULT: Final = "default"
HIDDEN: Final = "(hidden)"
SECRET_WORDS: Final = ("password", "passphrase", "pin", "secret")

S = TypeVar("S")
_KINDS: Final[dict[str, type[Any]]] = {}  # "station.run" -> its settings, for the keys of a group's table


def with_settings(kind: type[S], table: str) -> Callable[[Callable[[S], None]], Callable[..., None]]:
    """Make a Typer command of a function that takes one `kind`. `table` is "GROUP.COMMAND"."""
    _KINDS[table] = kind

    def wrap(function: Callable[[S], None]) -> Callable[..., None]:
        def command(ctx: typer.Context, config: Path | None, show_config: bool, **given: Any) -> None:
            typed = {name: value for name, value in given.items() if _is_typed(ctx, name)}
            values = effective(kind, table, typed, config)
            if show_config:
                print_config(kind, values, is_json=_is_json(kind, given))
                return
            function(build(kind, table, values))

        parameters = _parameters(kind, table)
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: one.annotation for one in parameters}
        command.__doc__ = function.__doc__
        command.__name__ = function.__name__
        command.__module__ = function.__module__
        return command

    return wrap


def _is_json(kind: type[Any], given: Mapping[str, Any]) -> bool:
    """Return whether the option `--json` was given, under any field name."""
    return any(bool(given.get(one.name)) for one in fields_of(kind) if one.shown == "--json")


def _is_typed(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _parameters(kind: type[Any], table: str) -> list[inspect.Parameter]:
    def parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
        return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)

    found = [
        inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
        *(
            parameter(one.name, Annotated[_optional(one.base), _with_default(one)], None)
            for one in fields_of(kind)
        ),
    ]
    config = typer.Option(
        "--config",
        metavar="FILE",
        help=f"Settings file; its table is [{table}]. Default: {FILE_NAME} in the working directory, if it exists.",
    )
    show = typer.Option("--show-config", help="Print each setting and its source, and do nothing else.")
    return [
        *found,
        parameter("config", Annotated[Path | None, config], None),
        parameter("show_config", Annotated[bool, show], False),
    ]


def _optional(base: Any) -> Any:
    return base if type(None) in get_args(base) else base | None


def _with_default(field: Field) -> ParameterInfo:
    """Return the same option; its help ends with the default, because Typer sees None."""
    info = copy(field.info)
    words = [info.help or ""]
    if field.is_required:
        words.append("Required.")
    elif field.default not in (None, False, (), "") and field.default != []:
        words.append(f"Default: {field.default}.")
    info.help = " ".join(words)
    if isinstance(info, OptionInfo):
        info.show_default = False
    return info


def effective(
    kind: type[Any], table: str, typed: Mapping[str, Any], config: Path | None
) -> dict[str, Value | None]:
    """Return the value of every field: None if a required one has none. Raises SettingsError, OSError."""
    from_file = values_of_file(_KINDS, table, config)
    found: dict[str, Value | None] = {}
    for one in fields_of(kind):
        if one.name in typed:
            found[one.name] = Value(typed[one.name], COMMAND_LINE)
        elif one.name in from_file:
            found[one.name] = from_file[one.name]
        else:
            found[one.name] = None if one.is_required else Value(one.default, DEFAULT)
    return found


def build(kind: type[S], table: str, values: Mapping[str, Value | None]) -> S:
    """The settings object. Raises SettingsError that names every missing option, or the text that is not allowed."""
    missing = [one.shown for one in fields_of(kind) if values[one.name] is None]
    if missing:
        raise SettingsError(
            f"Missing: {', '.join(missing)}. Give it on the command line, or set an option in [{table}] of {FILE_NAME}."
        )
    _check_texts(kind, values)
    return kind(**{name: found.value for name, found in values.items() if found is not None})


def _check_texts(kind: type[Any], values: Mapping[str, Value | None]) -> None:
    """Apply the check of an option (`one_line`) to a value of the file, too. Raises SettingsError."""
    for one in fields_of(kind):
        found = values[one.name]
        if found is None or found.source in (COMMAND_LINE, DEFAULT) or one.info.callback is None:
            continue
        try:
            one.info.callback(found.value)
        except typer.BadParameter as error:
            raise SettingsError(f"{one.shown} in {found.source} {error.message}") from None


def print_config(kind: type[Any], values: Mapping[str, Value | None], *, is_json: bool) -> None:
    """Print each value with its source. Secrets are hidden."""
    lines, document = [], {}
    for one in fields_of(kind):
        found = values[one.name]
        text, source = ("", "missing") if found is None else (_shown(one, found.value), found.source)
        lines.append((one.shown, f"{text or '-'}  ({source})"))
        document[one.key] = {"value": text or None, "source": source}
    print_result(lines, document, is_json)


def _shown(field: Field, value: Any) -> str:
    if value is None or value in ([], ()):
        return ""
    if any(word in field.key.split("-") for word in SECRET_WORDS):
        return HIDDEN
    listed = value if isinstance(value, (list, tuple)) else [value]
    return redacted(", ".join(str(one) for one in listed))
