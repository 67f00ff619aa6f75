"""A board that is this Python: a raw prompt on a pseudo terminal, for tests of the serial line and of the session."""

from __future__ import annotations

import io
import os
import pty
import select
import sys
import threading
import tty
import types
from contextlib import redirect_stdout
from typing import Any


class HostBoard:
    """A raw prompt on `path`. Code runs in this process; `vfs` and what it mounts are imitated by an import hook."""

    def __init__(self) -> None:
        self._ours, theirs = pty.openpty()
        tty.setraw(theirs)
        self._theirs = theirs
        self.path = os.ttyname(theirs)
        self.restarts = 0
        self._space: dict[str, Any] = {}
        self._fresh()
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread first: otherwise it would read from the next terminal, which gets the same number."""
        self._is_ending.set()
        self._thread.join()
        self._forget()
        os.close(self._theirs)
        os.close(self._ours)

    def _fresh(self) -> None:
        self._forget()
        self._space = {"__name__": "__main__"}
        finder = _Finder()
        sys.meta_path.insert(0, finder)
        sys.modules["vfs"] = _module("vfs", mount=finder.mount, umount=lambda _path: None)
        vars(sys)["print_exception"] = lambda error: print(type(error).__name__)  # MicroPython's
        sys.modules["machine"] = _module("machine", reset=self._reset)

    def _forget(self) -> None:
        sys.meta_path[:] = [one for one in sys.meta_path if not isinstance(one, _Finder)]
        sys.path[:] = [one for one in sys.path if one != "/fb"]
        for name in [one for one in sys.modules if one in ("port", "board", "main") or one.startswith("fb_")]:
            del sys.modules[name]
        for name in ("vfs", "machine"):
            sys.modules.pop(name, None)
        vars(sys).pop("print_exception", None)

    def _reset(self) -> None:
        self.restarts += 1
        raise SystemExit

    def _serve(self) -> None:
        code = b""
        while not self._is_ending.is_set():
            if not select.select([self._ours], [], [], 0.05)[0]:
                continue
            data = os.read(self._ours, 4096)
            for byte in data:
                if byte == 1:
                    code = b""
                    self._say("raw REPL; CTRL-B to exit\r\n>")
                elif byte == 4:
                    self._run(code.decode())
                    code = b""
                elif byte != 3:
                    code += bytes([byte])

    def _run(self, code: str) -> None:
        code = code.replace("gc.collect()", "pass")  # seconds, in a process that has run other tests
        output, error = io.StringIO(), ""
        restarts = self.restarts
        try:
            with redirect_stdout(output):
                exec(compile(code.lstrip("\r"), "<board>", "exec"), self._space)  # noqa: S102
        except SystemExit:
            pass
        except BaseException as found:
            error = f"Traceback:\n{type(found).__name__}: {found}"
        if self.restarts != restarts:
            self._fresh()
            return  # a board that restarts does not answer
        self._say(f"OK{output.getvalue()}\x04{error}\x04>")

    def _say(self, text: str) -> None:
        data = text.replace("\n", "\r\n").encode()
        while data and not self._is_ending.is_set():
            if select.select([], [self._ours], [], 0.05)[1]:
                data = data[os.write(self._ours, data[:1024]) :]


def _module(name: str, **members: Any) -> types.ModuleType:
    module = types.ModuleType(name)
    vars(module).update(members)
    return module


class _Finder:
    """Imports from the file system in RAM that the session mounts."""

    def __init__(self) -> None:
        self._files: Any = None

    def mount(self, files: Any, _path: str) -> None:
        self._files = files

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> Any:
        from importlib.machinery import ModuleSpec

        if self._files is None or f"{name}.py" not in self._files.files:
            return None
        return ModuleSpec(name, _Loader(self._files.files[f"{name}.py"]))


class _Loader:
    def __init__(self, source: bytes) -> None:
        self._source = source

    def create_module(self, _spec: Any) -> None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        exec(compile(self._source, f"{module.__name__}.py", "exec"), vars(module))  # noqa: S102
