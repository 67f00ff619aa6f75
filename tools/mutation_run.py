"""Run the tests against each change of one module, in forked processes (tools/mutation.py starts this).

The tests are collected once. Each change is tried in a fork of that process: the changed functions get their new code,
then the tests run that reach the changed statement, the quickest first, until one fails. A change outside of functions
(a constant, a default, a class) needs fresh imports: it is tried in a fork that has not imported the project yet.
A fork that uses far more processor time than the tests need, or that stops, counts as noticed.

Input: a JSON file with `module`, `tests`, `mutants` (key, first, last, source). Output: a line of JSON for each result.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import json
import os
import resource
import select
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, Final

import pytest

KILLED, SURVIVED, UNREACHED = "killed", "survived", "not reached by a test"
MEMORY_BYTES: Final = 4 << 30
PRELOADED: Final = (
    "hypothesis",
    "cryptography.x509",
    "pytest_asyncio",
    "pyhsslms",
    "aiohttp",
    "pytest_timeout",
)
OPTIONS: Final = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:faulthandler"]


def in_child(work: Callable[[], Any], processor_s: float, is_bounded: bool = True) -> Any:
    """Return what `work` returns in a fork of this process, None if it ended or used more than `processor_s`.

    `is_bounded`: its memory has a limit, which sanitizers of C do not bear.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            _confine(processor_s)
            if is_bounded:
                resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
            os.write(writer, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    answer = b""
    deadline = time.monotonic() + 60 + 20 * processor_s  # a fork that waits uses no processor time
    while select.select([reader], [], [], max(0.0, deadline - time.monotonic()))[0]:
        part = os.read(reader, 1 << 16)
        if not part:
            break
        answer += part
    os.close(reader)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return json.loads(answer) if answer else None


def _confine(processor_s: float) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    limit = int(processor_s) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))


# A change inside functions -----------------------------------------------------------------------------


def changed_functions(before: str, after: str, name: str) -> dict[tuple[str, int], CodeType] | None:
    """Return new code by qualified name and line, None if something outside of functions differs."""
    found: dict[tuple[str, int], CodeType] = {}
    old, new = compile(before, name, "exec"), compile(after, name, "exec")
    return found if _compare(old, new, found) else None


def _compare(old: CodeType, new: CodeType, found: dict[tuple[str, int], CodeType]) -> bool:
    olds = [one for one in old.co_consts if isinstance(one, CodeType)]
    news = [one for one in new.co_consts if isinstance(one, CodeType)]
    if _shape(old) != _shape(new) or len(olds) != len(news):
        return False
    for left, right in zip(olds, news, strict=True):
        if left.co_flags & 2:  # CO_NEWLOCALS: a function, not a class
            if left != right:
                found[left.co_qualname, left.co_firstlineno] = right
        elif not _compare(left, right, found):
            return False
    return True


def _shape(code: CodeType) -> tuple[Any, ...]:
    consts = ["code" if isinstance(one, CodeType) else repr(one) for one in code.co_consts]
    return code.co_code, code.co_names, consts


def functions_of(holder: ModuleType | type) -> Iterator[FunctionType]:
    """Yield the functions of a module and of its classes."""
    for value in list(vars(holder).values()):
        inner = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
        if isinstance(inner, FunctionType):
            yield inner
        elif isinstance(value, type) and value is not holder:
            yield from functions_of(value)


def put(module: ModuleType, codes: dict[tuple[str, int], CodeType]) -> bool:
    """Replace the code of functions of a live module. Returns whether every one was found and took it."""
    left = dict(codes)
    for function in functions_of(module):
        code = left.pop((function.__code__.co_qualname, function.__code__.co_firstlineno), None)
        if code is not None and function.__code__.co_filename == code.co_filename:
            try:
                function.__code__ = code
            except ValueError:  # other free variables
                return False
    return not left


PLAIN: Final = (int, str, bytes, tuple, dict, list)


def changed_values(module: ModuleType, before: str, after: str) -> dict[str, Any] | None:
    """Return new values of the module's own constants, None if anything else differs outside of functions.

    A constant that another module imports may have gone into other values by now: it needs fresh imports.
    """
    old, new = compile(before, "old", "exec"), compile(after, "new", "exec")
    functions = [[one for one in code.co_consts if isinstance(one, CodeType)] for code in (old, new)]
    if [one.replace(co_filename="") for one in functions[0]] != [
        one.replace(co_filename="") for one in functions[1]
    ]:
        return None
    olds: dict[str, Any] = {"__name__": module.__name__}
    news = dict(olds)
    try:
        exec(old, olds)  # noqa: S102 - this checkout's own code
        exec(new, news)  # noqa: S102
    except Exception:
        return None
    names = [
        name for name, value in news.items() if type(value) in PLAIN and repr(olds.get(name)) != repr(value)
    ]
    is_own = all(name in vars(module) and not _is_shared(module, name) for name in names)
    return {name: news[name] for name in names} if is_own else None


