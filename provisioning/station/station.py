"""The factory station takes one unit from bare firmware to locked, labelled and recorded.

Rules:
1. The order is that of docs/design.md, Factory; a unit passes only after its lock was proved.
2. If a run is interrupted, the next run with the same unit has the same result: before the lock it starts again with
   the same identity and a new code; after the lock it proves the unit and records it.
3. A unit that failed is quarantined (provisioning/station/aftermath.py).
4. A unit that has passed is refused, whatever its port reports.
5. Development keys, builds and seeds are refused without `development`; with it, label and registry show it.
6. The set-up code is in the run, on the label, and in the result's hidden field; nowhere else (PR-02).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from device.errors import FirstbootError
from device.records import contact, store, support
from provisioning.compliance.carried import statement_record
from provisioning.keys.keyset import KeySetPlan
from provisioning.product import record
from provisioning.product.label_template import STANDARD, Template
from provisioning.product.product import Product
from provisioning.registry.registry import AlreadyPassedError, Registry
from provisioning.registry.sealed import ServerKey
from provisioning.release.release import sign_record
from provisioning.station.aftermath import settle
from provisioning.station.label_words import Words
from provisioning.station.labels import SERIAL_DIGITS, LabelError, require_room
from provisioning.station.link import ByteStream, FactoryLink
from provisioning.station.phases import Outcome, Phase, PhaseResult, Progress, failed, no_progress, run_phases
from provisioning.station.run import UnitRun
from provisioning.station.shift_clock import ShiftClock
from provisioning.station.steps import FIRST_PHASES, LOCKED_PHASES, OPEN_PHASES

if TYPE_CHECKING:
    from provisioning.keys.key_ring import KeyRing

BATCH_DOCUMENTS: Final = ("support", "contact", "statement")


class StationError(Exception):
    """The station cannot start with these settings."""


class UnitFailedError(Exception):
    """A run did not pass. `phases` holds its results; the text names the phase and the reason, without secrets."""

    def __init__(self, phases: tuple[PhaseResult, ...]) -> None:
        self.phases = phases
        self.result = failed(phases)
        name, outcome = (self.result.name, self.result.outcome) if self.result else ("", Outcome.ERROR)
        super().__init__(f"{name}: {outcome}: {self.result.error if self.result else 'no phase ran'}")

    @property
    def outcome(self) -> Outcome:
        return self.result.outcome if self.result else Outcome.ERROR


class UnitRefusedError(UnitFailedError):
    """The unit has passed already; nothing was changed."""


@dataclass(frozen=True)
class StationConfig:
    """The settings of a station.

    `labels_dir` gets one PNG per unit. `archive_dir` holds the issued statements; without it only development units
    can be made. `oscore_key`: the CoAP server's public key, to which OSCORE secrets are sealed before they reach the
    registry; required if the product names a CoAP server.
    """

    product: Product
    labels_dir: Path
    development: bool = False
    expected_image_digest: bytes | None = None
    archive_dir: Path | None = None
    label_template: Template = STANDARD
    label_words: Words = field(default_factory=Words)
    oscore_key: ServerKey | None = None
    station_name: str = "station"
    timeout_s: float = 5.0
    attempts: int = 4


@dataclass(frozen=True)
class UnitResult:
    """A unit that passed. `setup_code` is secret and for the label only.

    It is None if this run continued after the lock: then only the label has the code.
    """

    device_id: bytes
    serial: str
    label_path: Path
    phases: tuple[PhaseResult, ...]
    record_hash: bytes
    is_resumed: bool
    is_development: bool
    setup_code: str | None = field(repr=False)


def _require_allowed(config: StationConfig, keys: KeyRing) -> None:
    if keys.is_development and not config.development:
        raise StationError(
            "these are development keys, for units that are not for sale: to make such units, add --development"
        )
    if config.oscore_key is None and any(server.transport == "coap" for server in config.product.servers):
        raise StationError(
            "the product names a CoAP server: give the server's public key with --oscore-key. Without it no CoAP server"
            " can answer these units. `firstboot keys generate server` makes the key on the server."
        )


def _fitting(name: str, data: bytes) -> bytes:
    """Return `data` if a unit takes a record `name` of this size. Raises StationError."""
    limit = next(one.max_bytes for one in store.RECORDS if one.name == name)
    if len(data) > limit:
        raise StationError(f"the record {name} has {len(data)} bytes; a unit takes at most {limit}")
    return data


class Station:
    """A station for one batch; it provisions units one after the other.

    Raises StationError (development keys, no key of the CoAP server), BatchError, StatementError, RegistryError.
    """

    def __init__(
        self,
        config: StationConfig,
        registry: Registry,
        keys: KeyRing,
        *,
        log: Callable[[str], None] | None = None,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
        now: Callable[[], int] = lambda: int(time.time()),
    ) -> None:
        _require_allowed(config, keys)
        self.config = config
        self.registry = registry
        self.keys = keys
        self.now = now
        self.random_bytes = random_bytes
        self.is_development = keys.is_development or config.development
        self.device_ca = keys.device_ca
        self._log = log
        self.clock = ShiftClock(now)
        product = config.product
        self._require_records()
        self._opened_s = registry.open_batch(
            product.batch,
            product.model,
            product.declared_digest,
            is_development=self.is_development,
            serial_prefix=product.serial_prefix,
            numbers=product.numbers,
        )
        # a record that cannot be made stops the batch here, not at its first unit
        for name in (*BATCH_DOCUMENTS, "anchors", "servers"):
            self.batch_record(name)

    def _require_records(self) -> None:
        """Raise StationError if a text of the product is too long for a record or the label. Uses no serial number."""
        product = self.config.product
        serial = product.serial_prefix + "9" * SERIAL_DIGITS
        try:
            record.identity_record(product, bytes(16), serial)
            config = self.config
            require_room(
                product, config.label_template, config.label_words, is_development=self.is_development
            )
        except FirstbootError as error:
            raise StationError(f"the product does not fit into a unit: {error.describe()}") from None
        except LabelError as error:
            raise StationError(f"the label has no room: {error}") from None

    def batch_record(self, name: str) -> bytes:
        """Return the record that all units of the batch carry under this name.

        Raises StationError if no unit takes a record of this size: before it is stored and before a serial is used.
        """
        product, keys = self.config.product, self.keys
        makers: dict[str, Callable[[], bytes]] = {
            "support": lambda: sign_record(
                record.support_payload(product, self._opened_s), support.TYP, keys.signer("support")
            ),
            "contact": lambda: sign_record(
                record.contact_payload(product), contact.TYP, keys.signer("support")
            ),
            "statement": lambda: statement_record(
                product,
                self.config.archive_dir,
                keys,
                is_development=self.is_development,
                issued=dt.datetime.fromtimestamp(self._opened_s, dt.UTC).date(),
            ),
            "anchors": lambda: record.anchors_record(
                product, keys.anchor_keys(), self._opened_s, KeySetPlan.find(keys.directory)
            ),
            "servers": lambda: record.servers_record(product, keys.server_ca_der),
        }

        def make() -> bytes:
            return _fitting(name, makers[name]())

        if name in BATCH_DOCUMENTS:
            return self.registry.document(product.batch, name, make)
        return make()

    def provision(self, stream: ByteStream, progress: Progress = no_progress) -> UnitResult:
        """Provision the unit on `stream`.

        Raises UnitRefusedError if the unit has passed already, UnitFailedError if the run did not pass, and
        KeyboardInterrupt after the interrupted run was recorded.
        """
        link = FactoryLink(
            stream, timeout_s=self.config.timeout_s, attempts=self.config.attempts, log=self._log
        )
        run = UnitRun(self, link)
        caught = run_phases(FIRST_PHASES, run, progress, run.results)
        if caught is None:
            phases: tuple[Phase[UnitRun], ...] = LOCKED_PHASES if run.completed is not None else OPEN_PHASES
            caught = run_phases(phases, run, progress, run.results)
        results = settle(run, run.results, caught)
        self._note(run, results, caught)
        if isinstance(caught, KeyboardInterrupt):
            raise caught
        if caught is not None:
            # The cause stays out: its traceback holds the run, and the run holds the code.
            kind = UnitRefusedError if isinstance(caught, AlreadyPassedError) else UnitFailedError
            raise kind(tuple(results)) from None
        return UnitResult(
            device_id=run.device_id,
            serial=run.serial,
            label_path=run.label_path,
            phases=tuple(results),
            record_hash=run.record_hash,
            is_resumed=run.is_resumed,
            is_development=self.is_development,
            setup_code=run.code,
        )

    def _note(self, run: UnitRun, results: list[PhaseResult], caught: BaseException | None) -> None:
        """Store the phases if the pass did not. A registry that fails here must not hide why the run failed."""
        if run.is_recorded:
            return
        with contextlib.ExitStack() as stack:
            if caught is not None:
                stack.enter_context(contextlib.suppress(Exception))
            self.registry.add_phases(secrets.token_hex(8), run.unit_id, results)
