"""Runs Robot keywords in the Python that has Firstboot, for a Robot Framework in any Python.

Its client is renode/suites/keywords.py.

`python -m simulator.story.keyword_server LIBRARY MACHINE [ARGUMENT...]`: the first line on standard output is
{"keywords": {NAME: {"arguments": [...], "text": "..."}}}. Then each line on standard input, {"run": NAME, "arguments":
[...]}, is answered by {"status": "passed" | "failed" | "skipped", "output": "...", "error": "..."}. The end of standard
input closes the library.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TextIO

from renode.keywords import BoardLibrary
from simulator.story.unit_keywords import UnitLibrary

LIBRARIES: Final[dict[str, Callable[..., Any]]] = {"board": BoardLibrary, "unit": UnitLibrary}


def keywords_of(library: object) -> dict[str, dict[str, object]]:
    """Return the public methods of a library: arguments and the first line of the docstring, by name."""
    found: dict[str, dict[str, object]] = {}
    for name, method in inspect.getmembers(type(library), inspect.isfunction):
        if not name.startswith("_") and name != "close":
            found[name] = {"arguments": _arguments(method), "text": inspect.getdoc(method) or ""}
    return found


def _arguments(method: Callable[..., object]) -> list[str]:
    names = []
    for one in list(inspect.signature(method).parameters.values())[1:]:  # without self
        names.append(f"*{one.name}" if one.kind is one.VAR_POSITIONAL else one.name)
    return names


def run_keyword(library: object, name: str, arguments: Sequence[str]) -> dict[str, str]:
    """Run one keyword. Every error that it raises fails it; the trace goes to the output."""
    output = io.StringIO()
    status, complaint = "passed", ""
    with contextlib.redirect_stdout(output):
        try:
            if name not in keywords_of(library):
                raise AssertionError(f"no keyword {name!r}")
            getattr(library, name)(*arguments)
        except Exception as error:
            is_skip = bool(getattr(error, "ROBOT_SKIP_EXECUTION", False))
            status = "skipped" if is_skip else "failed"
            complaint = str(error) if is_skip else f"{type(error).__name__}: {error}"
            if not is_skip:
                traceback.print_exc(file=output)
    return {"status": status, "output": output.getvalue(), "error": complaint}


def serve(library: Any, requests: Iterable[str], answers: TextIO) -> None:
    """Answer requests until there are no more, then close the library."""

    def answer(found: object) -> None:
        answers.write(json.dumps(found) + "\n")
        answers.flush()

    try:
        answer({"keywords": keywords_of(library)})
        for line in requests:
            asked = json.loads(line)
            answer(run_keyword(library, str(asked["run"]), [str(one) for one in asked["arguments"]]))
    finally:
        library.close()


def lines_until_end(requests: TextIO, on_early_end: Callable[[], None]) -> Iterator[str]:
    """Yield the lines of `requests`. If they end while one is still being answered, call `on_early_end` at once.

    Robot Framework can be ended inside a keyword that waits for minutes. The board must not run on.
    """
    lines: queue.Queue[str | None] = queue.Queue()
    is_idle = threading.Event()

    def read() -> None:
        for line in requests:
            is_idle.clear()
            lines.put(line)
        if not is_idle.is_set():
            on_early_end()
        lines.put(None)

    is_idle.set()
    threading.Thread(target=read, name="requests", daemon=True).start()
    while (line := lines.get()) is not None:
        yield line
        is_idle.set()


def main(arguments: Sequence[str]) -> int:
    """Serve one library. Returns 2 for an unknown one."""
    if not arguments or arguments[0] not in LIBRARIES:
        sys.stderr.write(f"usage: keyword_server {'|'.join(LIBRARIES)} MACHINE [ARGUMENT...]\n")
        return 2
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a child process prints does not go between the answers
    library = LIBRARIES[arguments[0]](*arguments[1:])

    def give_up() -> None:
        library.close()
        os._exit(1)  # the keyword's thread cannot be ended in another way

    serve(library, lines_until_end(sys.stdin, give_up), answers)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
