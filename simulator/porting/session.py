"""Run the checks of the porting checklist on a board: send the maker's modules, then one step after the other.

Rules:
1. Nothing is written to the board's own file system. The modules live in a file system in RAM below /fb, which is first
   in sys.path: the newest files of the folder are checked, also if the firmware has older ones frozen.
2. A board whose firmware has no `device/` gets the modules that are imported, too. They take RAM.
3. After a step that arms the watchdog the board is restarted, if waiting at its prompt does not feed the watchdog.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from simulator.porting import checklist
from simulator.porting.checklist import Check
from simulator.porting.errors import BoardError, FolderError, NoAnswerError, RestartedError
from simulator.porting.modules import board_modules, imported_files
from simulator.porting.prompt import Prompt
from simulator.porting.targets import Target

PASSED, MISSING, FAILED, ABSENT, SKIPPED = "passed", "missing", "failed", "absent", "skipped"
STATES: Final = (PASSED, MISSING, FAILED, ABSENT, SKIPPED)
_ARMS: Final = ("boot", "watchdog", "facts", "button", "start")
_ENTER_S: Final = 60.0
_CHECK_S: Final = 120.0
_RESTART_S: Final = 45.0
_SHORT_S: Final = 30.0
_PIECE: Final = 1024
_MARK: Final = "FIRSTBOOT "

_IMPORT: Final = """
try:
    import port
except ImportError as error:
    print(error)
except Exception:
    pass  # the first check shows it
"""
_SETUP: Final = """
import errno, io, sys, vfs
if "/fb" in sys.path:
    sys.path.remove("/fb")
    vfs.umount("/fb")
