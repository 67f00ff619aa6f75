"""Run the tests against each change of one module, in forked processes (tools/mutation.py starts this).

The tests are collected once. Each change is tried in a fork of that process: the changed functions get their new code,
then the tests run that reach the changed statement, the quickest first, until one fails. A change outside of functions
(a constant, a default, a class) needs fresh imports: it is tried in a fork that has not imported the project yet.
A fork that uses far more processor time than the tests need, or that stops, counts as noticed. Dual tests run without
pytest (tools/mutation_plain.py).

Input: a JSON file with `module`, `tests`, `mutants` (key, first, last, source). Output: a line of JSON for each result.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Final

import pytest
from mutation_code import changed_functions, changed_values, put
from mutation_fork import in_child
from mutation_plain import PlainTest, are_plain, collect, passes

KILLED, SURVIVED, UNREACHED = "killed", "survived", "not reached by a test"
PRELOADED: Final = (
    "hypothesis",
    "cryptography.x509",
    "pytest_asyncio",
    "pyhsslms",
    "aiohttp",
    "pytest_timeout",
)
Test = pytest.Item | PlainTest
OPTIONS: Final = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:faulthandler"]


class Live:
    """A plugin of pytest: after the collection, try every change that new code of functions can carry out."""

    def __init__(self, job: dict[str, Any], say: Callable[[dict[str, Any]], None]) -> None:
        self._job = job
        self._say = say
        self._reached: list[tuple[float, set[int], Test]] = []
        self._noticed: dict[str, Counter[str]] = {}  # by function: how many changes each test noticed

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Let property tests stop at their first failure: nobody reads a smaller example."""
        from hypothesis import Phase, settings

        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutation", settings.get_profile("ordinary"), phases=phases)
        settings.load_profile("mutation")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.run([] if session.testsfailed else session.items)
        return True

    def run(self, tests: Sequence[Test]) -> None:
        """Try every change on these tests."""
        if not tests:
            self._say({"error": "the tests cannot be collected"})
            return
        if self._job["module"].endswith(".c"):
            self._try_c(tests)
            return
        name = self._job["module"].removesuffix(".py").replace("/", ".")
        module = sys.modules.get(name)
        if module is None or not str(module.__file__).startswith(str(Path.cwd())):
            self._say({"error": f"the tests do not import {name} from the copy"})
        elif self._measure(tests, str(module.__file__)):
            self._try_all(module)

    def _measure(self, tests: Sequence[Test], path: str) -> bool:
        """Note for each test which lines of the module it reaches. Returns whether all pass."""
        for item in tests:
            told = in_child(lambda item=item: _trace(item, path), 600)
            if told is None or told["failed"]:
                self._say({"error": f"fails on the unchanged module: {item.nodeid}"})
                return False
            self._reached.append((told["seconds"], set(told["lines"]), item))
        self._reached.sort(key=lambda one: one[0])
        ids = [item.nodeid for _, lines, item in self._reached if lines]
        self._say({"order": ids, "seconds": sum(one[0] for one in self._reached)})
        return True

    def _try_c(self, tests: Sequence[Test]) -> None:
        """Write each change into the copy; the tests compile it."""
        path = Path(self._job["module"])
        before = path.read_text(encoding="utf-8")
        if in_child(lambda: [_fails(item) for item in tests], 600, False) != [False] * len(tests):
            self._say({"error": "the tests fail on the unchanged file"})
            return
        self._reached = [(1.0, set(), item) for item in tests]
        chosen = [(seconds, item) for seconds, _, item in self._reached]
        for number, mutant in enumerate(self._job["mutants"]):
            path.write_text(mutant["source"], encoding="utf-8")
            try:
                self._try(number, mutant, chosen, lambda: True)
            finally:
                path.write_text(before, encoding="utf-8")

    def _try_all(self, module: ModuleType) -> None:
        path = str(module.__file__)
        before = Path(path).read_text(encoding="utf-8")
        for number, mutant in enumerate(self._job["mutants"]):
            codes = changed_functions(before, mutant["source"], path)
            wanted = set(range(mutant["first"], mutant["last"] + 1))
            if codes:
                chosen = [(seconds, item) for seconds, lines, item in self._reached if lines & wanted]
                self._try(number, mutant, chosen, lambda codes=codes: put(module, codes))
            elif codes is None:
                values = changed_values(module, before, mutant["source"])
                # A test may read a constant and run no line of the module.
                chosen = [(seconds, item) for seconds, _, item in self._reached]
                if values:
                    self._try(number, mutant, chosen, lambda values=values: not vars(module).update(values))

    def _try(
        self,
        number: int,
        mutant: dict[str, Any],
        chosen: list[tuple[float, Test]],
        put_change: Callable[[], bool],
    ) -> None:
        if not chosen:
            self._say({"number": number, "outcome": UNREACHED})
            return
        # A test that noticed another change of the same function is likely to notice this one.
        noticed = self._noticed.setdefault(mutant["key"].split("\n")[0], Counter())
        order = sorted(chosen, key=lambda one: (-noticed[one[1].nodeid], one[0]))

        def attempt() -> tuple[str, str]:
            if not put_change():
                return "not put", ""
            failed = next((item.nodeid for _, item in order if _fails(item)), "")
            return (KILLED if failed else SURVIVED), failed

        is_bounded = self._job["module"].endswith(".py")
        limit_s = 2 + 5 * sum(
            one[0] for one in chosen
        )  # of processor time, which a busy host does not stretch
        outcome, failed = in_child(attempt, limit_s, is_bounded) or (KILLED, "")
        noticed[failed] += 1
        if outcome != "not put":
            self._say({"number": number, "outcome": outcome, "by": failed})


