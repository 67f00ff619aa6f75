"""The reports of units on disk: durable before they are acknowledged, bounded, and whole after a fault."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from provisioning.keys.file_signer import FileSigner
from provisioning.servers.errors import ReportError
from provisioning.servers.mqtt_client import MqttAccess
from provisioning.servers.report_log import ReportLog
from provisioning.servers.tracker import MqttTracker, Newest, Tracker
from tests.unit.provisioning.servers.bench import p256

UNIT = "ab" * 16


def tracker(path: Path) -> Tracker:
    log = ReportLog(path / "state" / "reports.jsonl", now=lambda: 1_800_000_000)
    return Tracker(FileSigner(p256()), {bytes(16): Newest()}, now=lambda: 0, log=log)


def full(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_report_that_was_acknowledged_is_known_after_a_restart(tmp_path: Path) -> None:
    assert tracker(tmp_path).take_report(UNIT, "coap", b"\xa0")
    (report,) = tracker(tmp_path).reports
    assert (report.device, report.source, report.data) == (UNIT, "coap", b"\xa0")
    assert (tmp_path / "state" / "reports.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_report_is_on_disk_before_it_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bytes] = []
    path = tmp_path / "state" / "reports.jsonl"
    real = os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        synced.append(path.read_bytes())

    monkeypatch.setattr(os, "fsync", fsync)
    tracker(tmp_path).take_report(UNIT, "coap", b"\xa0")
    assert b'"report": "a0"' in synced[0]


def test_a_report_on_a_full_disk_is_refused_and_leaves_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = tracker(tmp_path)
    one.take_report(UNIT, "coap", b"\xa0")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ReportError, match=r"reports\.jsonl: No space left"):
            one.take_report(UNIT, "coap", b"\xa1\x01\x02")
    assert len(one.reports) == 1
    assert one.take_report(UNIT, "coap", b"\xa1\x01\x03")
    assert [each.data for each in tracker(tmp_path).reports] == [b"\xa0", b"\xa1\x01\x03"]


def test_a_line_that_a_power_cut_left_half_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    ReportLog(path).append(UNIT, "mqtt", b"\xa0")
    path.write_bytes(path.read_bytes() + b'{"device": "ab')
    log = ReportLog(path)
    log.append(UNIT, "mqtt", b"\xa1\x01\x02")
    assert [one["report"] for one in log.entries()] == ["a0", "a10102"]


def test_a_half_line_that_appears_while_the_server_runs_spoils_no_later_report(tmp_path: Path) -> None:
    log = ReportLog(tmp_path / "reports.jsonl")
    log.append(UNIT, "mqtt", b"\xa0")
    with log.path.open("ab") as other:
        other.write(b'{"device": "ab')
    log.append(UNIT, "mqtt", b"\xa1\x01\x02")
    assert [one["report"] for one in log.entries()] == ["a0", "a10102"]


def test_the_log_never_takes_more_than_twice_its_bound(tmp_path: Path) -> None:
    log = ReportLog(tmp_path / "reports.jsonl", largest_bytes=1000)
    for number in range(100):
        log.append(UNIT, "coap", bytes([number]))
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 2 and max(sizes) <= 1000
    assert list(log.entries())[-1]["report"] == "63"


ODD_TOPICS = ["", "fb", "fb/d", "fb/d/", "fb/d/../report", "fb/d/\ud800/report", f"fb/d/{UNIT}"]
ODD_TOPICS += [f"fb/d/{UNIT}/fresh", f"fb/d/{UNIT}/report/x"]


@pytest.mark.parametrize("topic", ODD_TOPICS)
def test_a_topic_that_the_tracker_did_not_ask_for_is_ignored(topic: str, tmp_path: Path) -> None:
    one = tracker(tmp_path)
    access = MqttAccess("127.0.0.1", 1, "localhost", tmp_path, tmp_path, tmp_path)
    MqttTracker(one, access)._received(topic, b"\xa0")
    assert one.reports == [] and one.asked == 0


def test_a_report_over_mqtt_that_cannot_be_kept_is_an_error_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = tracker(tmp_path)
    access = MqttAccess("127.0.0.1", 1, "localhost", tmp_path, tmp_path, tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    MqttTracker(one, access)._received(f"fb/d/{UNIT}/report", b"\xa0")
    assert "No space left" in caplog.text and "Traceback" not in caplog.text
