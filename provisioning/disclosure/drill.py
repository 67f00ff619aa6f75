"""A rehearsal of security reports in virtual time: three reporters, SMTP and IMAP on loopback, 40 days in seconds.

Rules:
1. Ada answers, Ben does not, and the third is anonymous. Ada's and Ben's reports are about one problem.
2. The maker of the drill does the things that are due, and nothing else, by the operations that the commands use.
3. The mail server is down for four days. After that every reporter has every notice once.
4. Each day is checked: nothing is overdue, and the advisories' folder is built and shows what may be public, and only
   that (`drill_public.py`). At the end: the notices of each reporter in their order, no Message-ID twice, the figures,
   and the signed log.
"""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path
from typing import Final

from provisioning.disclosure import advisory, consistency, desk, drill_public, outbox, reception, states
from provisioning.disclosure.case import Case
from provisioning.disclosure.clocks import ACKNOWLEDGEMENT, STATUS_UPDATE, due, punctuality
from provisioning.disclosure.desk import Decision
from provisioning.disclosure.drill_server import PASSWORD, Inbox, Mailbox, imap_server, smtp_server
from provisioning.disclosure.intake import Intake
from provisioning.disclosure.journal import Journal, journal_path
from provisioning.disclosure.mailbox import ImapServer, take_mailbox
from provisioning.disclosure.promise import Promise
from provisioning.disclosure.reception import Incoming
from provisioning.disclosure.signatures import Signing
from provisioning.disclosure.smtp import SmtpServer, SmtpTransport
from provisioning.disclosure.spool import Spool
from provisioning.disclosure.states import Step
from provisioning.disclosure.store import CaseStore
from provisioning.product.product import Product

BY: Final = "Drill"
SENDER: Final = "security@maker.example"
ADA: Final = "ada@reporter.example"
BEN: Final = "ben@reporter.example"
ADA_WORDS: Final = "A reset leaves what I typed before."
BEN_WORDS: Final = "After a reset I could sign in with the old one."
FORM_WORDS: Final = "The status page loads slowly."
MORE_WORDS: Final = "It happens with the button and with the page."
SLOW: Final = "A page that loads slowly"
DAYS: Final = 40
DOWN: Final = range(10, 14)  # days without a mail server
PUBLISHED: Final = 30  # the day on which the embargo ends
_PRIVATE: Final = (ADA, BEN, ADA_WORDS, BEN_WORDS, FORM_WORDS, MORE_WORDS, SLOW)
_DAY_S: Final = 86400
_EARLY_S: Final = 6 * _DAY_S  # the maker informs so long before it is due: longer than the outage
_MAIN, _OTHER, _ANONYMOUS = "SR-{year}-0001", "SR-{year}-0002", "SR-{year}-0003"


@dataclass
class Drill:
    """One rehearsal. `lines`: what happened, for a person; `problems`: every failed check."""

    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    received: dict[str, list[str]] = field(default_factory=dict)  # reporter -> subjects, in order


class _World:
    """The store, the servers and the clock of a drill."""

    def __init__(self, folder: Path, product: Product, promise: Promise, start_s: int, drill: Drill) -> None:
        self.now_s, self.start_s, self.drill = start_s, start_s, drill
        self.product, self.public = product, folder / "public"
        self.store = CaseStore.create(folder / "reports.db", now=lambda: self.now_s)
        self.intake = Intake(self.store, Spool(folder / "spool"))
        self.box, self.inbox = Mailbox(), Inbox()
        self.token = ""
        self.signing: Signing | None = None
        year = dt.datetime.fromtimestamp(start_s, dt.UTC).year
        self.main, self.other, self.anonymous = (one.format(year=year) for one in (_MAIN, _OTHER, _ANONYMOUS))
        desk.record_promise(self.store, promise, BY)

    @property
    def day(self) -> int:
        return (self.now_s - self.start_s) // _DAY_S

    def note(self, text: str) -> None:
        self.drill.lines.append(f"day {self.day:2}  {text}")

    def require(self, is_right: bool, problem: str) -> None:
        if not is_right:
            self.drill.problems.append(f"day {self.day}: {problem}")

    def case(self, code: str) -> Case:
        return desk.load(self.store, code)

    def decide(self, code: str, step: Step, **facts: str) -> None:
        decision = Decision(BY, self.case(code).version, reason="drill", link=facts.pop("link", ""))
        desk.decide(self.store, code, step, decision, facts)
        self.note(f"{code}: {step}")


def run(
    folder: Path, product: Product, promise: Promise, start_s: int, signing: Signing | None = None
) -> Drill:
    """Run a drill in an empty folder. `start_s`: the virtual time of its first day. Raises OSError, CaseError."""
    drill = Drill()
    world = _World(folder, product, promise, start_s, drill)
    world.signing = signing
    with ExitStack() as servers:
        servers.callback(world.store.close)
        servers.enter_context(imap_server(world.box))
        port = servers.enter_context(smtp_server(world.inbox))
        for _ in range(DAYS):
            _reporters(world)
            for taken in take_mailbox(world.intake, _imap(world)):
                world.note(f"a mail came: {taken.result} {taken.case}".rstrip())
            _maker(world)
            _send(world, 9 if world.day in DOWN else port)  # nothing listens on port 9 (discard)
            _check_day(world)
            world.now_s += _DAY_S
        _check_end(world)
    return drill


def _imap(world: _World) -> ImapServer:
    return ImapServer("127.0.0.1", world.box.port, "maker", PASSWORD, security="none")


