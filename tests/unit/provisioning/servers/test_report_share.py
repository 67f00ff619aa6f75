"""No unit pushes out the reports of others: each has a share of what a server keeps."""

from __future__ import annotations

import pytest

from provisioning.keys.file_signer import FileSigner
from provisioning.servers import report_share
from provisioning.servers.errors import ReportShareError
from provisioning.servers.metrics import Metrics
from provisioning.servers.report_share import BURST, REFILL_S, ReportShare
from provisioning.servers.tracker import Newest, Tracker
from tests.unit.provisioning.servers.bench import p256

HOSTILE, HONEST = "ab" * 16, "cd" * 16


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_unit_has_its_share_at_once_and_then_one_report_each_ten_minutes() -> None:
    clock = Clock()
    share = ReportShare(clock)
    assert [share.take(HOSTILE) for _ in range(BURST + 2)] == [True] * BURST + [False] * 2
    assert share.take(HONEST)
    clock.now += REFILL_S - 1
    assert not share.take(HOSTILE)
    clock.now += 1
    assert share.take(HOSTILE) and not share.take(HOSTILE)


def test_a_share_that_was_left_alone_is_whole_and_not_larger() -> None:
    clock = Clock()
    share = ReportShare(clock)
    share.take(HOSTILE)
    clock.now += 10 * BURST * REFILL_S
    assert [share.take(HOSTILE) for _ in range(BURST + 1)] == [True] * BURST + [False]


def test_units_whose_share_is_whole_are_forgotten_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_share, "_LOOK", 10)
    clock = Clock()
    share = ReportShare(clock)
    for _ in range(BURST):
        share.take(HOSTILE)
    for number in range(1000):
        clock.now += 6.25
        share.take(f"{number:032x}")
    assert len(share) < 300
    for _ in range(10):
        assert share.take(HOSTILE), "ten minutes gave one report back"
    assert not share.take(HOSTILE)


def test_the_reports_of_one_unit_leave_those_of_others_in_memory_and_are_counted() -> None:
    metrics = Metrics(classes=dict, units=lambda: 0, is_ready=lambda: True)
    tracker = Tracker(
        FileSigner(p256()), {bytes(16): Newest()}, now=lambda: 0, share=ReportShare(Clock()), observe=metrics
    )
    tracker.take_report(HONEST, "mqtt", b"\xa0")
    for _ in range(BURST):
        tracker.take_report(HOSTILE, "coap", b"\xa0")
    with pytest.raises(ReportShareError, match="share"):
        tracker.take_report(HOSTILE, "coap", b"\xa0")
    assert tracker.reports[0].device == HONEST and len(tracker.reports) == BURST + 1
    assert (
        'firstboot_refused_requests_total{kind="report",reason="share",source="coap"} 1.0'
        in metrics.text()[1].decode()
    )
