"""The status tracker (RFC 9019 2.3): answers freshness requests with signed records, keeps what devices report.

Rules:
1. It signs freshness records and nothing else; its key is the tracker's (docs/design.md, Roles and keys).
2. A request is at most 64 bytes, for this class, and is answered once with the nonce it brought.
3. A report is at most limits.REPORT_BYTES; what it says is the device's claim and is kept as such.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from device import limits
from device.codec import cbor
from device.errors import FirstbootError, FreshnessError
from device.records import freshness
from device.suit import report
from provisioning.keys.signer import Signer
from provisioning.servers.access import TRACKER
from provisioning.servers.mqtt_client import MqttAccess, MqttClient
from provisioning.servers.service import Service

_log = logging.getLogger(__name__)
_REQUESTS: Final = "fb/d/+/fresh/req"
_REPORTS: Final = "fb/d/+/report"
KEPT_REPORTS: Final = 10_000


@dataclass(frozen=True)
class Report:
    """What one device said of itself, and over which way it came."""

    device: str  # device id in hex
    source: str  # "mqtt" or "coap"
    data: bytes

    def fields(self) -> dict[int, Any]:
        """The decoded map; empty where it is none."""
        try:
            value = cbor.decode(self.data, limits.REPORT_BYTES)
        except FirstbootError:
            return {}
        return value if isinstance(value, dict) else {}

    def suit(self) -> report.Report:
        """The decoded SUIT_Report. Raises CodecError, UnsupportedError where it is none."""
        return report.decode(self.data)


def unix_time() -> int:
    return int(time.time())


class Tracker:
    """Signs freshness records for one product class. `now` gives unix seconds; the newest numbers may be raised."""

    def __init__(
        self,
        signer: Signer,
        class_id: bytes,
        newest_manifest: int = 0,
        newest_support: int = 0,
        now: Callable[[], int] = unix_time,
        on_report: Callable[[Report], None] | None = None,
    ) -> None:
        self._signer = signer
        self._class_id = class_id
        self._lock = threading.Lock()
        self.newest_manifest = newest_manifest
        self.newest_support = newest_support
        self.now = now
        self.on_report = on_report
        self.asked = 0  # freshness requests so far, answered or refused
        self._reports: deque[Report] = deque(maxlen=KEPT_REPORTS)

    @property
    def reports(self) -> list[Report]:
        """The latest reports, oldest first."""
        with self._lock:
            return list(self._reports)

    def answer(self, request: bytes) -> bytes:
        """The signed record for `request`. Raises FreshnessError for a damaged one or another class."""
        from provisioning.keys.signer import sign_record

        self.asked += 1
        asked = freshness.decode_request(request)
        if asked.class_id != self._class_id:
            raise FreshnessError(reason="class")
        payload = freshness.encode_payload(
            self._class_id, asked.nonce, self.now(), self.newest_manifest, self.newest_support
        )
        with self._lock:  # a token signs one thing at a time
            return sign_record(payload, freshness.TYP, self._signer)

    def take_report(self, device: str, source: str, data: bytes) -> bool:
        """Keep a report; False where it is too large to be one."""
        if len(data) > limits.REPORT_BYTES:
            return False
        report = Report(device, source, data)
        with self._lock:
            self._reports.append(report)
        if self.on_report is not None:
            self.on_report(report)
        return True


class MqttTracker(Service):
    """A tracker behind a broker: start(), stop(), or a context manager. Raises ServerError."""

    def __init__(self, tracker: Tracker, access: MqttAccess) -> None:
        self._tracker = tracker
        self._client = MqttClient(access, TRACKER, topics=(_REQUESTS, _REPORTS), on_message=self._received)

    def start(self) -> None:
        """Return when requests are being answered."""
        self._client.start()

    def stop(self) -> None:
        self._client.stop()

    def _received(self, topic: str, payload: bytes) -> None:
        # The broker lets a device publish below its own name only, so the topic says who asks.
        _, _, device, *rest = topic.split("/")
        if rest == ["report"]:
            self._tracker.take_report(device, "mqtt", payload)
            return
        try:
            record = self._tracker.answer(payload)
        except FreshnessError as error:
            _log.info("request of %s refused: %s", device, error)
            return
        self._client.publish(f"fb/d/{device}/fresh", record, is_retained=False)