def _send(world: _World, port: int) -> None:
    transport = SmtpTransport(SmtpServer("127.0.0.1", port, security="none"))
    try:
        path = journal_path(world.store.database.location)
        found = outbox.deliver(world.store, Journal(path), transport, SENDER)
    finally:
        transport.close()
    if found.sent or found.waiting:
        world.note(
            f"mail: {found.sent} sent, {found.waiting} wait{'' if found.is_reachable else ', the server is down'}"
        )


def _reporters(world: _World) -> None:
    if world.day == 0:
        world.box.put(_mail(ADA, 1, ADA_WORDS))
        world.box.put(_mail(BEN, 2, BEN_WORDS))
    elif world.day == 1:
        incoming = Incoming(reception.FORM, FORM_WORDS)
        world.token = reception.receive(world.store, incoming).token or ""
        world.note("a report came by the form, without an address")
    elif world.day == 6:
        last = [data for receivers, data in world.inbox.mails if ADA in receivers][-1]
        answers = str(message_from_bytes(last)["Message-ID"])
        world.box.put(_mail(ADA, 3, MORE_WORDS, answers))


def _mail(sender: str, number: int, text: str, answers: str = "") -> bytes:
    more = f"In-Reply-To: {answers}\r\n" if answers else ""
    return f"From: {sender}\r\nMessage-ID: <{number}@reporter.example>\r\n{more}\r\n{text}\r\n".encode()


def _maker(world: _World) -> None:
    for item in due(desk.load_all(world.store).values()):
        if item.what == ACKNOWLEDGEMENT and world.case(item.case).state is states.State.RECEIVED:
            world.decide(item.case, Step.ACKNOWLEDGE)
    _plan(world)
    late = {
        item.case
        for item in due(desk.load_all(world.store).values())
        if item.what == STATUS_UPDATE and item.due_s < world.now_s + _EARLY_S
    }
    for code in sorted(late):
        desk.update(world.store, code, Decision(BY, world.case(code).version, "We are working on it."))
        world.note(f"{code}: update")


def _plan(world: _World) -> None:
    """Take the decisions of the day."""
    if world.day == 3:
        for code, title in ((world.main, drill_public.TITLE), (world.anonymous, SLOW)):
            world.decide(code, Step.TRIAGE, title=title)
    elif world.day == 4:
        world.decide(world.main, Step.CONFIRM)
        desk.merge(world.store, world.other, world.main, Decision(BY, world.case(world.other).version))
        world.note(f"{world.other}: merged into {world.main}")
    elif world.day == 5:
        world.decide(world.anonymous, Step.REJECT)
    elif world.day == 12:  # the mail server is down
        world.decide(world.main, Step.RESOLVE, release="1.0.1")
    elif world.day == 15:
        decision = Decision(BY, world.case(world.main).version, reason="first text")
        advisory.write(world.store, world.main, drill_public.TEXT, decision)
        world.note(f"{world.main}: the advisory is written, and the embargo keeps it")
    elif world.day == 20:
        world.decide(world.anonymous, Step.CLOSE)
    elif world.day == PUBLISHED:
        world.decide(world.main, Step.PUBLISH, link="https://maker.example/advisories/1")
    elif world.day == PUBLISHED + 1:
        world.decide(world.main, Step.CLOSE)


def _check_day(world: _World) -> None:
    cases = desk.load_all(world.store)
    for item in due(cases.values()):
        world.require(not item.is_overdue(world.now_s), f"overdue: {item.case} {item.what}, {item.detail}")
    for case in cases.values():
        is_public = any(event.kind == Step.PUBLISH for event in case.events)
        world.require(case.is_embargoed != is_public, f"{case.code}: its embargo is wrong")
    drill_public.build(world.public, world.product, cases.values(), world.now_s, world.signing)
    main, is_published = cases[world.main], world.day >= PUBLISHED
    for problem in drill_public.problems(world.public, main, is_published, _PRIVATE, world.signing):
        world.require(False, f"the public folder: {problem}")
    if world.day == PUBLISHED:
        signed = ", signed with the OpenPGP key" if world.signing else ""
        world.note(f"page, feeds and document of the advisory are public{signed}")


_WANTED: Final = {
    ADA: ("received your", "confirm", "Another report", "is fixed", "Advisory", "is closed"),
    BEN: ("received your", "continues", "is fixed", "Advisory", "is closed"),
}


def _check_end(world: _World) -> None:
    mails = [(receivers[0], message_from_bytes(data)) for receivers, data in world.inbox.mails]
    numbers = [str(mail["Message-ID"]) for _, mail in mails]
    world.require(len(numbers) == len(set(numbers)), "a notice arrived twice")
    for reporter, wanted in _WANTED.items():
        subjects = [str(mail["Subject"]) for receiver, mail in mails if receiver == reporter]
        world.drill.received[reporter] = subjects
        news = [one for one in subjects if "Status of" not in one]
        is_right = len(news) == len(wanted) and all(
            word in one for word, one in zip(wanted, news, strict=False)
        )
        world.require(is_right, f"{reporter} got other notices: {news}")
    shown = [notice.purpose for notice in world.case(world.anonymous).notices.values()]
    steps = [one for one in shown if one != "update"]
    world.require(
        steps == ["acknowledge", "reject", "close"], f"the anonymous reporter reads other notices: {shown}"
    )
    with world.store.reading() as session:
        world.require(reception.reporter_of(session, world.token) is not None, "the token opens nothing")
    world.require(len(world.case(world.main).messages) == 2, "the answer is not in its case")
    figures = punctuality(desk.load_all(world.store).values(), world.now_s)
    world.require((figures.acknowledged_late, figures.updates_late) == (0, 0), f"late: {figures}")
    report = consistency.verify(world.store)
    world.note(
        f"{figures.acknowledged_in_time} acknowledged in time, {len(mails)} mails,"
        f" {sum(report.chains.values())} events"
    )