class FbFiles:
    files = {}
    def mount(self, is_readonly, make): pass
    def umount(self): pass
    def stat(self, path):
        name = path[1:]
        if name in self.files:
            return (0x8000, 0, 0, 0, 0, 0, len(self.files[name]), 0, 0, 0)
        if any([one.startswith(name + "/") for one in self.files]):
            return (0x4000, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        raise OSError(errno.ENOENT)
    def open(self, path, mode):
        if path[1:] not in self.files:
            raise OSError(errno.ENOENT)
        return io.BytesIO(self.files[path[1:]])
fb_files = FbFiles()
vfs.mount(fb_files, "/fb")
sys.path.insert(0, "/fb")
def fb_run(module, name, bench):
    import port
    try:
        getattr(__import__("fb_" + module), name)(port, bench)
        print("FIRSTBOOT passed")
    except NotImplementedError as error:
        print("FIRSTBOOT missing", error)
    except BaseException as error:
        kind = type(error).__name__
        if kind == "AbsentError":
            print("FIRSTBOOT absent", error)
        elif kind == "UnmetError":
            print("FIRSTBOOT failed", error)
        else:
            sys.print_exception(error)
            print("FIRSTBOOT failed", kind, error)
"""


@dataclass(frozen=True)
class Result:
    """The result of a check: one of STATES, and a sentence if there is more to say."""

    check: Check
    state: str
    detail: str = ""

    def document(self) -> dict[str, Any]:
        """Return the result as JSON can express it."""
        return {
            "step": self.check.step.number,
            "name": self.check.step.module,
            "title": self.check.step.title,
            "check": self.check.sentence,
            "state": self.state,
            "detail": self.detail,
            "page": self.check.step.page,
        }


class Session:
    """The checks of one folder on one board. Use it in a `with` block. Raises FolderError, BoardError."""

    def __init__(self, target: Target, folder: Path) -> None:
        self._target = target
        self._modules = board_modules(folder)
        self._prompt: Prompt | None = None
        self._loaded = ""
        self._bench: dict[str, Any] = {}

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._target.close()

    def run(self, check: Check) -> Result:
        """Return the result of one check. Raises BoardError if the board has no prompt."""
        reason = self._target.lack(check.need)
        if reason:
            return Result(check, SKIPPED, reason)
        if check.look and not self._target.sees:
            return Result(check, SKIPPED, "nobody looks: --hand asks you at the terminal")
        self._ready(check)
        result = self._judged(check, check.function)
        if check.after and result.state == PASSED:
            if self._prompt is not None:  # else the check restarted the board, and its reason must stay
                self._again()
            self._ready(check)
            result = self._judged(check, check.after)
        elif check.look and result.state == PASSED and not self._target.looks(check.look):
            result = Result(check, FAILED, f"it is not so: {check.look}")
        if check.step.module in _ARMS and not self._target.feeds_at_prompt:
            self._again()
        return result

    def _again(self) -> None:
        """Restart the board; the next check opens the prompt again."""
        self._target.restart()
        self._prompt, self._loaded = None, ""

    def _ready(self, check: Check) -> None:
        if self._prompt is None:
            self._prompt = self._target.prompt()
            self._prompt.enter(_ENTER_S)
            self._prompt.run(_SETUP, _SHORT_S)
            self._forget([name.removesuffix(".py") for name in self._modules])
            self._send(self._modules)
        if self._loaded != check.step.module:
            self._load(check.step.module)

    def _load(self, module: str) -> None:
        files = {"fb_expect.py": "expect.py", f"fb_{module}.py": f"{module}.py"}
        sources = {
            name: (checklist.folder() / file).read_text().replace("device.boards.checklist.", "fb_")
            for name, file in files.items()
        }
        self._forget(["fb_expect", *(f"fb_{name}" for name in checklist.MODULES)])
        if self._run("try:\n import device.errors\nexcept ImportError: print('none')").strip():
            self._send(imported_files([*self._modules.values(), *sources.values()]))
        self._send(sources)
        self._require_imports()
        self._loaded = module

    def _require_imports(self) -> None:
        """Raise FolderError if port.py imports a module that the board's firmware lacks: every check would fail."""
        missing = self._run(_IMPORT).strip()
        if missing:
            raise FolderError(
                f"port.py cannot be imported on this board ({missing}): its folder is for a board with other firmware,"
                " or a module is missing in it."
            )

    def _forget(self, names: list[str]) -> None:
        """Let the next import read the modules again; the firmware may have imported older ones."""
        self._run(f"for name in {names!r}:\n sys.modules.pop(name, None)\nimport gc\ngc.collect()")

    def _send(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            data = text.encode()
            self._run(f"fb_files.files[{name!r}] = b''")
            for at in range(0, len(data), _PIECE):
                self._run(f"fb_files.files[{name!r}] += {data[at : at + _PIECE]!r}")

    def _run(self, code: str) -> str:
        if self._prompt is None:
            raise BoardError("the board has no prompt")
        return self._prompt.run(code, _SHORT_S)

    def _judged(self, check: Check, function: str) -> Result:
        assert self._prompt is not None  # noqa: S101 - _ready opened it
        bench = {**self._target.bench(check.need), **self._bench}
        code = f"fb_run({check.step.module!r}, {function!r}, {bench!r})"
        self._bench = {}
        heard: list[str] = []

        def on_line(line: str) -> None:
            heard.append(line)
            word, _, rest = line.partition(" ")
            if word == "ASK":
                self._target.act(rest)
            elif word == "KEEP":
                self._bench["kept"] = rest

        limit_s = _RESTART_S if check.step.module == "watchdog" else _CHECK_S
        try:
            self._prompt.run(code, limit_s, on_line)
        except (RestartedError, NoAnswerError) as error:
            return self._unanswered(check, function, heard, str(error))
        except BoardError as error:
            if "RESTARTS" in heard:  # the line went away with the board
                return self._unanswered(check, function, heard, str(error))
            return Result(check, FAILED, str(error).splitlines()[-1])
        return _result(check, heard)

    def _unanswered(self, check: Check, function: str, heard: list[str], why: str) -> Result:
        """Return the result of a check whose board restarted or is silent: some checks expect it."""
        self._prompt, self._loaded = None, ""
        if "RESTARTS" in heard and function != check.after:
            return Result(check, PASSED)
        return Result(check, FAILED, why)


def _result(check: Check, heard: list[str]) -> Result:
    for line in heard:
        if line.startswith(_MARK):
            state, _, detail = line.removeprefix(_MARK).partition(" ")
            return Result(check, state, detail.strip())
    return Result(check, FAILED, "the check ended without a result: " + " / ".join(heard[-3:]))


@contextlib.contextmanager
def opened(target: Target, folder: Path) -> Iterator[Session]:
    """Yield a session; the target is closed at the end. Raises FolderError, BoardError."""
    if not folder.is_dir():
        target.close()
        raise FolderError(f"{folder} is not a folder.")
    try:
        session = Session(target, folder)
    except BaseException:
        target.close()
        raise
    with session:
        yield session
