"""A verified application set as a read-only file system that MicroPython imports from. Every read is checked.

The path of the set is appended to sys.path, which contains only ".frozen" before, so frozen and built-in modules are
found first. The file system shows the package `app` only, so no other import finds a file of the set.
"""

import errno
import io
import sys

import vfs

from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.interfaces import AppFiles

_MOUNT_POINT = "/set"
_PACKAGE = "app"
_FOLDER = const(0x4000)  # MP_S_IFDIR
_FILE = const(0x8000)


class _Files:
    """The methods that MicroPython needs of a file system in Python (`vfs.mount`) to import from it."""

    def __init__(self, files: "AppFiles") -> None:
        self._files = files

    def mount(self, is_readonly: bool, make: bool) -> None:
        pass

    def umount(self) -> None:
        pass

    def stat(self, path: str) -> "tuple[int, ...]":
        name = _inside(path)
        size = self._files.size(name)
        if size is not None:
            return (_FILE, 0, 0, 0, 0, 0, size, 0, 0, 0)
        if self._files.has_folder(name):
            return (_FOLDER, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        raise OSError(errno.ENOENT)

    def open(self, path: str, mode: str) -> "Any":
        name = _inside(path)
        if mode not in ("r", "rb") or self._files.size(name) is None:
            raise OSError(errno.ENOENT)
        return io.BytesIO(self._files.read(name))


def _inside(path: str) -> str:
    """Return the name in the set: "/app/x.py" is "x.py", "/app" is "". Raises OSError for any other path."""
    if path == "/" + _PACKAGE:
        return ""
    if path.startswith("/" + _PACKAGE + "/"):
        return path[len(_PACKAGE) + 2 :]
    raise OSError(errno.ENOENT)


def load(files: "AppFiles") -> "Any":
    """Return the module `app` of a set; raise what its import raises. A unit loads one set for each start."""
    if _MOUNT_POINT not in sys.path:
        vfs.mount(_Files(files), _MOUNT_POINT)
        sys.path.append(_MOUNT_POINT)
    try:
        return __import__(_PACKAGE)
    except BaseException:
        # MicroPython leaves a module whose import failed in sys.modules; the next attempt must start again.
        for name in [one for one in sys.modules if one == _PACKAGE or one.startswith(_PACKAGE + ".")]:
            del sys.modules[name]
        raise
