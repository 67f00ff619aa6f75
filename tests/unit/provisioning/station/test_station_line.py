"""Many ports at once: boards that come and go, a start by scan, views for a page, and limits of a port."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import LinkError
from provisioning import fair_time
from provisioning.station import labels, steps, steps_identity, steps_lock
from provisioning.station.advice import advice
from provisioning.station.line import Line, PortView, Timing
from provisioning.station.phases import Outcome, PhaseResult
from provisioning.station.port_state import PortEvent, PortState, step
from provisioning.station.ports import AddressPort, CallPort, finder_of, fixed, open_address, open_serial
from tests import patience
from tests.unit.provisioning.station.station_bench import Bench, MemoryUnit

QUICK = Timing(poll_s=0.01, probe_s=0.1, misses=2)


class Socket:
    """A place on the bench: a board may be in it, its answers may stick, or the whole place may be unplugged."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.unit: MemoryUnit | None = None
        self.is_plugged = True
        self.is_stuck = False

    def open(self) -> Socket.Stream:
        if not self.is_plugged:
            raise LinkError(reason="no such device")
        return Socket.Stream(self)

    class Stream:
        def __init__(self, place: Socket) -> None:
            self._place = place
            self._unit: MemoryUnit | None = None
            self._inner = None

        def _now(self):  # type: ignore[no-untyped-def]
            if not self._place.is_plugged:
                raise LinkError(reason="device gone")
            if self._place.unit is not self._unit:
                self._unit = self._place.unit
                self._inner = None if self._unit is None else self._unit.stream()
            return self._inner

        def write(self, data: bytes) -> None:
            inner = self._now()
            if inner is not None:
                inner.write(data)

        def read(self, timeout_s: float) -> bytes:
            inner = self._now()
            return b"" if inner is None or self._place.is_stuck else inner.read(timeout_s)

        def close(self) -> None: ...


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    def write(label: labels.Label, path: Path) -> bytes:
        path.parent.mkdir(exist_ok=True)
        path.write_text(label.qr_text)
        return b""

    monkeypatch.setattr(labels, "print_label", write)
    monkeypatch.setattr(labels, "read_back", lambda label, path: "plain")
    return Bench(tmp_path)


