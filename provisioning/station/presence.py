"""Detect which board is on a port with questions that tolerate a slow board.

Pure: events and times come from the caller.

Rules:
1. One question is open at a time. It is not repeated while its answer may still come.
2. A question without an answer is a miss; the next one has twice the time, up to a bound. The waiting time grows with
   the answers seen: a slow board is given longer.
3. A board counts as removed after `misses` misses in a row, never before.
4. A late answer counts. If it answers a question from before the board counted as removed, that verdict is withdrawn.
5. Questions take at most a fifth of a board's time, however fast the line looks.

Times are seconds of any monotonic clock.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

REMEMBERED: Final = 16  # questions whose late answers are recognised
# multiples of the measured answer time: waiting time (rule 2) and rest between questions (rule 5)
SLOWER: Final = 4
# rest without a board: a new board waits no longer than this for the next question
MOST_PATIENCE_S: Final = 2.0


class Verdict(StrEnum):
    """The result of the questions to a port."""

    PROBING = "probing"  # asked; nothing is decided yet
    PRESENT = "present"
    ABSENT = "absent"


class Presence:
    """One port between two runs. `poll_s`: rest between questions; `probe_s`: waiting time of the first one."""

    def __init__(self, poll_s: float, probe_s: float, misses: int) -> None:
        self.verdict = Verdict.PROBING
        self._poll_s = poll_s
        self._probe_s = probe_s
        self._most_misses = misses
        self._missed = 0
        self._slowest_s = 0.0  # duration of answers, as a fading average
        self._asked: dict[int, float] = {}  # question number -> when it was sent
        self._open: int | None = None
        self._until = 0.0  # when the open question becomes a miss, or when the next one is due
        self._before_absence: frozenset[int] = frozenset()

    def begin_anew(self) -> None:
        """Forget earlier questions after a run, but keep the measured answer time."""
        self.verdict, self._missed, self._open, self._until = Verdict.PROBING, 0, None, 0.0
        self._asked.clear()
        self._before_absence = frozenset()

    @property
    def is_open(self) -> bool:
        """Return whether a question is open."""
        return self._open is not None

    def wait_s(self, now: float) -> float:
        """Return the seconds until something is due."""
        return max(self._until - now, 0.0)

    def is_due(self, now: float) -> bool:
        """Return whether to ask now. An open question whose time is up becomes a miss."""
        if now < self._until:
            return False
        if self._open is not None:
            self._open = None
            self._missed += 1
            if self._missed >= self._most_misses and self.verdict is not Verdict.ABSENT:
                self.verdict = Verdict.ABSENT
                self._before_absence = frozenset(self._asked)
        return True

    def asked(self, number: int, now: float) -> None:
        """Note that a question was sent. `number` identifies its answer."""
        self._open = number
        self._asked[number] = now
        while len(self._asked) > REMEMBERED:
            self._asked.pop(next(iter(self._asked)))
        self._until = now + self._patience_s()

    def answered(self, number: int, now: float) -> bool | None:
        """Note an answer. Return True if it withdraws an absence (rule 4), None if it answers none of our questions."""
        sent = self._asked.pop(number, None)
        if sent is None:
            return None
        took = now - sent
        self._slowest_s = max(took, (3 * self._slowest_s + took) / 4)
        is_taken_back = self.verdict is Verdict.ABSENT and number in self._before_absence
        self.verdict, self._missed = Verdict.PRESENT, 0
        if self._open is None or number == self._open:
            self._open = None
            self._until = now + max(self._poll_s, SLOWER * took)
        else:  # the board is slow: its answer to the newer question is on its way too
            self._until = now + self._patience_s()
        return is_taken_back

    def _patience_s(self) -> float:
        base = max(self._probe_s, SLOWER * self._slowest_s)
        longest = max(MOST_PATIENCE_S, base)
        return min(base * 2.0 ** min(self._missed, 16), longest)
