"""The status tracker (RFC 9019 2.3): it answers freshness requests with signed records and keeps devices' reports.

Rules:
1. It signs freshness records and nothing else; its key is the tracker's (docs/design.md, Roles and keys).
2. A request has at most 64 bytes and names a class that this tracker serves. It gets one answer, with its own nonce.
3. A report has at most limits.REPORT_BYTES. It is the device's claim and is not verified. With a log it is on
   disk before it is acknowledged; the latest ones are kept in memory too.
4. One tracker serves every class of a broker. Several trackers on one broker need a certificate and a name each.
5. The tracker signs only a time that passed the clock's checks (provisioning/servers/signing_clock.py).
"""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from device import limits
from device.codec import cbor
from device.errors import FirstbootError, FreshnessError
from device.records import freshness
from device.suit import report
from provisioning.keys.lms_state import LmsStateError
from provisioning.keys.signer import Signer, sign_record
from provisioning.servers import observer
from provisioning.servers.access import TRACKER
from provisioning.servers.errors import ReportError, ReportShareError, ServerError, TrackerError
from provisioning.servers.mqtt_client import MqttAccess, MqttClient
from provisioning.servers.observer import Observer
from provisioning.servers.report_log import Reports
from provisioning.servers.report_share import ReportShare
from provisioning.servers.service import Service
from provisioning.servers.signing_clock import SigningClock

_log = logging.getLogger(__name__)
MQTT: Final = "mqtt"
_REQUESTS: Final = "fb/d/+/fresh/req"
_REPORTS: Final = "fb/d/+/report"
_DEVICE: Final = re.compile(r"[0-9a-f]{1,64}")
KEPT_REPORTS: Final = 10_000


@dataclass(frozen=True)
class Report:
    """The report of one device, and the transport that it came over."""

    device: str  # device id in hex
    source: str  # MQTT, or "coap"
    data: bytes

    def fields(self) -> dict[int, Any]:
        """Return the decoded map; empty if the report is not a CBOR map."""
        try:
            value = cbor.decode(self.data, limits.REPORT_BYTES)
        except FirstbootError:
            return {}
        return value if isinstance(value, dict) else {}

    def suit(self) -> report.Report:
        """Return the decoded SUIT_Report. Raises CodecError, UnsupportedError for anything else."""
        return report.decode(self.data)


@dataclass
class Newest:
    """The newest numbers of one product class that the tracker knows.

    A unit that does not receive what is named here reports it as withheld. So note a number only after it was published
    to every source. `keyset` 0 leaves the key set out: firmware 0.1 refuses a freshness record that names one, so set
    it when all units have a later version. The same holds for `rollout`.
    """

    manifest: int = 0
    support: int = 0
    keyset: int = 0
    rollout: freshness.Rollout | None = None

    def rolled_out(self) -> freshness.Rollout | None:
        """Return the rollout that the tracker signs, None without one."""
        return self.rollout

    def current(self) -> tuple[int, int, int]:
        """Return the numbers of manifest, support record and key set, as the tracker signs them."""
        return self.manifest, self.support, self.keyset

    def raise_to(self, manifest: int = 0, support: int = 0, keyset: int = 0) -> None:
        """Note published numbers; a lower one changes nothing."""
        self.manifest = max(self.manifest, manifest)
        self.support = max(self.support, support)
        self.keyset = max(self.keyset, keyset)


