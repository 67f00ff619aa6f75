"""The report form of the maker's site: no account, no personal data, and a code with which answers are read.

Rules:
1. A report needs a text and nothing else (SI 2023/1007 Schedule 1 paragraph 2(3)(d), RP-04). The address is optional.
2. A reporter without an address gets a token, shown once. It goes over in forms, never in an address, so no log of a
   server or browser holds it. It shows this reporter's messages and notices, the state, and nothing else of the case.
3. A form that is sent twice is one report: each form has a random key.
4. Reports of all visitors in an hour are bounded. Beyond the bound the page names the mail address instead, so a flood
   does not fill the store, and nobody is lost without notice. A form that does not arrive in time stores nothing.
5. The pages work without script. Everything is escaped; nothing is loaded from another host. Addresses are relative, so
   a web server may show the form below any path that ends with "/".
6. A form of another site is accepted: there is no session that it could use, and its author could send it directly.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from provisioning.disclosure import desk, reception, states
from provisioning.disclosure.errors import CaseError
from provisioning.disclosure.mime import plain
from provisioning.disclosure.models import Message, Outgoing, Reporter
from provisioning.disclosure.promise import Promise
from provisioning.disclosure.reception import Incoming, Receipt
from provisioning.disclosure.store import CaseStore
from provisioning.html_templates import environment
from provisioning.mail_address import is_address
from provisioning.page_forms import HEADERS, SLOW_FORM, SlowFormError, read_form

LONGEST_REPORT: Final = 20_000  # characters
FORM_BYTES: Final = 12 * LONGEST_REPORT + 4096  # a character takes up to 12 bytes in a form
HOURLY_MOST: Final = 60
_HOUR_S: Final = 3600
_KEY: Final = re.compile(r"[0-9a-f]{32}")
_HERE: Final = Path(__file__).parent / "templates"
UNKNOWN: Final = "We have no report with this code. Check it, and try again."
TOO_LARGE: Final = f"The report has more than {LONGEST_REPORT} characters. Send the most important part."
NO_TEXT: Final = "Describe the problem first."
NO_ADDRESS: Final = "The email address is not valid. Correct it, or leave it empty."
BUSY: Final = "The form gets too many reports at the moment. Please write to {contact} instead."
FAILED: Final = "We could not store your report. Please try again later, or write to {contact}."


@dataclass(frozen=True)
class Entry:
    """One message on the status page."""

    time_s: int
    is_yours: bool
    text: str
    time_text: str


@dataclass(frozen=True)
class View:
    """The part of a case that a reporter with a token sees."""

    code: str
    state: str
    next_text: str
    entries: tuple[Entry, ...]


class Pages:
    """The handlers. One instance serves one store."""

    def __init__(self, store: CaseStore, hourly_most: int = HOURLY_MOST) -> None:
        self.store = store
        self._hourly_most = hourly_most
        self._recent: deque[int] = deque()
        self._gate = threading.Lock()
        self._templates = environment(_HERE)

    async def form(self, request: Request) -> Response:
        return await self._form_page()

    async def style(self, _: Request) -> Response:
        return Response((_HERE / "form.css").read_bytes(), media_type="text/css", headers=HEADERS)

    async def report(self, request: Request) -> Response:
        fields = await read_form(request, FORM_BYTES)
        if fields is None:
            return await self._form_page(413, TOO_LARGE)
        text, address = plain(fields.get("report", "")), fields.get("address", "").strip()
        shown = {"text": text[:LONGEST_REPORT], "address": address[:320]}
        problem = _problem(text) or (NO_ADDRESS if address and not is_address(address) else "")
        if problem:
            return await self._form_page(400, problem, **shown)
        if not self._has_place():
            return await self._form_page(503, BUSY, **shown)
        try:
            incoming = Incoming(
                reception.FORM, text, address=address or None, raw_digest=_form_digest(fields)
            )
            receipt = await asyncio.to_thread(reception.receive, self.store, incoming)
        except CaseError:
            return await self._form_page(503, FAILED, **shown)
        return await self._received(receipt)

    async def status_form(self, _: Request) -> Response:
        return await self._page("status.html", view=None, note="", token="")

    async def status(self, request: Request) -> Response:
        fields = await read_form(request, FORM_BYTES)
        return await self._status_page((fields or {}).get("token", ""), "")

    async def add(self, request: Request) -> Response:
        fields = await read_form(request, FORM_BYTES)
        if fields is None:
            return await self._page("status.html", 413, view=None, note=TOO_LARGE, token="")
        token, text = fields.get("token", ""), plain(fields.get("report", ""))
        reporter = await asyncio.to_thread(self._reporter, token)
        if reporter is None:
            return await self._page("status.html", 404, view=None, note=UNKNOWN, token="")
        problem = _problem(text) or ("" if self._has_place() else BUSY)
        if problem:
            return await self._status_page(token, problem, 400)
        incoming = Incoming(reception.FORM, text, reporter=reporter, raw_digest=_form_digest(fields))
        try:
            await asyncio.to_thread(reception.receive, self.store, incoming)
        except CaseError:
            return await self._status_page(token, FAILED, 503)
        return await self._status_page(token, "We received your message.")

    async def slow(self, request: Request, _: Exception) -> Response:
        return await self._form_page(408, SLOW_FORM)

    # Inside ------------------------------------------------------------------------------------------------------

    def _has_place(self) -> bool:
        """Count a report. Return False if the hour has no place for it (rule 4)."""
        now = self.store.now()
        with self._gate:
            while self._recent and self._recent[0] <= now - _HOUR_S:
                self._recent.popleft()
            if len(self._recent) >= self._hourly_most:
                return False
            self._recent.append(now)
            return True

    def _promise(self) -> Promise:
        with self.store.reading() as session:
            return desk.promise_in_force(session)[1]

    def _reporter(self, token: str) -> str | None:
        with self.store.reading() as session:
            found: Reporter | None = reception.reporter_of(session, token)
        return None if found is None else found.id

    async def _page(self, name: str, status: int = 200, **values: Any) -> Response:
        promise = await asyncio.to_thread(self._promise)
        note = values.pop("note", "").format(contact=promise.contact.removeprefix("mailto:"))
        shown = {
            "promise": promise,
            "note": note,
            "key": secrets.token_hex(16),
            "longest": LONGEST_REPORT,
            **values,
        }
        return HTMLResponse(self._templates.get_template(name).render(**shown), status, headers=HEADERS)

    async def _form_page(self, status: int = 200, note: str = "", **values: str) -> Response:
        return await self._page("report.html", status, **{"note": note, "text": "", "address": "", **values})

    async def _received(self, receipt: Receipt) -> Response:
        return await self._page(
            "received.html", code=receipt.case, token=receipt.token, is_known=receipt.is_known
        )

    async def _status_page(self, token: str, note: str, status: int = 200) -> Response:
        view = await asyncio.to_thread(self._view, token)
        if view is None:
            return await self._page("status.html", 404, view=None, note=UNKNOWN, token="")
        return await self._page("status.html", status, view=view, note=note, token=token)

    def _view(self, token: str) -> View | None:
        with self.store.reading() as session:
            reporter = reception.reporter_of(session, token)
            if reporter is None:
                return None
            received = list(session.scalars(select(Message).where(Message.reporter == reporter.id)))
            sent = list(session.scalars(select(Outgoing).where(Outgoing.reporter == reporter.id)))
            case = desk.case_of(session, reception.continued(session, received[0].case_code))
        clock = case.promise.text_of
        entries = [
            Entry(one.received_s, True, one.text or "(erased)", clock(one.received_s)) for one in received
        ]
        entries += [Entry(one.queued_s, False, one.text or "(erased)", clock(one.queued_s)) for one in sent]
        last_s = case.informed_s(reporter.id)
        first_s = case.reporters.get(reporter.id, case.received_s)
        limit = (
            case.promise.acknowledgement_due(first_s) if last_s is None else case.promise.update_due(last_s)
        )
        next_text = clock(limit) if states.is_open(case.state) else ""
        return View(case.code, str(case.state), next_text, tuple(sorted(entries, key=lambda one: one.time_s)))


def _problem(text: str) -> str:
    if not text.strip():
        return NO_TEXT
    return TOO_LARGE if len(text) > LONGEST_REPORT else ""


def _form_digest(fields: dict[str, str]) -> bytes | None:
    """Return what makes a form that is sent twice one report (rule 3); None for a form without a key of ours."""
    key = fields.get("key", "")
    if _KEY.fullmatch(key) is None:
        return None
    return hashlib.sha256(b"firstboot report form\0" + key.encode()).digest()


def make_app(store: CaseStore, hourly_most: int = HOURLY_MOST) -> Starlette:
    """Return the application of the form, to be put after the maker's web server."""
    pages = Pages(store, hourly_most)
    return Starlette(
        routes=[
            Route("/", pages.form, methods=["GET"]),
            Route("/form.css", pages.style, methods=["GET"]),
            Route("/report", pages.report, methods=["POST"]),
            Route("/status", pages.status_form, methods=["GET"]),
            Route("/status", pages.status, methods=["POST"]),
            Route("/add", pages.add, methods=["POST"]),
        ],
        exception_handlers={SlowFormError: pages.slow},
    )
