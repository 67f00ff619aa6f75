"""Parts that tests of the case store share: a store with a clock that the test moves, and a scripted mail server."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from provisioning.disclosure import desk, outbox, reception
from provisioning.disclosure.case import Case
from provisioning.disclosure.desk import Decision
from provisioning.disclosure.journal import Journal, journal_path
from provisioning.disclosure.outbox import Delivered
from provisioning.disclosure.promise import Promise
from provisioning.disclosure.reception import Incoming, Receipt
from provisioning.disclosure.states import Step
from provisioning.disclosure.store import CaseStore
from provisioning.product.product import load_product

ROOT = Path(__file__).parents[4]
PRODUCT_FILE = ROOT / "examples" / "product" / "product.toml"
PRODUCT = load_product(PRODUCT_FILE)
DAY_S = 86400
# a Tuesday, in winter time, so that London has UTC
START_S = int(dt.datetime(2026, 12, 1, 10, 0, tzinfo=dt.UTC).timestamp())
SENDER = "security@example.com"
ADA, BEN = "ada@reporter.example", "ben@reporter.example"


@dataclass
class Clock:
    """The time of a store, which only the test moves."""

    now_s: int = START_S

    def __call__(self) -> int:
        return self.now_s

    def go(self, days: float = 0, hours: float = 0) -> None:
        self.now_s += int(days * DAY_S + hours * 3600)


@dataclass
class FakeServer:
    """A mail server: accepts, unless `answers` has something else for the next message."""

    answers: list[Exception] = field(default_factory=list)
    after_handover: list[BaseException] = field(default_factory=list)
    mails: list[tuple[str, bytes]] = field(default_factory=list)

    def send(self, data: bytes, sender: str, recipient: str, before: Callable[[], None]) -> None:
        if self.answers:
            raise self.answers.pop(0)
        before()
        if self.after_handover:
            raise self.after_handover.pop(0)
        self.mails.append((recipient, data))


class Cases:
    """A store and what a test does with it."""

    def __init__(self, place: Path | str, files: Path | None = None) -> None:
        self.clock = Clock()
        self.store = CaseStore.create(place, files=files, now=self.clock)
        self.server = FakeServer()
        desk.record_promise(self.store, promise(), "E. Example")

    def report(
        self, address: str | None = ADA, text: str = "The reset does not erase.", **more: object
    ) -> Receipt:
        return reception.receive(self.store, Incoming("mail", text, address=address, **more))  # type: ignore[arg-type]

    def case(self, code: str) -> Case:
        return desk.load(self.store, code)

    def decide(self, code: str, step: Step, **facts: object) -> Case:
        decision = Decision("E. Example", self.case(code).version, reason="seen")
        return desk.decide(self.store, code, step, decision, facts)

    def journal(self) -> Journal:
        return Journal(journal_path(self.store.database.location))

    def deliver(self) -> Delivered:
        return outbox.deliver(self.store, self.journal(), self.server, SENDER)


def promise(free: tuple[dt.date, ...] = (), zone: str = "Europe/London", **contact: str) -> Promise:
    details = (
        PRODUCT.contact
        if not contact
        else PRODUCT.contact.__class__(**{**PRODUCT.contact.__dict__, **contact})
    )
    return Promise.of(details, PRODUCT.manufacturer.name, zone, free)