def _fails(item: Test) -> bool:
    if isinstance(item, PlainTest):
        return item.fails()
    from _pytest.runner import runtestprotocol

    return any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))


def _trace(item: Test, path: str) -> dict[str, Any]:
    lines: set[int] = set()

    def local(frame: FrameType, event: str, argument: object) -> Any:
        lines.add(frame.f_lineno)
        return local

    def call(frame: FrameType, event: str, argument: object) -> Any:
        return local(frame, event, argument) if frame.f_code.co_filename == path else None

    began = time.process_time()
    sys.settrace(call)
    failed = _fails(item)
    sys.settrace(None)
    return {"failed": failed, "seconds": time.process_time() - began, "lines": sorted(lines)}


# A change outside of functions ----------------------------------------------------------------------------


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Import one module from a changed source."""

    def __init__(self, name: str, path: str, source: str) -> None:
        self._name = name
        self._path = path
        self._source = source

    def find_spec(
        self, fullname: str, path: Any, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, origin=self._path)

    def get_source(self, fullname: str) -> str:
        return self._source


def fresh(job: dict[str, Any], order: list[str], source: str) -> bool:
    """Import the project with the changed module and run the tests. Returns whether all pass."""
    name = job["module"].removesuffix(".py").replace("/", ".")
    sys.meta_path.insert(0, _Changed(name, str(Path(job["module"]).resolve()), source))
    if are_plain(job["tests"]):
        return passes(job["tests"], order)
    return pytest.main([*OPTIONS, *order, *job["tests"]]) == 0


def run_fresh(job: dict[str, Any], numbers: list[int], order: list[str], say: Callable[[Any], None]) -> None:
    """Try the changes with these numbers, after a run of the unchanged module that must pass."""
    path = Path(job["module"])
    before = path.read_text(encoding="utf-8")
    began = time.monotonic()
    if not in_child(lambda: fresh(job, order, before), 3600):
        say({"error": "the tests fail on the unchanged module, freshly imported"})
        return
    limit_s = 30 + 5 * (time.monotonic() - began)
    for number in numbers:
        source = job["mutants"][number]["source"]
        is_passed = in_child(lambda source=source: fresh(job, order, source), limit_s)
        say({"number": number, "outcome": SURVIVED if is_passed else KILLED})


def main(job_path: str, out_path: str) -> int:
    """Run the job; the checkout's copy is the working directory."""
    sys.path.insert(0, str(Path.cwd()))
    job = json.loads(Path(job_path).read_text(encoding="utf-8"))
    for name in () if are_plain(job["tests"]) else PRELOADED:
        try:
            __import__(name)
        except ImportError:
            continue
    with Path(out_path).open("w", encoding="utf-8") as out:

        def say(line: dict[str, Any]) -> None:
            out.write(json.dumps(line) + "\n")
            out.flush()

        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            live = Live(job, say)
            if are_plain(job["tests"]):
                live.run(collect(job["tests"]))
            else:
                pytest.main([*OPTIONS, *job["tests"]], plugins=[live])
            os._exit(0)
        os.waitpid(child, 0)
        told = [json.loads(line) for line in Path(out_path).read_text(encoding="utf-8").splitlines()]
        if not told or any("error" in line for line in told):
            return 1
        done = {line["number"] for line in told if "number" in line}
        order = [line["order"] for line in told if "order" in line]
        numbers = [number for number in range(len(job["mutants"])) if number not in done]
        if numbers:
            run_fresh(job, numbers, order[0], say)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
