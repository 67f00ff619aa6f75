"""The time for which an idle recorded board is held."""

from __future__ import annotations

from renode.pace import AHEAD_MS, Pace


class Host:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def paced() -> tuple[Pace, Host]:
    host = Host()
    pace = Pace(host)
    assert pace.hold_s(0, 0) == 0
    return pace, host


def test_a_guest_that_only_works_is_never_held() -> None:
    pace, _ = paced()
    assert [pace.hold_s(ms, ms * 1_000_000) for ms in (100, 5_000, 60_000)] == [0, 0, 0]


def test_idle_time_beyond_the_credit_is_waited_for() -> None:
    pace, host = paced()
    assert round(pace.hold_s(20, 0), 6) == round((20 - AHEAD_MS) / 1000, 6)
    host.now_s += 0.010
    assert round(pace.hold_s(20, 0), 6) == round((10 - AHEAD_MS) / 1000, 6)
    host.now_s += 0.010
    assert pace.hold_s(20, 0) == 0


def test_a_long_wait_of_the_host_gives_no_credit_for_later() -> None:
    pace, host = paced()
    host.now_s += 3600
    assert round(pace.hold_s(20, 0), 6) == round((20 - AHEAD_MS) / 1000, 6)


def test_a_restart_of_the_guests_clock_is_no_idle_time() -> None:
    pace, _ = paced()
    assert pace.hold_s(None, 5_000_000) == 0
    assert pace.hold_s(3, 5_000_000) == 0
