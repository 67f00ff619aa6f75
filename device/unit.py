"""A provisioned unit: what the local pages may ask of it, and the tasks that keep it up to date.

Rules:
1. Before set-up the pages are the only task; updates start when the owner's credential is stored (PW-02).
2. What anyone may read is public_info() and the statement; everything else is behind a session (SE-06).
3. Nothing here decides: life cycle, throttle, support period and updates have modules of their own.
"""

import asyncio

from device import contact, identity, lifecycle, store, support
from device.compat import const
from device.crypto import backend, der
from device.errors import FirstbootError
from device.events import Events
from device.onboarding import Owner
from device.sources import load_sources
from device.store import Store
from device.timekeeper import TimeKeeper
from device.trust import anchors as trust_anchors
from device.trust.verify import verify_record
from device.update.service import UpdateService
from device.update.trial import Trials
from device.updater import Updater
from device.version import version_text
from device.web.app import create_app
from device.web.server import create_handler

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Generator

    from device.agent import Ports
    from device.update.slots import BootState

HTTPS_PORT = 443
STATEMENT_TYP = "application/vnd.firstboot.statement+json"


class Unit:
    """Raises StorageError, CodecError, TrustError where a factory record cannot be used."""

    def __init__(self, ports: "Ports", boot_state: "BootState") -> None:
        self._ports = ports
        self.version = version_text(ports.boot.version)
        self._device = Store(ports.mount(store.DEVICE), store.DEVICE)
        self._user = Store(ports.mount(store.USER), store.USER)
        self._anchors = trust_anchors.decode(self._device.require("anchors"))
        self._identity = identity.decode(self._device.require("identity"))
        self._contact = contact.decode(self._record("contact", contact.TYP, trust_anchors.ROLE_SUPPORT))
        self._statement = self._record("statement", STATEMENT_TYP, trust_anchors.ROLE_SIGNATORY)
        self._web_certificate = self._device.require("web.crt")
        self._owner = Owner(
            self._device,
            self._user,
            ports.clock,
            ports.entropy,
            ports.board.PBKDF2_ITERATIONS,
            der.certificate_facts(self._web_certificate).common_name,
        )
        self._owner.repair()
        self._owned = asyncio.Event()
        trials = Trials(ports.boot, boot_state, self._device)
        self._time = TimeKeeper(
            ports.clock, max(self._anchors.build_time_floor_s, trials.progress.time_floor_s)
        )
        self._updates = UpdateService(
            trials=trials,
            store=self._device,
            events=Events(self._user),
            anchors=self._anchors,
            time=self._time,
            entropy=ports.entropy,
            version=self.version,
            pause=_pause,
        )
        reverted = trials.reconcile()
        if reverted is not None:
            self._updates.note(reverted)
            ports.say(reverted.describe())
        if self._owner.state() == lifecycle.INITIALISED:
            self._owned.set()

    def _record(self, name: str, typ: str, role: int) -> bytes:
        return verify_record(self._device.require(name), typ, role, self._anchors, backend)

    # tasks -----------------------------------------------------------------------------------------------
    def tasks(self) -> "list[Any]":
        """The coroutines that make this unit answer."""
        return [self._serve_pages(), self._keep_updated()]

    async def _serve_pages(self) -> None:
        private = self._device.require("web.key")
        key = der.ec_private_key(private, backend.p256_public(private))
        listener = await self._ports.network.serve_tls(
            HTTPS_PORT, self._web_certificate, key, create_handler(create_app(self))
        )
        try:
            await asyncio.Event().wait()
        finally:
            await listener.close()

    async def _keep_updated(self) -> None:
        await self._owned.wait()
        sources, interval_s = load_sources(
            self._device,
            self._ports.network,
            self._ports.clock,
            self._ports.entropy,
            self._identity.device_id,
            self._anchors.class_id,
        )
        updater = Updater(
            self._updates, sources, interval_s, self._ports.boot, self._ports.entropy, self._ports.say
        )
        await asyncio.gather(updater.run(), updater.watch_trial())

    # the pages' facade (device/web/facade.py) --------------------------------------------------------------
    def state(self) -> str:
        return self._owner.state()

    def random_bytes(self, length: int) -> bytes:
        found: bytes = self._ports.entropy.random_bytes(length)
        return found

    def ticks_ms(self) -> int:
        now_ms: int = self._ports.clock.ticks_ms()
        return now_ms

    def ticks_diff(self, later: int, earlier: int) -> int:
        passed_ms: int = self._ports.clock.ticks_diff(later, earlier)
        return passed_ms

    def statement(self) -> bytes:
        return self._statement

    def public_info(self) -> "dict[str, Any]":
        """Declared public information: no serial, no version, no owner (SE-06)."""
        record = self._support_record()
        return {
            "model": self._identity.model,
            "brand": self._identity.brand,
            "manufacturer": self._identity.manufacturer,
            "support": {
                "end_date": support.date_text(record.end_day),
                "sentence": support.sentence(self._identity.model, record.end_day),
            },
            "contact": {
                "contact": self._contact.contact,
                "acknowledgement": self._contact.acknowledgement,
                "status_updates": self._contact.status_updates,
                "policy": self._contact.policy,
            },
            "statement_sha256": _hex(backend.sha256(self._statement)),
        }

    def status(self) -> "dict[str, Any]":
        """What the owner sees after sign-in."""
        now_s = self._time.now_s()
        peak, free = self._ports.heap()
        contacted = self._updates.last_contact
        return {
            "version": self.version,
            "state": self.state(),
            "slot": self._ports.boot.slot,
            "is_trial": self._updates.trials.is_trial,
            "support": self._support_status(now_s),
            "time": now_s,
            "update": self._update_status(),
            "last_contact": {"source": contacted[0], "time": contacted[1]} if contacted else None,
            "heap": {"peak_bytes": peak, "free_bytes": free},
        }

    async def setup(self, code: str, password: str, is_normalised: bool = False) -> None:
        """Make the caller the owner; updates start now. Raises what Owner.set_up raises."""
        await _finish(self._owner.set_up(code, password, is_normalised))
        self._owned.set()

    async def login(self, password: str) -> None:
        """Return when `password` is the owner's. Raises what Owner.sign_in raises."""
        await _finish(self._owner.sign_in(password))

    # inside ------------------------------------------------------------------------------------------------
    def _support_record(self) -> "support.SupportRecord":
        return support.decode(self._record("support", support.TYP, trust_anchors.ROLE_SUPPORT))

    def _support_status(self, now_s: "int | None") -> "dict[str, Any]":
        record = self._support_record()
        found = support.support_state(record, now_s)
        return {
            "state": found.state,
            "end_date": support.date_text(record.end_day),
            "days_left": found.days_left,
            "sentence": support.sentence(self._identity.model, record.end_day),
        }

    def _update_status(self) -> "dict[str, Any]":
        updates = self._updates
        error = updates.last_error
        total = updates.total_chunks
        return {
            "state": updates.state,
            "sequence": updates.trials.progress.manifest_sequence,
            "progress": updates.done_chunks * 100 // total if total else None,
            "last_error": _error_fields(error) if error is not None else None,
            "events": [
                {"time": entry[0] or None, "code": entry[1], "text": entry[2]} for entry in updates.events
            ],
        }


def _error_fields(error: "FirstbootError") -> "dict[str, Any]":
    return {"code": error.code, "name": type(error).__name__, "text": error.describe()}


def _hex(data: bytes) -> str:
    return "".join(["{:02x}".format(byte) for byte in data])


async def _pause() -> None:
    await asyncio.sleep(0)


async def _finish(steps: "Generator[None, None, None]") -> None:
    """Run a generator to its end; others run between its steps."""
    for _ in steps:
        await asyncio.sleep(0)
