"""The error boundary's table names classes by path: each exists, and every public error of the tools has a rule."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pytest

import provisioning
from provisioning.cli.errors import TABLE, rule_of


def errors_of(package: object) -> Iterator[tuple[str, type[Exception]]]:
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):  # type: ignore[attr-defined]
        if ".migrations" in found.name:
            continue
        module = importlib.import_module(found.name)
        for name, kind in inspect.getmembers(module, inspect.isclass):
            is_public_error = issubclass(kind, Exception) and not name.startswith("_")
            if is_public_error and kind.__module__ == found.name:
                yield f"{found.name}.{name}", kind


@pytest.mark.parametrize("path", TABLE)
def test_every_class_that_the_table_names_exists(path: str) -> None:
    module, _, name = path.rpartition(".")
    kind = getattr(importlib.import_module(module), name)
    assert issubclass(kind, Exception)
    assert f"{kind.__module__}.{kind.__qualname__}" == path


def test_every_public_error_of_the_tools_has_a_rule() -> None:
    found = dict(errors_of(provisioning))
    assert len(found) > 30
    assert not [path for path, kind in found.items() if rule_of(kind.__new__(kind)) is None]