@contextlib.contextmanager
def running(bench: Bench, places: list[Socket], **options: object) -> Iterator[Line]:
    line = Line(bench.station(timeout_s=10.0), fixed(places), timing=QUICK, **options)  # type: ignore[arg-type]
    with line:
        yield line


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread. The limit only ends a test that hangs."""
    patience.until("what another thread does", condition, 240)


def state(line: Line, name: str) -> PortState:
    return next(view.state for view in line.views() if view.name == name)


def all_are(line: Line, count: int, wanted: PortState) -> Callable[[], bool]:
    return lambda: [view.state for view in line.views()] == [wanted] * count


def test_every_port_provisions_its_board_and_shows_it(bench: Bench) -> None:
    places = [Socket(f"p{number}") for number in range(4)]
    for place in places:
        place.unit = MemoryUnit()
    with running(bench, places) as line:
        until(all_are(line, 4, PortState.PASSED))
        views = line.views()
    assert {view.serial for view in views} == {f"FB1-{number:06d}" for number in range(1, 5)}
    assert [view.phases_done for view in views] == [view.phases for view in views]
    assert line.totals().passed == 4 and line.totals().yield_percent == 100
    assert bench.registry.verify_chain() == 4


def test_ports_stand_in_the_order_that_people_count_in(bench: Bench) -> None:
    places = [Socket(name) for name in ("port 10", "port 2", "rack b", "port 1", "rack a3")]
    with running(bench, places) as line:
        until(all_are(line, 5, PortState.EMPTY))
        assert [view.name for view in line.views()] == ["port 1", "port 2", "port 10", "rack a3", "rack b"]


def test_a_board_runs_once_however_long_it_stays(bench: Bench) -> None:
    place = Socket("p")
    place.unit = MemoryUnit()
    with running(bench, [place]) as line:
        until(all_are(line, 1, PortState.PASSED))
        time.sleep(0.2)
        assert (state(line, "p"), line.totals().passed, line.totals().refused) == (PortState.PASSED, 1, 0)


def test_the_next_board_runs_when_the_first_was_taken_away(bench: Bench) -> None:
    place = Socket("p")
    with running(bench, [place]) as line:
        for number in (1, 2):
            place.unit = MemoryUnit()
            until(lambda number=number: line.totals().passed == number)  # type: ignore[misc]
            place.unit = None
            until(all_are(line, 1, PortState.EMPTY))
    assert len(bench.registry.units()) == 2


def test_a_board_that_follows_at_once_runs_too(bench: Bench) -> None:
    place = Socket("p")
    place.unit = MemoryUnit()
    with running(bench, [place]) as line:
        until(lambda: line.totals().passed == 1)
        place.unit = MemoryUnit()
        until(lambda: line.totals().passed == 2)


def test_a_finished_board_that_comes_back_is_refused_and_unchanged(bench: Bench) -> None:
    place = Socket("p")
    unit = place.unit = MemoryUnit()
    with running(bench, [place]) as line:
        until(all_are(line, 1, PortState.PASSED))
        place.unit = None
        until(all_are(line, 1, PortState.EMPTY))
        before = unit.flash.image()
        place.unit = unit
        until(all_are(line, 1, PortState.REFUSED))
    assert unit.flash.image() == before and line.totals().refused == 1


def test_a_board_whose_answers_were_late_was_not_taken_away(bench: Bench) -> None:
    place = Socket("p")
    place.unit = MemoryUnit()
    with running(bench, [place]) as line:
        until(all_are(line, 1, PortState.PASSED))
        before = line.views()
        place.is_stuck = True
        until(all_are(line, 1, PortState.EMPTY))
        place.is_stuck = False
        until(lambda: line.views() == before)  # and not one that is refused because it is finished
        time.sleep(0.2)
        assert line.views() == before and line.totals().refused == 0


def test_a_board_that_failed_after_its_lock_waits_for_a_person_under_its_new_name(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Socket("p")
    place.unit = MemoryUnit()

    def lose(*_: object) -> None:
        raise RuntimeError("the proof was lost")

    monkeypatch.setattr(steps_lock, "check_hello", lose)
    with running(bench, [place]) as line:
        until(all_are(line, 1, PortState.FAILED))
        time.sleep(0.3)
        assert place.unit.is_locked() and line.totals().failed == 1


def test_a_port_may_come_and_go(bench: Bench) -> None:
    place = Socket("p")
    place.is_plugged = False
    with running(bench, [place]) as line:
        until(all_are(line, 1, PortState.ABSENT))
        place.is_plugged, place.unit = True, MemoryUnit()
        until(all_are(line, 1, PortState.PASSED))
        place.is_plugged = False
        until(all_are(line, 1, PortState.ABSENT))


def test_a_board_waits_for_its_own_scan(bench: Bench) -> None:
    places = [Socket("p1"), Socket("p2")]
    for place in places:
        place.unit = MemoryUnit()
    assert places[1].unit is not None
    with running(bench, places, start_on_scan=True) as line:
        until(all_are(line, 2, PortState.READY))
        with pytest.raises(ValueError, match="no waiting board"):
            line.scan("something else")
        assert line.scan(places[1].unit.hardware_id.hex().upper() + "\r\n") == "p2"
        until(lambda: state(line, "p2") is PortState.PASSED)
        assert state(line, "p1") is PortState.READY
        assert line.scan("p1") == "p1"
        until(all_are(line, 2, PortState.PASSED))


def test_a_scan_without_a_waiting_board_is_reported(bench: Bench) -> None:
    with (
        running(bench, [Socket("p")], start_on_scan=True) as line,
        pytest.raises(ValueError, match="no board is"),
    ):
        line.scan("p")


def test_a_failed_board_says_why_and_runs_again_when_asked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Socket("p")
    place.unit = MemoryUnit()
    printer = labels.print_label
    seen: list[PortView] = []

    def jam(*_: object) -> None:
        raise labels.LabelError("no paper")

    monkeypatch.setattr(labels, "print_label", jam)
    with running(bench, [place], listener=seen.append) as line:
        until(all_are(line, 1, PortState.FAILED))
        view = line.views()[0]
        assert "no paper" in view.message and "printer" in view.advice
        monkeypatch.setattr(labels, "print_label", printer)
        line.retry("p")
        until(all_are(line, 1, PortState.PASSED))
        with pytest.raises(ValueError, match="no failed board"):
            line.retry("p")
    assert {entry.phase for entry in seen} >= {"link", "personalise", "label", "record"}


def test_a_stop_lets_the_run_under_way_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Socket("p")
    place.unit = MemoryUnit()
    printing, goes_on = threading.Event(), threading.Event()
    printer = labels.print_label

    def slow(*arguments: object) -> object:
        printing.set()
        fair_time.wait(goes_on, 240)
        return printer(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(labels, "print_label", slow)
    line = Line(bench.station(timeout_s=10.0), fixed([place]), timing=QUICK)
    line.start()
    assert fair_time.wait(printing, 240)
    stopper = threading.Thread(target=line.stop)
    stopper.start()
    goes_on.set()
    stopper.join()
    assert line.totals().passed == 1 and state(line, "p") is PortState.STOPPED


def test_views_and_messages_hold_no_code(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    real = steps_identity.generate_code
    monkeypatch.setattr(steps_identity, "generate_code", lambda *args: drawn.append(real(*args)) or drawn[-1])
    place, seen = Socket("p"), []
    place.unit = MemoryUnit()
    with running(bench, [place], listener=lambda view: seen.append(repr(view))) as line:
        until(all_are(line, 1, PortState.PASSED))
    assert drawn and not any(code[:7] in text or code[7:14] in text for text in seen for code in drawn)


def test_sixteen_boards_at_once_have_sixteen_identities(bench: Bench) -> None:
    places = [Socket(f"p{number:02}") for number in range(16)]
    for place in places:
        place.unit = MemoryUnit()
    with running(bench, places) as line:
        until(all_are(line, 16, PortState.PASSED))
    units = bench.registry.units()
    assert len({unit.device_id for unit in units}) == len({unit.serial for unit in units}) == 16
    assert bench.registry.verify_chain() == 16


# States, ports, words ---------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(PortEvent)))
def test_a_run_begins_only_after_a_board_answered(events: list[PortEvent]) -> None:
    now = PortState.STOPPED
    for event in events:
        before, now = now, step(now, event)
        if now is PortState.RUNNING and before is not PortState.RUNNING:
            assert before is PortState.READY
        if now is PortState.PASSED and before is not PortState.PASSED:
            assert before is PortState.RUNNING


def test_every_outcome_of_every_phase_has_advice() -> None:
    for phase in (*steps.FIRST_PHASES, *steps.OPEN_PHASES):
        for outcome in Outcome:
            assert advice(PhaseResult(phase.name, outcome, 0.0)).endswith(".")
    assert advice(None)


@pytest.mark.parametrize("address", ["usb:x", "tcp:", "serial:", "", "COM3"])
def test_an_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="is not a port"):
        AddressPort(address)


def test_a_serial_port_that_is_not_there_is_a_link_error() -> None:
    with pytest.raises(LinkError):
        open_address("serial:/dev/no-such-port@9600")


def test_bytes_go_through_a_serial_line_both_ways() -> None:
    ours, theirs = os.openpty()
    stream = open_serial(os.ttyname(theirs))
    try:
        stream.write(b"\xc0\x01\x02\xc0")
        assert os.read(ours, 100) == b"\xc0\x01\x02\xc0"
        os.write(ours, b"\x00\xff\x11\x13\x0d\x0a")  # nothing is taken for flow control or a line's end
        got = b""
        while len(got) < 6:
            got += stream.read(1.0)
        assert got == b"\x00\xff\x11\x13\x0d\x0a"
        assert stream.read(0.01) == b""
        os.close(ours)
        with pytest.raises(LinkError):
            for _ in range(100):
                stream.write(b"x")
                stream.read(0.01)
    finally:
        stream.close()
        os.close(theirs)


def test_a_wildcard_is_searched_again_at_each_look(monkeypatch: pytest.MonkeyPatch) -> None:
    class Found:
        def __init__(self, device: str) -> None:
            self.device = device

    there = [Found("/dev/ttyACM0"), Found("/dev/ttyS0")]
    monkeypatch.setattr("provisioning.station.ports.list_ports.comports", lambda: there)
    find = finder_of(["serial:/dev/ttyACM*", "tcp:127.0.0.1:1"])
    assert set(find()) == {"serial:/dev/ttyACM0", "tcp:127.0.0.1:1"}
    there.append(Found("/dev/ttyACM1"))
    assert "serial:/dev/ttyACM1" in find()


def test_a_port_in_this_process_is_opened_by_its_function() -> None:
    place = Socket("x")
    assert isinstance(CallPort("x", place.open).open(), Socket.Stream)
