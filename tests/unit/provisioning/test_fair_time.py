"""Time limits on a busy machine."""

import socket
import threading
from pathlib import Path

import pytest

from provisioning import fair_time


class Moments:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.at_s = 100.0

    def __call__(self) -> float:
        return self.at_s


def test_a_second_of_an_idle_machine_is_a_second() -> None:
    moments = Moments()
    clock = fair_time.FairClock(lambda: 1.0, moments)
    began = clock.now()
    moments.at_s += 4
    assert clock.now() - began == pytest.approx(4)


def test_a_second_counts_a_tenth_if_a_program_gets_a_tenth() -> None:
    moments = Moments()
    clock = fair_time.FairClock(lambda: 0.1, moments)
    began = clock.now()
    moments.at_s += 5
    assert clock.now() - began == pytest.approx(0.5)


def test_a_machine_that_stood_still_ends_no_wait() -> None:
    moments = Moments()
    clock = fair_time.FairClock(lambda: 1.0, moments)
    began = clock.now()
    moments.at_s += 3600
    assert clock.now() - began == pytest.approx(fair_time.GAP_MOST_S)


@pytest.mark.parametrize(
    ("load", "processors", "expected"),
    [
        ("0.10 0.20 0.30 1/300 1234", 2, 1.0),
        ("9.00 2.00 1.00 22/300 1234", 2, 2 / 22),
        ("0.10 0.20 0.30 0/300 1234", 2, 1.0),
        ("", 2, 1.0),
        ("0.10 0.20 0.30 many/300 1234", 2, 1.0),
    ],
)
def test_the_share_is_processors_by_programs_that_want_to_run(
    load: str, processors: int, expected: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "loadavg"
    path.write_text(load)
    monkeypatch.setattr(fair_time, "_LOAD", path)
    monkeypatch.setattr(fair_time, "_processors", lambda: processors)
    monkeypatch.setattr(fair_time, "_steal", fair_time.Steal(tmp_path / "none"))
    assert fair_time.share() == pytest.approx(expected)


def test_a_system_without_the_file_counts_whole_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fair_time, "_LOAD", tmp_path / "none")
    assert fair_time.share() == 1.0


def test_waiting_for_an_event_ends_with_it_or_with_the_limit() -> None:
    event = threading.Event()
    assert not fair_time.wait(event, 0.01)
    event.set()
    assert fair_time.wait(event, 60)


def test_waiting_for_a_condition_ends_with_it_or_with_the_limit() -> None:
    condition = threading.Condition()
    with condition:
        assert not fair_time.wait_for(condition, lambda: False, 0.01)
        assert fair_time.wait_for(condition, lambda: True, 60)


def test_a_limit_of_one_wait_is_longer_on_a_busy_machine_and_stays_bounded() -> None:
    assert fair_time.stretched(20, lambda: 1.0) == 20
    assert fair_time.stretched(20, lambda: 0.25) == 80
    assert fair_time.stretched(20, lambda: 0.001) == 20 * fair_time.STRETCH_MOST


def stat_line(busy: int, idle: int, steal: int) -> str:
    return f"cpu  {busy} 0 0 {idle} 0 0 0 {steal} 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n"


def test_what_the_host_keeps_for_other_guests_shortens_a_second(tmp_path: Path) -> None:
    path = tmp_path / "stat"
    steal = fair_time.Steal(path)
    path.write_text(stat_line(1000, 5000, 100))
    assert steal.left() == 1.0, "nothing is known before the second look"
    path.write_text(stat_line(1025, 5100, 175))
    assert steal.left() == pytest.approx(0.25)
    path.write_text(stat_line(1026, 5100, 175))
    assert steal.left() == pytest.approx(0.25), "one tick says too little"
    path.write_text(stat_line(1026, 9000, 175))
    assert steal.left() == 1.0


@pytest.mark.parametrize("text", ["", "cpu 1 2\n", "cpu a b c d e f g h\n"])
def test_a_system_that_tells_no_steal_counts_whole_seconds(tmp_path: Path, text: str) -> None:
    path = tmp_path / "stat"
    path.write_text(text)
    assert fair_time.Steal(path).left() == 1.0
    assert fair_time.Steal(tmp_path / "none").left() == 1.0


def test_a_call_that_timed_out_is_made_again_until_the_limit() -> None:
    tries = []

    def late() -> str:
        tries.append(1)
        if len(tries) < 4:
            raise TimeoutError
        return "done"

    assert fair_time.patiently(late, 60) == "done"
    with pytest.raises(TimeoutError):
        fair_time.patiently(lambda: (_ for _ in ()).throw(TimeoutError()), 0)


def test_a_socket_is_read_when_it_has_something_or_has_ended() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with pytest.raises(TimeoutError):
            fair_time.receive(ours, 10, 0.01)
        theirs.sendall(b"abc")
        assert fair_time.receive(ours, 10, 60) == b"abc"
        theirs.shutdown(socket.SHUT_WR)
        assert fair_time.receive(ours, 10, 60) == b""
