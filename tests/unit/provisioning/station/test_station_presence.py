"""The board on a port: a slow board is not a missing one, however often the line checks. Virtual time, no threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from provisioning.station.presence import Presence, Verdict

TICK_S = 0.01


@dataclass
class Bench:
    """A port in virtual time. `latency(n)`: seconds to the answer of question n, None for a lost one."""

    latency: Callable[[int], float | None]
    presence: Presence = field(default_factory=lambda: Presence(poll_s=0.01, probe_s=0.05, misses=3))
    now: float = 0.0
    asked: list[float] = field(default_factory=list)
    coming: list[tuple[float, int]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    taken_back: int = 0
    asked_in_vain: int = 0

    def run(self, seconds: float) -> Bench:
        until = self.now + seconds
        while self.now < until:
            if self.presence.is_due(self.now):
                assert not self.presence.is_open  # rule 1: never a second question while one is open
                self._ask()
            for at, number in [one for one in self.coming if one[0] <= self.now]:
                self.coming.remove((at, number))
                self.asked_in_vain = 0
                self.taken_back += self.presence.answered(number, self.now) is True
            if not self.verdicts or self.verdicts[-1] is not self.presence.verdict:
                self.verdicts.append(self.presence.verdict)
            self.now += TICK_S
        return self

    def _ask(self) -> None:
        number = len(self.asked)
        self.asked_in_vain += 1
        self.asked.append(self.now)
        self.presence.asked(number, self.now)
        if (wait_s := self.latency(number)) is not None:
            self.coming.append((self.now + wait_s, number))


def test_a_board_that_answers_is_there() -> None:
    assert Bench(lambda n: 0.01).run(1).verdicts == [Verdict.PROBING, Verdict.PRESENT]


def test_a_board_that_takes_far_longer_than_the_line_looks_is_never_missing() -> None:
    bench = Bench(lambda n: 0.12).run(60)  # more than twice what the first question waits
    assert bench.verdicts == [Verdict.PROBING, Verdict.PRESENT]


def test_a_board_that_becomes_slow_at_once_is_not_missing_for_it() -> None:
    bench = Bench(lambda n: 0.01 if n < 20 else 0.3).run(60)
    assert bench.verdicts == [Verdict.PROBING, Verdict.PRESENT]


def test_a_slow_board_is_asked_a_fifth_of_its_time_at_most() -> None:
    bench = Bench(lambda n: 0.5).run(100)
    assert len(bench.asked) <= 45  # 0.5 s of answer, 2 s of rest, and the first few before it was known


def test_a_lost_answer_or_two_change_nothing() -> None:
    bench = Bench(lambda n: None if n % 4 in (1, 2) else 0.01).run(30)
    assert bench.verdicts == [Verdict.PROBING, Verdict.PRESENT]


def test_a_board_that_was_taken_away_is_missed_after_three_questions() -> None:
    bench = Bench(lambda n: 0.01 if n < 10 else None).run(20)
    assert bench.verdicts == [Verdict.PROBING, Verdict.PRESENT, Verdict.ABSENT]


def test_the_absence_is_noticed_within_seconds_at_the_lines_own_timing() -> None:
    bench = Bench(lambda n: 0.02 if n < 10 else None, Presence(poll_s=0.5, probe_s=1.0, misses=3)).run(5)
    gone_s = bench.now
    while bench.presence.verdict is Verdict.PRESENT:
        gone_s = bench.run(TICK_S).now
    assert gone_s < 5 + 6


def test_an_answer_from_before_the_absence_takes_it_back() -> None:
    bench = Bench(lambda n: 0.01 if n < 10 else 4.0).run(30)  # from here on every answer takes four seconds
    assert bench.verdicts[:4] == [Verdict.PROBING, Verdict.PRESENT, Verdict.ABSENT, Verdict.PRESENT]
    assert bench.taken_back == 1


def test_after_one_late_answer_the_line_has_learnt_how_slow_the_board_is() -> None:
    bench = Bench(lambda n: 0.01 if n < 10 else 4.0).run(600)
    assert bench.verdicts.count(Verdict.ABSENT) == 1


def test_a_board_that_comes_back_is_a_new_one_and_no_late_answer() -> None:
    bench = Bench(lambda n: None if 10 <= n < 20 else 0.01).run(60)
    assert bench.verdicts[-2:] == [Verdict.ABSENT, Verdict.PRESENT] and bench.taken_back == 0


def test_an_empty_place_is_looked_at_every_two_seconds() -> None:
    bench = Bench(lambda n: None).run(60)
    rests = [later - earlier for earlier, later in zip(bench.asked, bench.asked[1:], strict=False)]
    assert max(rests) <= 2.0 + 2 * TICK_S and len(bench.asked) <= 40


def test_an_answer_that_was_never_asked_for_says_nothing() -> None:
    presence = Presence(0.01, 0.05, 3)
    presence.asked(1, 0.0)
    assert presence.answered(7, 0.01) is None and presence.verdict is Verdict.PROBING


def test_after_a_run_old_answers_are_ignored_and_the_pace_is_kept() -> None:
    bench = Bench(lambda n: 0.5).run(20)
    asked = len(bench.asked)
    bench.coming.clear()
    bench.presence.begin_anew()
    assert bench.presence.answered(asked - 1, bench.now) is None
    bench.verdicts.clear()
    assert bench.run(60).verdicts == [Verdict.PROBING, Verdict.PRESENT]


@given(st.lists(st.one_of(st.none(), st.floats(0.0, 3.0)), min_size=1, max_size=40))
def test_a_board_counts_as_gone_only_after_three_questions_without_an_answer(
    latencies: list[float | None],
) -> None:
    bench = Bench(lambda n: latencies[n % len(latencies)])
    while bench.now < 20:
        before = bench.presence.verdict
        bench.run(TICK_S)
        if before is Verdict.PRESENT and bench.presence.verdict is Verdict.ABSENT:
            assert bench.asked_in_vain >= 3
