"""The file system from which MicroPython imports an application: it shows only the package `app`."""

from __future__ import annotations

import errno
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from device.errors import AppSetError

FILES = {"__init__.py": b"", "device.py": b"x = 1\n", "data/table.bin": b"table"}


class Files:
    """interfaces.AppFiles in a dict."""

    def size(self, name: str) -> int | None:
        return len(FILES[name]) if name in FILES else None

    def has_folder(self, name: str) -> bool:
        return not name or any(one.startswith(name + "/") for one in FILES)

    def read(self, name: str) -> bytes:
        if name not in FILES:
            raise AppSetError(reason="no such file", file=name)
        return FILES[name]


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return device.ports.appfiles with a fake of MicroPython's `vfs`; `port.mounted` has the mounted objects."""
    vfs = ModuleType("vfs")
    mounted: list[tuple[Any, str]] = []
    vfs.mount = lambda files, place: mounted.append((files, place))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vfs", vfs)
    monkeypatch.delitem(sys.modules, "device.ports.appfiles", raising=False)
    monkeypatch.setattr(sys, "path", [".frozen"])
    appfiles = importlib.import_module("device.ports.appfiles")
    monkeypatch.setattr(appfiles, "mounted", mounted, raising=False)
    yield appfiles
    sys.modules.pop("device.ports.appfiles", None)


def test_only_the_package_is_there(port: Any) -> None:
    shown = port._Files(Files())
    assert shown.stat("/app")[0] == 0x4000
    assert shown.stat("/app/data")[0] == 0x4000
    found = shown.stat("/app/data/table.bin")
    assert (found[0], found[6]) == (0x8000, 5)
    for path in ("/", "", "/device.py", "/__init__.py", "/application", "/app/none.py", "/appx/device.py"):
        with pytest.raises(OSError) as caught:
            shown.stat(path)
        assert caught.value.args[0] == errno.ENOENT, path


def test_a_file_opens_for_reading_and_for_nothing_else(port: Any) -> None:
    shown = port._Files(Files())
    assert shown.open("/app/data/table.bin", "rb").read() == b"table"
    for path, mode in (("/app/device.py", "wb"), ("/app/new.py", "w"), ("/device.py", "rb"), ("/app", "rb")):
        with pytest.raises(OSError):
            shown.open(path, mode)


def test_the_set_is_appended_after_the_frozen_modules_and_mounted_once(
    port: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ModuleType("app")
    with monkeypatch.context() as patch:
        patch.setattr("builtins.__import__", lambda name, *rest: made)
        found = [port.load(Files()), port.load(Files())]
    assert found == [made, made] and sys.path == [".frozen", "/set"]
    assert [place for _, place in port.mounted] == ["/set"]


def test_a_failed_import_leaves_no_module(port: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, *rest: Any) -> ModuleType:
        sys.modules["app"] = ModuleType("app")
        sys.modules["app.helper"] = ModuleType("app.helper")
        raise SyntaxError

    with monkeypatch.context() as patch:
        patch.setattr("builtins.__import__", fail)
        with pytest.raises(SyntaxError):
            port.load(Files())
    assert not [name for name in sys.modules if name == "app" or name.startswith("app.")]
