"""All servers that a maker runs: the tracker on a broker, the CoAP server, the health endpoint.

Rules:
1. The servers are ready when every part works: the broker sends requests, the CoAP port answers, the clock's time can
   be signed and the store can be read. `readiness` names each part that does not work.
2. If the broker is down or the clock is not synchronised, the servers wait. A wrong key, a wrong certificate or a port
   in use ends the start with a typed error. An empty store is valid: it has no releases.
3. At the start the key signs one record, which is thrown away, so that a key that cannot sign is found at once.
4. Everything that must survive a restart (OSCORE numbers, latest signed time, release store) is durable before it is
   used. A lock keeps a second process out of each folder.
5. Several processes serve the same units only if they share a database (`shared`). Each has folders of its own.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from device.records import freshness
from provisioning.keys.lms_state import LmsStateError
from provisioning.keys.signer import Signer, sign_record
from provisioning.release.store import ReleaseStore
from provisioning.servers.broker_link import BrokerLink
from provisioning.servers.coap_server import CoapServer
from provisioning.servers.errors import ServerError, TrackerError
from provisioning.servers.folder_lock import FolderLock
from provisioning.servers.health import HealthServer
from provisioning.servers.metrics import ClassFacts, Metrics
from provisioning.servers.mqtt_client import MqttAccess
from provisioning.servers.observer import Observer, observe_all
from provisioning.servers.oscore_context import OscoreNumbers
from provisioning.servers.oscore_store import OscoreStore
from provisioning.servers.published_numbers import PublishedNumbers
from provisioning.servers.report_log import ReportLog, Reports
from provisioning.servers.service import Service
from provisioning.servers.signing_clock import ClockError, SigningClock, is_synchronised
from provisioning.servers.tracker import Tracker

PING_S: Final = 2.0
_PING: Final = b"\x40\x00\xfb\x01"  # an empty confirmable message; the answer is a reset (RFC 7252 4.3)
_PONG: Final = b"\x70\x00\xfb\x01"


class SharedState(Protocol):
    """The state that several server processes share (provisioning/shared_store)."""

    @property
    def reports(self) -> Reports:
        """Return where the reports are kept."""

    @property
    def id(self) -> bytes:
        """Return a name that no other shared state has."""

    def numbers(self, store: OscoreStore) -> OscoreNumbers:
        """Return OSCORE numbers for the units of a credential store. Raises ServerError, OSError."""

    def check(self) -> None:
        """Ask for something. Raises ServerError if it does not answer."""

    def close(self) -> None:
        """Close every connection."""


@dataclass(frozen=True)
class ServerPlan:
    """The servers to run: at least one of `mqtt` (the tracker's connection) and `coap` (address, credential store)."""

    class_ids: Sequence[bytes]
    store_of: Callable[[bytes], ReleaseStore]  # opens the release store of a class id
    state: Path
    signer: Signer
    mqtt: MqttAccess | None = None
    coap: tuple[str, int] | None = None
    oscore: Path | None = None
    health: tuple[str, int] | None = None
    is_keyset_named: bool = False  # published_numbers.py, rule 3
    shared: SharedState | None = None  # None: this process is alone
    is_clock_trusted: bool = False  # sign although the kernel does not report a synchronised clock


class MakerServers(Service):
    """The servers of a plan. start() returns when the ports are open; the broker is connected in the background."""

    def __init__(self, plan: ServerPlan, observe: Observer) -> None:
        """Prepare the servers; start() opens the ports. Raises AccessFilesError, ClockError, OSError."""
        self._plan = plan
        self._name = "coap" if plan.mqtt is None else "tracker"
        self._stack = ExitStack()
        self._stores = [plan.store_of(class_id) for class_id in plan.class_ids]
        self._numbers = {
            store.class_id: PublishedNumbers(store, is_keyset_named=plan.is_keyset_named)
            for store in self._stores
        }
        self.metrics = Metrics(
            classes=self._class_facts,
            units=self._count_units,
            is_ready=lambda: not any(self.readiness().values()),
        )
        self.oscore = None if plan.oscore is None else OscoreStore(plan.oscore)
        self.tracker = Tracker(
            plan.signer,
            self._numbers,
            now=self._now,
            observe=observe_all([self.metrics, observe]),
            log=plan.shared.reports
            if plan.shared is not None
            else ReportLog(plan.state / f"{self._name}-reports.jsonl"),
        )
        self._clock: SigningClock | None = None
        self.link = None if plan.mqtt is None else BrokerLink(self.tracker, plan.mqtt)
        self.coap: CoapServer | None = None
        self.health: HealthServer | None = None

    def start(self) -> None:
        """Start every part. Raises PortBusyError, FolderInUseError, ClockError, TrackerError, ServerError, OSError."""
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()

    def _start(self, stack: ExitStack) -> None:
        plan = self._plan
        if plan.shared is not None:
            stack.callback(plan.shared.close)
        name = self._name
        stack.enter_context(FolderLock(plan.state, name))
        self._clock = SigningClock(
            plan.state / f"{name}.clock",
            is_synchronised=(lambda: True) if plan.is_clock_trusted else is_synchronised,
        )
        self._check_key()
        if plan.health is not None:
            self.health = stack.enter_context(
                HealthServer(
                    plan.health, alive=self.liveness, ready=self.readiness, metrics=self.metrics.text
                )
            )
        if plan.coap is not None and self.oscore is not None:
            stack.enter_context(FolderLock(self.oscore.directory, "server"))
            host, port = plan.coap
            self.oscore.claim("" if plan.shared is None else plan.shared.id.hex())
            numbers = None if plan.shared is None else plan.shared.numbers(self.oscore)
            self.coap = stack.enter_context(
                CoapServer(self._stores, self.oscore, self.tracker, host=host, port=port, numbers=numbers)
            )
        if self.link is not None:
            stack.enter_context(self.link)

    def stop(self) -> None:
        """Stop every part, in the reverse order of their start."""
        self._stack.close()

    def liveness(self) -> Mapping[str, str]:
        """Return, for each part, why it needs a restart; the text is empty if it does not."""
        is_dead = self.coap is not None and not self.coap.is_running
        return {"coap": "its thread ended" if is_dead else ""}

    def readiness(self) -> Mapping[str, str]:
        """Return, for each part, why it does not answer; the text is empty if it does."""
        checks: dict[str, str] = {}
        if self.link is not None:
            checks["broker"] = "" if self.link.is_connected else self.link.reason or "not connected"
        if self._plan.coap is not None:
            checks["coap"] = self._ping()
        if self._plan.shared is not None:
            checks["database"] = self._problem_of(self._plan.shared.check)
        checks["clock"] = self._problem_of(self._now)
        checks["store"] = next((one for one in map(self._store_problem, self._stores) if one), "")
        return checks

    def _now(self) -> int:
        if self._clock is None:
            raise ClockError("the servers have not started")
        return self._clock()

    def _problem_of(self, read: Callable[[], object]) -> str:
        try:
            read()
        except (ServerError, OSError) as error:
            return str(error)
        return ""

    def _store_problem(self, store: ReleaseStore) -> str:
        numbers = self._numbers[store.class_id]
        numbers.current()
        return numbers.problem or ""

    def _check_key(self) -> None:
        """Let the key sign once (rule 3). No product has the class of this record, so nobody can use it."""
        payload = freshness.encode_payload(bytes(16), bytes(16), 0, 0, 0)
        try:
            sign_record(payload, freshness.TYP, self._plan.signer)
        except (OSError, ValueError, LmsStateError) as error:
            raise TrackerError(f"the tracker's key does not sign: {error}") from error

    def _ping(self) -> str:
        """Return whether the CoAP port answers (RFC 7252 4.3)."""
        if self.coap is None:
            return "not started"
        host = "127.0.0.1" if self.coap.host in ("", "0.0.0.0") else self.coap.host  # noqa: S104 - compared, not bound
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.settimeout(PING_S)
                probe.connect((host, self.coap.port))
                probe.send(_PING)
                return "" if probe.recv(16) == _PONG else "the port answers in another protocol"
        except OSError as error:
            return f"the port does not answer: {error}"

    def _class_facts(self) -> Mapping[str, ClassFacts]:
        """Return the facts of every class whose store can be read; /readyz names the others."""
        found = {}
        for store in self._stores:
            try:
                files, size = store.totals()
            except (ServerError, OSError):
                continue
            found[store.class_id.hex()] = ClassFacts(
                files, size, *self._numbers[store.class_id].current()[:2]
            )
        return found

    def _count_units(self) -> int:
        return 0 if self.oscore is None else self.oscore.count()
