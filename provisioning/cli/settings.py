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
3. pydantic checks the values of the file. It is imported only when there is a file.
4. `--show-config` shows each value and its source, and no secret.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
from collections.abc import Callable, Mapping
from copy import copy
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, TypeVar, get_args, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo, ParameterInfo

from provisioning.cli.errors import InputError, redacted
from provisioning.cli.output import print_result

FILE_NAME: Final = "firstboot.toml"
LARGEST_BYTES: Final = 65536
COMMAND_LINE: Final = "command line"
DEFAULT: Final = "default"
HIDDEN: Final = "(hidden)"
SECRET_WORDS: Final = ("password", "passphrase", "pin", "secret")

S = TypeVar("S")


class SettingsError(InputError):
    """The settings file cannot be used. The text names the file, the table and the key."""


class UnknownKeyError(SettingsError):
    """A key of the file is no option of the command."""


@dataclasses.dataclass(frozen=True)
class RelativeText:
    """Marks a text option that may hold a path: how to read it in a file in `folder`."""

    resolve: Callable[[str, Path], str]


class Field(NamedTuple):
    """One option or argument of a command."""

    name: str  # of the dataclass field
    key: str  # in the file: the option without dashes; of an argument its metavar
    base: Any  # the type without `Annotated`
    info: ParameterInfo
    relative: RelativeText | None
    default: Any  # dataclasses.MISSING if it is required

    @property
    def is_argument(self) -> bool:
        """Given by its position, and never by the file."""
        return isinstance(self.info, ArgumentInfo)

    @property
    def is_required(self) -> bool:
        """The command needs a value from somewhere."""
        return self.default is dataclasses.MISSING

    @property
    def shown(self) -> str:
        """The name as a person types it."""
        return self.key if self.is_argument else f"--{self.key}"


class Value(NamedTuple):
    """An effective value and where it is from."""

    value: Any
    source: str


_KINDS: Final[dict[str, type[Any]]] = {}  # "station.run" -> its settings, for the keys of a group's table


def fields_of(kind: type[Any]) -> list[Field]:
    """Return the options and arguments that a settings class declares, in order."""
    hints = get_type_hints(kind, include_extras=True)
    found = []
    for field in dataclasses.fields(kind):
        base, *extras = get_args(hints[field.name])
        info = next(one for one in extras if isinstance(one, ParameterInfo))
        relative = next((one for one in extras if isinstance(one, RelativeText)), None)
        default = field.default
        if default is dataclasses.MISSING and field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        found.append(Field(field.name, _key(field.name, info), base, info, relative, default))
    return found


def _key(name: str, info: ParameterInfo) -> str:
    if isinstance(info, ArgumentInfo):
        return info.metavar or name.upper()
    declared = [one for one in (info.default, *(info.param_decls or ())) if isinstance(one, str)]
    return next((one[2:] for one in declared if one.startswith("--")), name.replace("_", "-"))


def with_settings(kind: type[S], table: str) -> Callable[[Callable[[S], None]], Callable[..., None]]:
    """Make a Typer command of a function that takes one `kind`. `table` is "GROUP.COMMAND"."""
    _KINDS[table] = kind

    def wrap(function: Callable[[S], None]) -> Callable[..., None]:
        def command(ctx: typer.Context, config: Path | None, show_config: bool, **given: Any) -> None:
            typed = {name: value for name, value in given.items() if _is_typed(ctx, name)}
            values = effective(kind, table, typed, config)
            if show_config:
                print_config(kind, values, is_json=bool(given.get("as_json")))
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
    elif field.default not in (None, False, ()) and field.default != []:
        words.append(f"Default: {field.default}.")
    info.help = " ".join(words)
    if isinstance(info, OptionInfo):
        info.show_default = False
    return info


def effective(
    kind: type[Any], table: str, typed: Mapping[str, Any], config: Path | None
) -> dict[str, Value | None]:
    """Return the value of every field: None if a required one has none. Raises SettingsError, OSError."""
    from_file = _from_file(kind, table, config)
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


