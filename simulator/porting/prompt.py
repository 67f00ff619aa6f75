"""Run code at a raw prompt of MicroPython (Ctrl-A), as mpremote does, on any line."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final

from provisioning import fair_time
from simulator.porting.errors import BoardError, NoAnswerError, RestartedError
from simulator.porting.lines import Line

_INTERRUPT, _RAW, _RUN = b"\x03", b"\x01", b"\x04"
_READY: Final = b"raw REPL; CTRL-B to exit"
_PIECE_BYTES: Final = 256  # the raw prompt has no flow control, so a slow board gets small pieces
_TRY_S: Final = 2.0
_LOOK_S: Final = 0.1
_SEEN_BYTES: Final = 1 << 18  # a board that never stops printing fills no memory here

OnLine = Callable[[str], None]


class Prompt:
    """A raw prompt. `pause_s`: rest between two pieces of code. `restarted`: what a board prints when it starts."""

    def __init__(self, line: Line, *, pause_s: float = 0.0, restarted: str = "") -> None:
        self._line = line
        self._pause_s = pause_s
        self._restarted = re.compile(restarted) if restarted else None

    def enter(self, timeout_s: float) -> None:
        """Stop what runs and open the raw prompt. Raises NoAnswerError, BoardError."""
        end_s = fair_time.now() + timeout_s
        seen = b""
        while fair_time.now() < end_s:
            self._line.write(b"\r" + _INTERRUPT + _INTERRUPT + _RAW)
            heard = self._until(lambda text: _READY in text and text.rstrip().endswith(b">"), _TRY_S)
            if _READY in heard and heard.rstrip().endswith(b">"):
                return
            seen = heard or seen
        raise NoAnswerError(
            f"No prompt came in {timeout_s:g} s. The board needs a build with an open console. It printed last: "
            + (seen[-200:].decode("utf-8", "replace").strip() or "nothing")
        )

    def run(self, code: str, timeout_s: float, on_line: OnLine | None = None) -> str:
        """Return what `code` printed. `on_line` gets each whole line at once.

        Raises NoAnswerError, RestartedError, BoardError (the line is gone, or the code raised: text of the traceback).
        """
        self._send(code.encode())
        lines = _Lines(on_line)
        answer = self._until(lambda text: self._is_done(text, lines), timeout_s)
        if self._restarted is not None and self._restarted.search(answer.decode("utf-8", "replace")):
            raise RestartedError("the board restarted")
        parts = answer.partition(b"OK")[2].split(b"\x04")
        if len(parts) < 3:
            raise NoAnswerError(f"no answer in {timeout_s:g} s")
        output, error = (part.decode("utf-8", "replace").replace("\r", "") for part in parts[:2])
        if error.strip():
            raise BoardError(error.strip())
        return output

    def _send(self, data: bytes) -> None:
        if not self._pause_s:
            self._line.write(data + _RUN)
            return
        for at in range(0, len(data), _PIECE_BYTES):
            self._line.write(data[at : at + _PIECE_BYTES])
            time.sleep(self._pause_s)
        self._line.write(_RUN)

    def _is_done(self, answer: bytes, lines: _Lines) -> bool:
        lines.take(answer)
        if self._restarted is not None and self._restarted.search(answer.decode("utf-8", "replace")):
            return True
        return answer.partition(b"OK")[2].count(b"\x04") >= 2 and answer.rstrip().endswith(b">")

    def _until(self, is_done: Callable[[bytes], bool], timeout_s: float) -> bytes:
        """Return what was read until `is_done(all of it)` or the end of the time."""
        end_s = fair_time.now() + timeout_s
        seen = b""
        while fair_time.now() < end_s:
            data = self._line.read(_LOOK_S)
            if data:
                seen = (seen + data)[-_SEEN_BYTES:]
                if is_done(seen):
                    break
        return seen


class _Lines:
    """Pass on each whole line of a growing answer once."""

    def __init__(self, on_line: OnLine | None) -> None:
        self._on_line = on_line
        self._count = 0

    def take(self, answer: bytes) -> None:
        if self._on_line is None:
            return
        whole = answer.partition(b"OK")[2].split(b"\n")[:-1]
        for line in whole[self._count :]:
            self._on_line(line.decode("utf-8", "replace").strip())
        self._count = max(self._count, len(whole))
