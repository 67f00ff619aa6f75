"""The options and arguments that a settings class declares, and the values that they get."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args, get_type_hints

from typer.models import ArgumentInfo, ParameterInfo

from provisioning.cli.errors import InputError

FILE_NAME: Final = "firstboot.toml"


class SettingsError(InputError):
    """The settings file cannot be used. The text names the file, the table and the key."""


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
    """An effective value and its origin."""

    value: Any
    source: str


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
