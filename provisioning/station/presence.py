"""Who is on a port, by questions that a slow board survives. No stream, no clock: events and times come from outside.

Rules:
1. One question is open at a time. It is not repeated while its answer may still come.
2. A question that stays unanswered is a miss; the next one has twice the time, up to a bound. Patience grows with the
   answers that were seen: a board that takes long is given longer.
3. A board is taken away after `misses` misses in a row, never before.
4. A late answer counts. One to a question from before the board was taken for gone takes that verdict back.
5. A board is asked during a fifth of its time at most, however fast the line looks.

Times are seconds of any monotonic clock.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

REMEMBERED: Final = 16  # questions whose late answers are known
SLOWER: Final = 4  # times the answer that was seen: patience (rule 2) and rest between questions (rule 5)
MOST_PATIENCE_S: Final = 2.0  # without a board: who puts one on waits no longer for the next question


class Verdict(StrEnum):
    """What is known of a port."""

    PROBING = "probing"  # asked, and nothing is decided yet
    PRESENT = "present"
    ABSENT = "absent"


class Presence:
    """One port between two runs. `poll_s`: rest between questions; `probe_s`: patience with the first one."""

    def __init__(self, poll_s: float, probe_s: float, misses: int) -> None:
        self.verdict = Verdict.PROBING
        self._poll_s = poll_s
        self._probe_s = probe_s
        self._most_misses = misses
        self._missed = 0
        self._slowest_s = 0.0  # how long answers take, fading
        self._asked: dict[int, float] = {}  # when which question was sent
        self._open: int | None = None
        self._until = 0.0  # the open question is a miss from here on, or the next one is due
        self._before_absence: frozenset[int] = frozenset()

    def begin_anew(self) -> None:
        """Behind a run: what was asked before is forgotten, how slow the board is is not."""
        self.verdict, self._missed, self._open, self._until = Verdict.PROBING, 0, None, 0.0
        self._asked.clear()
        self._before_absence = frozenset()

    @property
    def is_open(self) -> bool:
        """Whether an answer is waited for."""
        return self._open is not None

    def wait_s(self, now: float) -> float:
        """How long nothing is due."""
        return max(self._until - now, 0.0)

    def is_due(self, now: float) -> bool:
        """Whether to ask now; an open question whose time is up becomes a miss."""
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
        """A question was sent; `number` tells its answer from others."""
        self._open = number
        self._asked[number] = now
        while len(self._asked) > REMEMBERED:
            self._asked.pop(next(iter(self._asked)))
        self._until = now + self._patience_s()

    def answered(self, number: int, now: float) -> bool | None:
        """An answer came: True where it takes an absence back (rule 4), None where it answers no question of ours."""
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