def _is_shared(module: ModuleType, name: str) -> bool:
    value = getattr(module, name)
    for other in list(sys.modules.values()):
        if other is not module and isinstance(other, ModuleType) and vars(other).get(name) is value:
            path = getattr(other, "__file__", None) or ""  # a small number is the same object everywhere
            if path.endswith(".py") and f"from {module.__name__} import" in Path(path).read_text(
                encoding="utf-8"
            ):
                return True
    return False


class Live:
    """A plugin of pytest: after the collection, try every change that new code of functions can carry out."""

    def __init__(self, job: dict[str, Any], say: Callable[[dict[str, Any]], None]) -> None:
        self._job = job
        self._say = say
        self._reached: list[tuple[float, set[int], pytest.Item]] = []
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
        if session.testsfailed or not session.items:
            self._say({"error": "the tests cannot be collected"})
            return True
        if self._job["module"].endswith(".c"):
            self._try_c(session)
            return True
        name = self._job["module"].removesuffix(".py").replace("/", ".")
        module = sys.modules.get(name)
        if module is None or not str(module.__file__).startswith(str(Path.cwd())):
            self._say({"error": f"the tests do not import {name} from the copy"})
            return True
        if self._measure(session, str(module.__file__)):
            self._try_all(module)
        return True

    def _measure(self, session: pytest.Session, path: str) -> bool:
        """Note for each test which lines of the module it reaches. Returns whether all pass."""
        for item in session.items:
            told = in_child(lambda item=item: _trace(item, path), 600)
            if told is None or told["failed"]:
                self._say({"error": f"fails on the unchanged module: {item.nodeid}"})
                return False
            self._reached.append((told["seconds"], set(told["lines"]), item))
        self._reached.sort(key=lambda one: one[0])
        ids = [item.nodeid for _, lines, item in self._reached if lines]
        self._say({"order": ids, "seconds": sum(one[0] for one in self._reached)})
        return True

    def _try_c(self, session: pytest.Session) -> None:
        """Write each change into the copy; the tests compile it."""
        path = Path(self._job["module"])
        before = path.read_text(encoding="utf-8")
        if in_child(lambda: [_fails(item) for item in session.items], 600, False) != [False] * len(
            session.items
        ):
            self._say({"error": "the tests fail on the unchanged file"})
            return
        self._reached = [(1.0, set(), item) for item in session.items]
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
                chosen = [(seconds, item) for seconds, lines, item in self._reached if lines]
                if values:
                    self._try(number, mutant, chosen, lambda values=values: not vars(module).update(values))

    def _try(
        self,
        number: int,
        mutant: dict[str, Any],
        chosen: list[tuple[float, pytest.Item]],
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
        limit_s = 10 + 5 * sum(one[0] for one in chosen)
        outcome, failed = in_child(attempt, limit_s, is_bounded) or (KILLED, "")
        noticed[failed] += 1
        if outcome != "not put":
            self._say({"number": number, "outcome": outcome, "by": failed})


def _fails(item: pytest.Item) -> bool:
    from _pytest.runner import runtestprotocol

    return any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))


def _trace(item: pytest.Item, path: str) -> dict[str, Any]:
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


def fresh(job: dict[str, Any], order: list[str], source: str) -> int:
    """Import the project with the changed module, run the tests, and return pytest's exit code."""
    name = job["module"].removesuffix(".py").replace("/", ".")
    sys.meta_path.insert(0, _Changed(name, str(Path(job["module"]).resolve()), source))
    return int(pytest.main([*OPTIONS, *order, *job["tests"]]))


def run_fresh(job: dict[str, Any], numbers: list[int], order: list[str], say: Callable[[Any], None]) -> None:
    """Try the changes with these numbers, after a run of the unchanged module that must pass."""
    path = Path(job["module"])
    before = path.read_text(encoding="utf-8")
    began = time.monotonic()
    if in_child(lambda: fresh(job, order, before), 3600) != 0:
        say({"error": "the tests fail on the unchanged module, freshly imported"})
        return
    limit_s = 30 + 5 * (time.monotonic() - began)
    for number in numbers:
        source = job["mutants"][number]["source"]
        code = in_child(lambda source=source: fresh(job, order, source), limit_s)
        say({"number": number, "outcome": SURVIVED if code == 0 else KILLED})


def main(job_path: str, out_path: str) -> int:
    """Run the job; the checkout's copy is the working directory."""
    sys.path.insert(0, str(Path.cwd()))
    job = json.loads(Path(job_path).read_text(encoding="utf-8"))
    for name in PRELOADED:
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
            pytest.main([*OPTIONS, *job["tests"]], plugins=[Live(job, say)])
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
