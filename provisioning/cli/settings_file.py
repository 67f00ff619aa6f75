"""The settings file of a command: read, compared with the known tables and keys, and checked value by value.

pydantic checks the values. It is imported only when there is a file.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, get_args

from provisioning.cli.settings_fields import FILE_NAME, Field, SettingsError, Value, fields_of
from provisioning.file_system import is_there

LARGEST_BYTES: Final = 65536


class UnknownKeyError(SettingsError):
    """The file has a key that is not an option of the command."""


def values_of_file(kinds: Mapping[str, type[Any]], table: str, config: Path | None) -> dict[str, Value]:
    """Return the values that the settings file has for the command `table`, by field name; empty without a file.

    `kinds`: the settings classes of all commands that are known, by table. Raises SettingsError, OSError.
    """
    path = config if config is not None else Path(FILE_NAME)
    if config is None and not is_there(path):
        return {}
    group, _, command = table.partition(".")
    content = _read(path)
    _require_known(path, "", content, _groups())
    shared = _table(path, content, group)
    own = _table(path, shared, command, f"{group}.")
    siblings = {name for name in kinds if name.startswith(f"{group}.")}
    keys = {one.key for name in siblings for one in fields_of(kinds[name]) if not one.is_argument}
    _require_known(path, group, shared, keys | {name.partition(".")[2] for name in siblings})
    for name in siblings:
        _table(path, shared, name.partition(".")[2], f"{group}.")
    _require_known(path, table, own, {one.key for one in fields_of(kinds[table]) if not one.is_argument})
    found: dict[str, Value] = {}
    for name, values in ((group, shared), (table, own)):
        usable = {
            one.key: one for one in fields_of(kinds[table]) if not one.is_argument and one.key in values
        }
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
        return tomllib.loads(data.decode("utf-8-sig"))
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
    is_exact = not _is_text(field.base)  # true is not a number, and "yes" is not true
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