# The file --------------------------------------------------------------------------------------------------


def _from_file(kind: type[Any], table: str, config: Path | None) -> dict[str, Value]:
    path = config if config is not None else Path(FILE_NAME)
    if config is None and not path.is_file():
        return {}
    group, _, command = table.partition(".")
    content = _read(path)
    _require_known(path, "", content, _groups())
    shared = _table(path, content, group)
    own = _table(path, shared, command, f"{group}.")
    siblings = {name for name in _KINDS if name.startswith(f"{group}.")}
    keys = {one.key for name in siblings for one in fields_of(_KINDS[name]) if not one.is_argument}
    _require_known(path, group, shared, keys | {name.partition(".")[2] for name in siblings})
    for name in siblings:
        _table(path, shared, name.partition(".")[2], f"{group}.")
    _require_known(path, table, own, {one.key for one in fields_of(kind) if not one.is_argument})
    found: dict[str, Value] = {}
    for name, values in ((group, shared), (table, own)):
        usable = {one.key: one for one in fields_of(kind) if not one.is_argument and one.key in values}
        for key, field in usable.items():
            value = _checked(path, name, field, values[key])
            found[field.name] = Value(_relative(field, value, path.parent), f"{path} [{name}]")
    return found


def _read(path: Path) -> dict[str, Any]:
    import tomllib

    if path.suffix in (".yaml", ".yml"):
        raise SettingsError(
            f"{path}: release.yaml is no longer read. Move its values to [release.sign] of {FILE_NAME}: `signers` is "
            "`signer` there, the other names are the same."
        )
    data = path.read_bytes()
    if len(data) > LARGEST_BYTES:
        raise SettingsError(f"{path} is larger than {LARGEST_BYTES} bytes.")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None


def _groups() -> set[str]:
    """Return the names that a table of the file may have: every command of `firstboot`."""
    from provisioning.cli.main import entries

    return set(entries())


def _table(path: Path, content: Mapping[str, Any], name: str, prefix: str = "") -> dict[str, Any]:
    found = content.get(name, {})
    if not isinstance(found, dict):
        raise SettingsError(f"{path}: {prefix}{name} must be a table: [{prefix}{name}]")
    return found


def _require_known(path: Path, table: str, content: Mapping[str, Any], known: set[str]) -> None:
    where = f"in [{table}]" if table else "at the top"
    for key in content:
        if key not in known:
            (nearest,) = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.0) or [""]
            raise UnknownKeyError(
                f"{path}: unknown key `{key}` {where}. The nearest known key is `{nearest}`."
            )


def _checked(path: Path, table: str, field: Field, value: Any) -> Any:
    """Return the value as the option's type. Raises SettingsError."""
    import pydantic

    limits = {"ge": getattr(field.info, "min", None), "le": getattr(field.info, "max", None)}
    is_exact = not _is_text(field.base)  # true is no number, "yes" is not true
    given = {name: one for name, one in limits.items() if one is not None}
    kind: Any = Annotated.__class_getitem__((field.base, pydantic.Field(strict=is_exact, **given)))  # type: ignore[attr-defined]
    try:
        return pydantic.TypeAdapter(kind).validate_python(value)
    except pydantic.ValidationError as error:
        reason = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise SettingsError(f"{path}: `{field.key}` in [{table}]: {reason}.") from None


def _is_text(base: Any) -> bool:
    """Return whether the file gives this type as text: a path, or one of several words."""
    return (
        base is Path
        or (isinstance(base, type) and issubclass(base, StrEnum))
        or any(_is_text(one) for one in get_args(base))
    )


def _relative(field: Field, value: Any, folder: Path) -> Any:
    if isinstance(value, list):
        return [_relative(field, one, folder) for one in value]
    if isinstance(value, Path):
        return folder / value
    if field.relative is not None and isinstance(value, str):
        return field.relative.resolve(value, folder)
    return value