class Tracker:
    """The signer of freshness records for every product class in `classes` (class id -> newest numbers).

    `now` gives the unix seconds to sign; it raises ClockError if they cannot be trusted. None: a SigningClock.
    """

    def __init__(
        self,
        signer: Signer,
        classes: Mapping[bytes, Newest],
        *,
        now: Callable[[], int] | None = None,
        on_report: Callable[[Report], None] | None = None,
        observe: Observer = observer.ignore,
        log: Reports | None = None,
        share: ReportShare | None = None,
    ) -> None:
        """`log` keeps the reports; without one they are lost with the process. Raises OSError if it cannot be read."""
        self._signer = signer
        self._reports_on_disk = log
        self._share = ReportShare() if share is None else share
        self.classes = classes
        self._lock = threading.Lock()
        self.now = SigningClock() if now is None else now
        self.on_report = on_report
        self.observe = observe
        self.asked = 0  # freshness requests so far, answered or refused
        self._reports: deque[Report] = deque(_kept(log), maxlen=KEPT_REPORTS)

    @property
    def reports(self) -> list[Report]:
        """Return the latest reports, oldest first."""
        with self._lock:
            return list(self._reports)

    def answer(self, request: bytes, source: str = MQTT) -> bytes:
        """Return the signed record for `request`, which came over `source`.

        Raises FreshnessError for a damaged request or another class, ClockError, and TrackerError if the key does not
        sign.
        """
        self.asked += 1
        self.observe(observer.REQUEST, source=source, kind="freshness")
        try:
            record = self._answer(request)
        except FreshnessError as error:
            reason = str(error.fields.get("reason", ""))
            self.observe(observer.REFUSED, source=source, kind="freshness", reason=reason)
            raise
        except (ServerError, OSError) as error:
            self.observe(observer.NOT_SIGNED, reason="key" if isinstance(error, TrackerError) else "clock")
            raise
        self.observe(observer.ANSWERED, source=source)
        return record

    def _answer(self, request: bytes) -> bytes:
        asked = freshness.decode_request(request)
        newest = self.classes.get(asked.class_id)
        if newest is None:
            raise FreshnessError(reason="class")
        numbers = newest.current()
        payload = freshness.encode_payload(
            asked.class_id, asked.nonce, self.now(), *numbers, newest.rolled_out()
        )
        with self._lock:  # a token makes one signature at a time
            try:
                return sign_record(payload, freshness.TYP, self._signer)
            except (OSError, ValueError, LmsStateError) as error:
                raise TrackerError(f"the tracker's key does not sign: {error}") from error

    def take_report(self, device: str, source: str, data: bytes) -> bool:
        """Keep a report; durable on return. Returns False if it is too large. Raises ReportError, ReportShareError."""
        self.observe(observer.REQUEST, source=source, kind="report")
        if len(data) > limits.REPORT_BYTES:
            self.observe(observer.REFUSED, source=source, kind="report", reason="size")
            return False
        with self._lock:
            has_share = self._share.take(device)
        if not has_share:
            self.observe(observer.REFUSED, source=source, kind="report", reason="share")
            raise ReportShareError("the unit has used its share of reports")
        report = Report(device, source, data)
        if self._reports_on_disk is not None:
            try:
                self._reports_on_disk.append(device, source, data)
            except (OSError, ReportError) as error:
                self.observe(observer.REFUSED, source=source, kind="report", reason="disk")
                if isinstance(error, ReportError):
                    raise
                raise ReportError(
                    f"a report cannot be kept: {error.filename}: {error.strerror or error}"
                ) from error
        self.observe(observer.REPORTED, source=source, device=device)
        with self._lock:
            self._reports.append(report)
        if self.on_report is not None:
            self.on_report(report)
        return True


def _kept(log: Reports | None) -> Iterator[Report]:
    """Yield the reports of a log that are whole."""
    for entry in log.latest(KEPT_REPORTS) if log is not None else ():
        try:
            yield Report(str(entry["device"]), str(entry["source"]), bytes.fromhex(entry["report"]))
        except (KeyError, TypeError, ValueError):
            continue


class MqttTracker(Service):
    """A tracker behind a broker: start(), stop(), or a context manager. Raises ServerError.

    `name` is the user name in the certificate: "tracker", or "tracker-NAME" if a broker has several trackers. Two
    trackers with the same name end each other's sessions; MqttClient reports that.
    """

    def __init__(
        self,
        tracker: Tracker,
        access: MqttAccess,
        name: str = TRACKER,
        *,
        on_state: Callable[[bool, str], None] | None = None,
    ) -> None:
        """`on_state`: see MqttClient."""
        self._tracker = tracker
        self.client = MqttClient(
            access, name, topics=(_REQUESTS, _REPORTS), on_message=self._received, on_state=on_state
        )

    def start(self) -> None:
        """Connect; return when requests are being answered."""
        self.client.start()

    def stop(self) -> None:
        self.client.stop()

    def _received(self, topic: str, payload: bytes) -> None:
        # The broker lets a device publish only below its own name, so the topic names the device that asks.
        above, _, rest = topic.partition("/d/")
        device, _, kind = rest.partition("/")
        if above != "fb" or kind not in ("report", "fresh/req") or not _DEVICE.fullmatch(device):
            _log.info("message of another topic ignored")
            return
        if kind == "report":
            try:
                self._tracker.take_report(device, MQTT, payload)
            except ReportShareError:
                return  # counted; a line for each would let one unit fill the log
            except ReportError as error:
                _log.error("report of %s not kept: %s", device, error)
            return
        try:
            record = self._tracker.answer(payload)
        except FreshnessError as error:
            _log.info("request of %s refused: %s", device, error)
            return
        except (ServerError, OSError) as error:
            _log.error("request of %s not answered: %s", device, error)
            return
        self.client.publish(f"fb/d/{device}/fresh", record, is_retained=False)
