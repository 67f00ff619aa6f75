"""The operator's page: it needs a login, shows the line correctly, and never shows a set-up code."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioning.keys.pem import write_private
from provisioning.station import steps_identity
from provisioning.station.link import HandlerStream
from provisioning.station.reprint import ReprintError
from provisioning.station.run import UnitRun
from provisioning.station.web.app import SESSION_ENDED
from provisioning.station.web.chart import phase_chart
from provisioning.station.web.floor import PhaseTime
from provisioning.station.web.listener import CONNECTIONS, CONNECTIONS_PER_PEER
from provisioning.station.web.login import Login, LoginError, set_password
from tests.unit.provisioning.station.operator_bench import PASSWORD, Browser, OperatorBench, until
from tests.unit.provisioning.station.station_bench import MemoryUnit, failure


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[OperatorBench]:
    bench = OperatorBench(tmp_path)
    yield bench
    bench.close()


# The login ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/units?q=FB1"), ("GET", "/events")]
    + [("POST", path) for path in ("/start", "/stop", "/scan", "/retry", "/reprint", "/logout")],
)
def test_without_a_session_nothing_is_shown_and_nothing_happens(
    method: str, path: str, operator: OperatorBench
) -> None:
    status, headers, body = Browser(operator).ask(method, path, {} if method == "POST" else None)
    assert (status, headers["location"], body) == (303, "/login", "")
    assert not operator.line.is_running


def test_a_wrong_password_opens_nothing_and_is_not_repeated(operator: OperatorBench) -> None:
    browser = Browser(operator)
    status, _, body = browser.ask("POST", "/login", {"password": "not this one at all"})
    assert status == 403 and "not this one" not in body and not browser.cookie


def test_the_cookie_is_for_this_page_only(operator: OperatorBench) -> None:
    _, headers, _ = Browser(operator).ask("POST", "/login", {"password": PASSWORD})
    cookie = headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and PASSWORD not in cookie


def test_after_signing_out_the_old_cookie_is_dead(operator: OperatorBench) -> None:
    browser = Browser(operator).sign_in()
    cookie = browser.cookie
    assert browser.post("/logout") == 303
    browser.cookie = cookie
    assert browser.ask("GET", "/")[1]["location"] == "/login"


@pytest.mark.parametrize("header", [{"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_a_form_of_another_page_changes_nothing(header: dict[str, str], operator: OperatorBench) -> None:
    browser = Browser(operator).sign_in()
    assert browser.ask("POST", "/start", {}, **header)[0] == 403
    assert not operator.line.is_running


def test_another_host_name_is_refused(operator: OperatorBench) -> None:
    assert Browser(operator).ask("GET", "/login", Host="evil.example")[0] == 400


def test_a_form_that_is_too_large_is_refused(operator: OperatorBench) -> None:
    browser = Browser(operator).sign_in()
    assert browser.ask("POST", "/scan", {"text": "x" * 5000})[0] == 403


def test_every_answer_forbids_scripts_of_others_and_caching(operator: OperatorBench) -> None:
    browser = Browser(operator).sign_in()
    for path in ("/", "/login", "/units?q=x", "/operator.css", "/operator.js"):
        _, headers, _ = browser.ask("GET", path)
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"


def test_failures_delay_the_next_attempt_and_not_for_ever(tmp_path: Path) -> None:
    now = [0.0]
    set_password(tmp_path / "login", PASSWORD)
    loaded = Login.load(tmp_path / "login")
    login = Login(loaded.salt, loaded.expected, now=lambda: now[0])
    for _ in range(3):
        assert login.sign_in("wrong") is None and login.wait_s() == 0
    waits = []
    for _ in range(8):
        assert login.sign_in("wrong") is None
        waits.append(login.wait_s())
        assert login.sign_in(PASSWORD) is None  # not checked before its time
        now[0] += login.wait_s()
    assert waits == sorted(waits) and waits[0] == 2 and waits[-1] == 60
    assert login.session(login.sign_in(PASSWORD)) is not None and login.wait_s() == 0


def test_a_session_ends_after_a_shift(tmp_path: Path) -> None:
    now = [0.0]
    set_password(tmp_path / "login", PASSWORD)
    loaded = Login.load(tmp_path / "login")
    login = Login(loaded.salt, loaded.expected, now=lambda: now[0])
    token = login.sign_in(PASSWORD)
    assert login.session(token) is not None
    now[0] = 12 * 3600 + 1
    assert login.session(token) is None


def test_the_login_file_is_its_owners_and_holds_no_password(tmp_path: Path) -> None:
    path = tmp_path / "login"
    set_password(path, PASSWORD)
    assert path.stat().st_mode & 0o777 == 0o600 and PASSWORD.encode() not in path.read_bytes()
    path.chmod(0o644)
    with pytest.raises(LoginError, match="read by others"):
        Login.load(path)
    with pytest.raises(LoginError, match="12 to"):
        set_password(path, "short")


COMPOSED = "caf\u00e9 of station 12"


@pytest.mark.parametrize(
    "typed",
    ["cafe\u0301 of station 12", "caf\u00e9\u00a0of station \uff11\uff12", COMPOSED + "\n"],
    ids=["decomposed", "full-width digits", "line end"],
)
def test_a_password_opens_the_page_however_a_keyboard_writes_it(tmp_path: Path, typed: str) -> None:
    for first, then in ((COMPOSED, typed), (typed, COMPOSED)):
        set_password(tmp_path / "login", first)
        login = Login.load(tmp_path / "login")
        assert login.sign_in(then) is not None
        assert login.sign_in("cafe of station 12") is None
        (tmp_path / "login").unlink()


@pytest.mark.parametrize("character", ["\u200b", "\t", "\u00ad", "\u200f"])
def test_a_password_that_nobody_can_type_again_is_refused(tmp_path: Path, character: str) -> None:
    with pytest.raises(LoginError, match="not visible"):
        set_password(tmp_path / "login", PASSWORD + character)
    assert not (tmp_path / "login").exists()


def test_a_longer_password_that_begins_with_the_right_one_is_wrong(tmp_path: Path) -> None:
    longest = "long and right, " * 12 + "the end."
    assert len(longest) == 200
    set_password(tmp_path / "login", longest)
    login = Login.load(tmp_path / "login")
    assert login.sign_in(longest + "more") is None and login.sign_in(longest) is not None


def test_the_login_file_of_an_earlier_version_still_opens_the_page(tmp_path: Path) -> None:
    path, typed = tmp_path / "login", "cafe\u0301 of station 12"
    salt = bytes(16)
    found = hashlib.scrypt(typed.encode(), salt=salt, n=1 << 15, r=8, p=1, maxmem=1 << 26, dklen=32)
    write_private(path, json.dumps({"scrypt": {"salt": salt.hex(), "hash": found.hex()}}).encode())
    assert Login.load(path).sign_in(typed) is not None


def test_a_wrong_password_is_said_at_the_field(operator: OperatorBench) -> None:
    status, _, text = Browser(operator).ask("POST", "/login", {"password": "not the password"})
    assert status == 403 and 'aria-invalid="true"' in text and 'aria-describedby="note"' in text
    assert '<p class="note" id="note" role="alert">The password is wrong.' in text
    assert "<title>Error: Sign in" in text
    assert "aria-invalid" not in Browser(operator).get("/login")


@pytest.mark.parametrize("path", ["/scan", "/start", "/stop"])
def test_a_form_sent_after_the_session_ended_says_that_nothing_was_done(
    operator: OperatorBench, path: str
) -> None:
    browser = Browser(operator)
    _, headers, _ = browser.ask("POST", path, {"text": "FB1"})
    assert headers["location"] == "/login" and headers["set-cookie"].startswith("station-ended=1;")
    browser.cookie = "station-ended=1"
    _, headers, text = browser.ask("GET", "/login")
    assert SESSION_ENDED in text and "Max-Age=0" in headers["set-cookie"]
    browser.cookie = ""
    assert SESSION_ENDED not in browser.get("/login")


# The line -------------------------------------------------------------------------------------------------


def test_a_batch_is_started_shown_and_stopped(operator: OperatorBench) -> None:
    browser = Browser(operator).sign_in()
    operator.units["port 1"] = MemoryUnit()
    assert browser.post("/start") == 303 and operator.line.is_running
    until(lambda: operator.state("port 1") == "passed")
    page = browser.get("/")
    assert "PASS" in page and "FB1-000001" in page and "NOT FOR SALE" in page
    assert "Stick the label on" in page and "<svg" in page and "Units per hour" in page
    assert "NO PORT" in page and "LinkError" not in page  # the places without a board, in plain words
    assert browser.post("/stop") == 303 and not operator.line.is_running


def test_a_failure_says_why_and_what_to_do(operator: OperatorBench, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Browser(operator).sign_in()
    unit = MemoryUnit()
    unit.entropy.is_seeded = False
    operator.units["port 2"] = unit
    browser.post("/start")
    until(lambda: operator.state("port 2") == "failed")
    page = browser.get("/")
    assert "FAIL" in page and "no entropy" in page and "Put it aside" in page and "Try again" in page
    unit.entropy.is_seeded = True
    assert browser.post("/retry", port="port 2") == 303
    until(lambda: operator.state("port 2") == "passed")
    assert browser.post("/retry", port="port 2") == 303
    assert "No failed board is on port 2." in browser.get("/")


def test_a_board_starts_when_it_is_scanned(tmp_path: Path) -> None:
    operator = OperatorBench(tmp_path, start_on_scan=True)
    try:
        browser = Browser(operator).sign_in()
        unit = MemoryUnit()
        operator.units["port 1"] = unit
        browser.post("/start")
        until(lambda: operator.state("port 1") == "ready")
        browser.post("/scan", text="something else")
        assert "No waiting board has the name" in browser.get("/")
        browser.post("/scan", text=unit.hardware_id.hex().upper() + "\n")
        assert "Started the board on port 1." in browser.get("/")
        until(lambda: operator.state("port 1") == "passed")
    finally:
        operator.close()


def test_a_note_is_shown_once_and_escaped(operator: OperatorBench) -> None:
    browser = Browser(operator).sign_in()
    browser.post("/retry", port="<script>x</script>")
    page = browser.get("/")
    assert "&lt;script&gt;x" in page and "<script>x" not in page
    assert "script&gt;x" not in browser.get("/")


def test_events_tell_what_changed_and_end_with_the_session(operator: OperatorBench) -> None:
    browser = Browser(operator).sign_in()
    connection = http.client.HTTPConnection("127.0.0.1", operator.port, timeout=600)
    connection.request("GET", "/events", headers={"Cookie": browser.cookie})
    answer = connection.getresponse()
    assert answer.getheader("content-type", "").startswith("text/event-stream")

    def next_parts() -> dict[str, str]:
        while not (line := answer.readline()).startswith(b"data: "):
            assert line, "the stream ended"
        return dict(json.loads(line[6:]))

    assert set(next_parts()) == {"totals", "chart"}
    operator.units["port 3"] = MemoryUnit()
    browser.post("/start")
    seen = ""
    while "PASS" not in seen:
        seen += "".join(next_parts().values())
    browser.post("/logout")
    while answer.readline():
        pass
    connection.close()


def test_no_page_and_no_event_holds_the_code(
    operator: OperatorBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    real = steps_identity.generate_code
    monkeypatch.setattr(steps_identity, "generate_code", lambda *args: drawn.append(real(*args)) or drawn[-1])
    browser = Browser(operator).sign_in()
    operator.units["port 1"] = MemoryUnit()
    browser.post("/start")
    until(lambda: operator.state("port 1") == "passed")
    text = browser.get("/") + browser.get("/units?q=FB1-000001") + repr(operator.floor.views())
    assert "FB1-000001" in text and len(drawn) == 1
    assert drawn[0][:7] not in text and drawn[0][7:14] not in text


# Units and labels -----------------------------------------------------------------------------------------


def test_a_unit_is_found_by_serial_batch_or_board(operator: OperatorBench) -> None:
    unit = MemoryUnit()
    operator.bench.station().provision(unit.stream())
    browser = Browser(operator).sign_in()
    for query in ("000001", "2026-001", unit.hardware_id.hex()):
        assert "FB1-000001" in browser.get(f"/units?q={query}")
    assert "No unit matches your search." in browser.get("/units?q=FB9")
    assert "FB1-000001" not in browser.get("/units?q=")


def sealed_unit(operator: OperatorBench, monkeypatch: pytest.MonkeyPatch) -> str:
    """A unit whose run ended between seal and proof."""

    def die(run: UnitRun) -> dict[str, object]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("provisioning.station.link.FactoryLink.lock", lambda *_: die(None))  # type: ignore[arg-type]
        with pytest.raises(KeyboardInterrupt):
            operator.bench.station().provision(HandlerStream(MemoryUnit().handle))
    return operator.bench.registry.units()[0].serial


def test_before_the_proof_of_the_lock_a_label_is_printed_again_and_noted(
    operator: OperatorBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    serial = sealed_unit(operator, monkeypatch)
    browser = Browser(operator).sign_in()
    assert "Print the label again" in browser.get(f"/units?q={serial}")
    status, headers, body = browser.ask("POST", "/reprint", {"serial": serial})
    assert (status, headers["content-type"], headers["cache-control"]) == (200, "application/pdf", "no-store")
    assert body.startswith("%PDF")
    unit = operator.bench.registry.units()[0]
    assert [phase.name for phase in operator.bench.registry.phases(unit.id)].count("reprint") == 1


def test_a_finished_units_label_is_not_printed_again(operator: OperatorBench) -> None:
    operator.bench.station().provision(MemoryUnit().stream())
    with pytest.raises(ReprintError, match="cannot be printed again"):
        operator.floor.reprint("FB1-000001")
    browser = Browser(operator).sign_in()
    assert browser.post("/reprint", serial="FB1-000001") == 303
    assert "Rework gives it a new serial number" in browser.get("/")


def test_a_label_that_was_swapped_is_not_printed(
    operator: OperatorBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    serial = sealed_unit(operator, monkeypatch)
    path = operator.floor.labels_dir / f"{serial}.png"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ReprintError, match="missing or outdated"):
        operator.floor.reprint(serial)
    with pytest.raises(ReprintError, match="no unit"):
        operator.floor.reprint("FB1-999999")


def test_the_chart_draws_each_phase_and_names_it_in_words() -> None:
    chart = phase_chart([PhaseTime("<link>", 1.0, 2.0, 3), PhaseTime("lock", 0.5, 0.5, 3)])
    assert chart.count("<rect") == 4 and "&lt;link&gt; 1.00 s; lock 0.50 s" in chart
    assert phase_chart([]) == ""


def test_a_failing_unit_of_the_bench_fails(operator: OperatorBench) -> None:
    unit = MemoryUnit()
    unit.entropy.is_seeded = False
    assert failure(lambda: operator.bench.station().provision(unit.stream())).result is not None


def test_more_addresses_than_places_keep_no_operator_out_and_end_no_open_page(
    operator: OperatorBench,
) -> None:
    browser = Browser(operator).sign_in()
    page = http.client.HTTPConnection("127.0.0.1", operator.port, timeout=600)
    page.request("GET", "/events", headers={"Cookie": browser.cookie})
    events = page.getresponse()
    held = [
        socket.create_connection(("127.0.0.1", operator.port), source_address=(f"127.0.2.{number}", 0))
        for number in range(1, CONNECTIONS + 50)
    ]
    Browser(operator).sign_in()
    operator.units["port 3"] = MemoryUnit()
    browser.post("/start")
    while b"PASS" not in (line := events.readline()):
        assert line, "the open page was hung up"
    for one in held:
        one.close()
    page.close()


def test_a_host_that_holds_connections_keeps_no_operator_out_and_takes_few_of_the_stations_files(
    operator: OperatorBench,
) -> None:
    held = []
    for number in range(2 * CONNECTIONS):
        source = (f"127.0.0.{2 + number % 2}", 0)
        held.append(socket.create_connection(("127.0.0.1", operator.port), source_address=source))
        with contextlib.suppress(OSError):  # hung up already
            held[-1].sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
    Browser(operator).sign_in()
    until(lambda: operator.listener.count() <= 2 * CONNECTIONS_PER_PEER + 1)
    for one in held:
        one.close()
