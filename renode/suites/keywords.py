"""The library of the suites: runs each keyword in a Python that has Firstboot, whichever Python runs Robot Framework.

`renode-test` brings its own Python, which does not have Firstboot. This file needs the standard library and Robot
Framework alone. It uses the first of these Pythons that has Firstboot: the one that FIRSTBOOT_PYTHON names, Robot
Framework's own, and the checkout's .venv.

    Library    keywords.py    LIBRARY    MACHINE    [ARGUMENT...]

Each suite sets all four set-ups and teardowns, because `renode-test` adds its own to those that are missing.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from robot.api import FatalError, SkipExecution, logger

SERVER = "simulator.story.keyword_server"
CHECKOUT = Path(__file__).resolve().parents[2]
CHECK = "firstboot_is_here"  # the keyword that every suite begins with
_LAST_LINES = 5


class keywords:  # Robot Framework wants the name of the file
    """A dynamic library (Robot Framework User Guide, 4.1.8)."""

    ROBOT_LIBRARY_SCOPE = "GLOBAL"  # one process for all suites with the same arguments

    def __init__(self, library: str, machine: str, *arguments: str) -> None:
        self._errors = tempfile.TemporaryFile()
        self._process: subprocess.Popen[str] | None = None
        self._missing = ""  # why no Python has Firstboot
        self._keywords: dict[str, dict[str, Any]] = {
            CHECK: {"arguments": [], "text": "Fail if it is missing."}
        }
        self._keywords.update(self._start([library, machine, *arguments]))
        atexit.register(self._end)

    def get_keyword_names(self) -> list[str]:
        """Return the names, as Robot Framework asks for them."""
        return list(self._keywords)

    def get_keyword_arguments(self, name: str) -> list[str]:
        """Return the arguments of a keyword."""
        return [str(one) for one in self._keywords[name]["arguments"]]

    def get_keyword_documentation(self, name: str) -> str:
        """Return the documentation of a keyword."""
        return str(self._keywords[name]["text"]) if name in self._keywords else str(__doc__)

    def run_keyword(self, name: str, arguments: list[object]) -> None:
        """Run a keyword. Raises AssertionError if it failed, SkipExecution if it cannot be run here.

        Raises FatalError, which ends the whole run, if no Python has Firstboot or the keywords' process has ended.
        """
        if self._missing:
            raise FatalError(self._missing)
        if name == CHECK:
            return
        self._write({"run": name, "arguments": [str(one) for one in arguments]})
        found = self._read()
        if found["output"]:
            logger.info(found["output"])
        if found["status"] == "skipped":
            raise SkipExecution(found["error"])
        if found["status"] != "passed":
            raise AssertionError(found["error"])

    def _start(self, arguments: list[str]) -> dict[str, dict[str, Any]]:
        """Return the keywords of the first Python that has Firstboot. Without one, only CHECK exists, and it fails."""
        tried = []
        for python in _pythons():
            self._errors.seek(0)
            self._errors.truncate()
            self._process = subprocess.Popen(
                [python, "-m", SERVER, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=_environment(),
                text=True,
            )
            found = self._read_or_none()
            if found is not None:
                return dict(found["keywords"])
            self._end()
            tried.append(f"{python}: {self._complaint()}")
        self._missing = (
            "No Python here has Firstboot. Set FIRSTBOOT_PYTHON to one that has it, or run "
            f"`{sys.executable} -m pip install firstboot`. Tried:\n" + "\n".join(tried)
        )
        return {}

    def _write(self, request: object) -> None:
        try:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.write(json.dumps(request) + "\n")
                self._process.stdin.flush()
        except OSError:
            raise FatalError(f"The keywords' process has ended: {self._complaint()}") from None

    def _read(self) -> dict[str, Any]:
        found = self._read_or_none()
        if found is None:
            raise FatalError(f"The keywords' process has ended: {self._complaint()}")
        return found

    def _read_or_none(self) -> dict[str, Any] | None:
        stdout = self._process.stdout if self._process is not None else None
        line = stdout.readline() if stdout is not None else ""
        return json.loads(line) if line else None

    def _complaint(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").splitlines()
        return " | ".join(lines[-_LAST_LINES:])

    def _end(self) -> None:
        process = self._process
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # it has ended, and some bytes were not read
                    pipe.close()
        process.wait()


def _pythons() -> list[str]:
    named = os.environ.get("FIRSTBOOT_PYTHON")
    if named:
        return [named]  # its failure must not be covered by another one
    own = [CHECKOUT / ".venv" / "bin" / "python", CHECKOUT / ".venv" / "Scripts" / "python.exe"]
    return [sys.executable, *(str(python) for python in own if python.exists())]


def _environment() -> dict[str, str]:
    """Return the environment; in a checkout its packages can be imported."""
    environment = dict(os.environ)
    if (CHECKOUT / SERVER.replace(".", "/")).with_suffix(".py").is_file():
        environment["PYTHONPATH"] = str(CHECKOUT)
    return environment
