"""Renode's monitor on a pipe: it takes commands, returns their output, and raises errors as exceptions.

With `--console` Renode ends when its standard input ends, so it never outlives the process that started it.
"""

from __future__ import annotations

import re
import subprocess
import threading
from typing import IO, Final

from provisioning import fair_time
from renode.errors import EmulatorError

_OUTPUT_MAX_CHARS: Final = 1024 * 1024
_LAST_OUTPUT_CHARS: Final = 500
_LAST_OUTPUT_S: Final = 5.0
_ERROR: Final = re.compile(
    r"There was an error|Could not|Parameters did not match|No such (?:command|file)|error E\d+|"
    r"(?i:errors? during compilation|compilation errors?)"
)
_COMPILE_ERROR: Final = re.compile(r"^.*\berror CS\d+\b.*$", re.MULTILINE)
_QUOTED_ERRORS: Final = 3
_LOG_LINE: Final = re.compile(r"^[\d:.]+ \[(?:NOISY|DEBUG|INFO|WARNING)\].*$", re.MULTILINE)


class Monitor:
    """One running Renode. Methods raise EmulatorError if it ended, refused a command, or does not answer in time."""

    def __init__(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        self._process = process
        self._log = log
        self._changed = threading.Condition()
        self._output = ""  # since the last command
        self._last_output = ""  # of all commands: quoted if Renode ends
        self._is_ended = False
        self._count = 0
        self._reader = threading.Thread(target=self._read, name="monitor", daemon=True)
        self._reader.start()

    def execute(self, command: str, timeout_s: float) -> str:
        """Run one monitor command and return what it printed."""
        self._count += 1
        marker = f"firstboot-{self._count}-done"
        with self._changed:
            self._output = ""
        self._write(f'{command}\necho "{marker}"\n')
        output = self._wait(re.compile(rf"^{marker}\s*$", re.MULTILINE), command, timeout_s)
        _check(command, output)
        return output

    def close(self, timeout_s: float) -> None:
        """Close Renode's input, which ends a Renode that still runs, and let the reader take the rest."""
        if self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except OSError:
                pass  # the process that would read the buffered bytes has ended
        self._reader.join(timeout_s)

    def _write(self, text: str) -> None:
        assert self._process.stdin is not None  # noqa: S101 (started with a pipe)
        try:
            self._process.stdin.write(text.encode())
            self._process.stdin.flush()
        except OSError:
            # The pipe breaks before the reader has taken the last output.
            with self._changed:
                self._changed.wait_for(lambda: self._is_ended, _LAST_OUTPUT_S)
                raise EmulatorError(f"Renode has ended: {self._last_output.strip()}") from None

    def _wait(self, marker: re.Pattern[str], command: str, timeout_s: float) -> str:
        with self._changed:
            is_there = fair_time.wait_for(
                self._changed, lambda: self._is_ended or marker.search(self._output) is not None, timeout_s
            )
            match = marker.search(self._output)
            if match is None:
                why = "ended during" if is_there else "did not answer to"
                raise EmulatorError(f"Renode {why} {command!r}: {self._last_output.strip()}")
            return self._output[: match.start()]

    def _read(self) -> None:
        stdout = self._process.stdout
        while stdout is not None:
            data = stdout.read1(65536) if hasattr(stdout, "read1") else stdout.read(1)
            if not data:
                break
            self._log.write(data)
            self._log.flush()
            text = data.decode("utf-8", "replace").replace("\r", "")
            with self._changed:
                self._output = (self._output + text)[-_OUTPUT_MAX_CHARS:]
                self._last_output = (self._last_output + text)[-_LAST_OUTPUT_CHARS:]
                self._changed.notify_all()
        with self._changed:
            self._is_ended = True
            self._changed.notify_all()


def _check(command: str, output: str) -> None:
    """Raise EmulatorError if the output of a command reports an error. A compiler's error lines are quoted first."""
    found = _COMPILE_ERROR.findall(output)
    if found:
        quoted = "; ".join(line.strip() for line in found[:_QUOTED_ERRORS])
        raise EmulatorError(
            f"This version of Renode could not compile a peripheral of Firstboot in {command!r}: {quoted}"
        )
    if _ERROR.search(_LOG_LINE.sub("", output)):  # warnings of the emulation are left out
        raise EmulatorError(f"Renode refused {command!r}: {output.strip()[-_LAST_OUTPUT_CHARS:]}")
