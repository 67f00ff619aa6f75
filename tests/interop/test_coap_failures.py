"""Refusals of the CoAP server: a unit that has used its share of reports, and a server that cannot store a number."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.errors import PeerRefusedError
from tests.interop.support.maker import Maker
from tests.interop.test_coap_server import Site

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("patient_unit")]


@pytest.fixture
def site(maker: Maker, tmp_path: Path) -> Iterator[Site]:
    site = Site(maker, tmp_path)
    with site.server:
        yield site


def test_a_unit_that_has_used_its_share_of_reports_learns_it_and_others_report(site: Site) -> None:
    hostile, other = site.unit(), site.unit()
    while site.tracker._share.take(hostile.device_id.hex()):
        pass

    async def refused(source):
        with pytest.raises(PeerRefusedError, match=r"4\.29"):
            await source.report(b"\xa1\x01\x02")

    site.using(hostile, refused)
    site.using(other, lambda source: source.report(b"\xa0"))
    assert [one.device for one in site.tracker.reports] == [other.device_id.hex()]


def test_a_first_request_is_answered_with_5_03_while_no_number_can_be_stored(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The challenge of a first request takes a number of the server, which is stored before it is used."""
    site.publisher.publish_support(b"record")
    unit = site.unit()

    def full(sender_id: bytes, upto: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "numbers")

    async def refused(source):
        with pytest.raises(PeerRefusedError, match=r"5\.03"):
            await source.support()

    with monkeypatch.context() as patch:
        patch.setattr(site.units, "reserve", full)
        site.using(unit, refused)
    assert "No space left" in caplog.text and "Traceback" not in caplog.text
    assert site.using(unit, lambda source: source.support()) == b"record"
