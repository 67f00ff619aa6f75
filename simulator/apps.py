"""Application sets on CPython: imports the package `app` from a verified set, separately for each unit.

On a board, frozen modules come before the set. Here several units share one interpreter, so `app` never enters
sys.modules. Modules of a set get an `__import__` that looks for `app` in their own set and passes every other name to
Python. So, as on the board, a file of a set can only be imported under `app`.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from device.agent.apps import PACKAGE

if TYPE_CHECKING:
    from device.interfaces import AppFiles


class SetImporter:
    """Imports from one set. It does not find `.mpy` files, which only a board can run."""

    def __init__(self, files: AppFiles) -> None:
        self._files = files
        self._modules: dict[str, ModuleType] = {}
        self._builtins = {**vars(builtins), "__import__": self._import}

    def load(self) -> ModuleType:
        """Return the package. Raises ImportError, and every error of the package's code."""
        return self._module(PACKAGE)

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if level:
            package = str((globals or {}).get("__package__") or "")
            parts = package.split(".")
            if level > len(parts):
                raise ImportError("relative import beyond the package", name=name)
            base = ".".join(parts[: len(parts) - level + 1])
            name = f"{base}.{name}" if name else base
        if name != PACKAGE and not name.startswith(PACKAGE + "."):
            return builtins.__import__(name, globals, locals, tuple(fromlist or ()), 0)
        module = self._module(name)
        for one in fromlist or ():
            if not hasattr(module, one) and self._source(f"{name}.{one}") is not None:
                self._module(f"{name}.{one}")
        return module if fromlist or level else self._modules[PACKAGE]

    def _source(self, name: str) -> tuple[str, bool] | None:
        """Return the file of a module and whether it is a package; None if the set does not contain it."""
        path = "/".join(name.split(".")[1:])
        start = f"{path}/__init__.py" if path else "__init__.py"
        for file, is_package in ((start, True), (f"{path}.py", False)):
            if self._files.size(file) is not None:
                return file, is_package
        return None

    def _module(self, name: str) -> ModuleType:
        if name in self._modules:
            return self._modules[name]
        parent, _, last = name.rpartition(".")
        above = self._module(parent) if parent else None
        found = self._source(name)
        if found is None:
            raise ImportError(f"no module {name} in the application", name=name)
        file, is_package = found
        module = ModuleType(name)
        module.__dict__.update(
            __builtins__=self._builtins,
            __file__=f"<set>/{PACKAGE}/{file}",
            __package__=name if is_package else parent,
        )
        if is_package:
            module.__path__ = []
        self._modules[name] = module
        try:
            exec(compile(self._files.read(file), module.__file__ or "", "exec"), module.__dict__)  # noqa: S102 - signed
        except BaseException:
            del self._modules[name]
            raise
        if above is not None:
            setattr(above, last, module)
        return module


def load_app(files: AppFiles) -> Any:
    """Return the module `app` of a set. A simulated unit uses this as agent.Ports.load_app."""
    return SetImporter(files).load()
