"""The operator's page: tiles of ports, counts, start and stop, search, protected by the station's login.

Rules:
1. Without a session only the sign-in page and its style answer. Every change is a POST from this page: the cookie is
   SameSite=Strict and a foreign Origin is refused.
2. The server renders the pages and they work without script; the script only updates tiles from server-sent events.
3. Nothing is loaded from another host, no address holds a secret, and no page holds a set-up code. A reprinted label
   is the one exception: it is sent by POST, not cached, and recorded in the registry.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from provisioning.html_templates import environment
from provisioning.page_forms import HEADERS, SLOW_FORM, SlowFormError, is_own, read_form
from provisioning.station.line import PortView
from provisioning.station.reprint import ReprintError
from provisioning.station.web.chart import phase_chart
from provisioning.station.web.floor import WORDS, Floor, plain_reason
from provisioning.station.web.hosts import HostCheck, Hosts
from provisioning.station.web.login import Login

COOKIE: Final = "station"
# identifies a browser that signed in before; does not grant access by itself
BROWSER_COOKIE: Final = "station-browser"
ENDED_COOKIE: Final = "station-ended"  # a form came without a session; the sign-in page says so once
BROWSER_S: Final = 180 * 86400
FOREIGN_FORM: Final = "This form did not come from this page. Open the page again."
SESSION_ENDED: Final = "You were signed out, so nothing was done. Sign in, then try again."
FORM_BYTES: Final = 4096
REFRESH_S: Final = 0.25
KEEP_ALIVE_ROUNDS: Final = 60
_HERE: Final = Path(__file__).parent / "templates"
Handler = Callable[[Request], Awaitable[Response]]


class Pages:
    """The handlers. One instance serves one floor."""

    def __init__(self, floor: Floor, login: Login, *, is_tls: bool) -> None:
        self.floor = floor
        self.login = login
        self.is_tls = is_tls
        self._templates = environment(_HERE)

    # Without a session -------------------------------------------------------------------------------------

    async def sign_in_page(self, request: Request) -> Response:
        if self._session(request) is not None:
            return _to("/")
        has_ended = ENDED_COOKIE in request.cookies
        response = self._page("login.html", note=SESSION_ENDED if has_ended else "", is_wrong=False)
        if has_ended:
            response.delete_cookie(ENDED_COOKIE, path="/login")
        return response

    async def sign_in(self, request: Request) -> Response:
        form = await read_form(request, FORM_BYTES)
        if form is None or not is_own(request):
            return self._page("login.html", status=403, note=FOREIGN_FORM, is_wrong=False)
        address = request.client.host if request.client is not None else ""
        client = self.login.client(address, request.cookies.get(BROWSER_COOKIE))
        token = await asyncio.to_thread(self.login.sign_in, form.get("password", ""), client)
        if token is None:
            wait = self.login.wait_s(client)
            note = (
                f"Wait {wait:.0f} seconds, then try again."
                if wait >= 1
                else "The password is wrong. Try again."
            )
            return self._page("login.html", status=429 if wait >= 1 else 403, note=note, is_wrong=True)
        response = _to("/")
        response.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=self.is_tls, path="/")
        if not client.startswith("browser "):
            response.set_cookie(
                BROWSER_COOKIE,
                self.login.known_browser(),
                max_age=BROWSER_S,
                httponly=True,
                samesite="strict",
                secure=self.is_tls,
                path="/login",
            )
        return response

    async def style(self, _: Request) -> Response:
        return Response((_HERE / "operator.css").read_bytes(), media_type="text/css", headers=HEADERS)

    async def script(self, _: Request) -> Response:
        return Response((_HERE / "operator.js").read_bytes(), media_type="text/javascript", headers=HEADERS)

    # With a session ----------------------------------------------------------------------------------------

    async def home(self, request: Request) -> Response:
        session = self._session(request)
        note, session.note = session.note, ""
        parts = await asyncio.to_thread(self._parts)
        return self._page("floor.html", note=note, floor=self.floor, parts=parts)

    async def start(self, request: Request) -> Response:
        await asyncio.to_thread(self.floor.start)
        return self._noted(request, "The batch has started.")

    async def stop(self, request: Request) -> Response:
        await asyncio.to_thread(self.floor.stop)
        return self._noted(request, "The batch has stopped.")

    async def scan(self, request: Request) -> Response:
        return self._asked(request, self.floor.scan, request.state.form.get("text", ""))

    async def retry(self, request: Request) -> Response:
        return self._asked(request, self.floor.retry, request.state.form.get("port", ""))

    async def reprint(self, request: Request) -> Response:
        try:
            data = await asyncio.to_thread(self.floor.reprint, request.state.form.get("serial", ""))
        except ReprintError as error:
            return self._noted(request, str(error))
        return Response(data, media_type="application/pdf", headers=HEADERS)

    async def units(self, request: Request) -> Response:
        query = request.query_params.get("q", "")
        found = await asyncio.to_thread(self.floor.search, query)
        return self._page("units.html", query=query, units=found, floor=self.floor)

    async def sign_out(self, request: Request) -> Response:
        self.login.sign_out(request.cookies.get(COOKIE))
        response = _to("/login")
        response.delete_cookie(COOKIE, path="/")
        return response

    async def events(self, request: Request) -> Response:
        return StreamingResponse(self._changes(request), media_type="text/event-stream", headers=HEADERS)

    async def _changes(self, request: Request) -> AsyncIterator[bytes]:
        """Yield each changed part of the page, until the session or the connection ends."""
        sent: dict[str, str] = {}
        quiet = 0
        while self._session(request) is not None and not await request.is_disconnected():
            parts = await asyncio.to_thread(self._parts)
            changed = {name: text for name, text in parts.items() if sent.get(name) != text}
            changed |= dict.fromkeys(set(sent) - set(parts), "")
            sent = parts
            if changed:
                yield f"event: parts\ndata: {json.dumps(changed)}\n\n".encode()
                quiet = 0
            else:
                quiet += 1
                if quiet % KEEP_ALIVE_ROUNDS == 0:
                    yield b": still here\n\n"
            await asyncio.sleep(REFRESH_S)

    # Inside ------------------------------------------------------------------------------------------------

    def _parts(self) -> dict[str, str]:
        """Return element id -> HTML of everything that changes while a batch runs."""
        views = self.floor.views()
        parts = {
            "totals": self._render("totals.html", floor=self.floor, totals=self.floor.totals(),
                                   count=self.floor.batch_count()),
            "chart": self._render("chart.html", chart=Markup(phase_chart(self.floor.phase_times()))),  # noqa: S704
        }  # fmt: skip
        for view in views:
            parts[tile_id(view)] = self._render(
                "tile.html",
                view=view,
                id=tile_id(view),
                words=WORDS[view.state],
                reason=plain_reason(view.message),
                is_running=self.floor.is_running,
            )
        return parts

    def _render(self, name: str, **values: Any) -> str:
        return self._templates.get_template(name).render(**values)

    def _page(self, name: str, *, status: int = 200, **values: Any) -> Response:
        return HTMLResponse(self._render(name, **values), status, headers=HEADERS)

    def _session(self, request: Request) -> Any:
        return self.login.session(request.cookies.get(COOKIE))

    def _noted(self, request: Request, note: str) -> Response:
        session = self._session(request)
        if session is not None:  # the session may have ended while a batch was stopping
            session.note = note
        return _to("/")

    def _asked(self, request: Request, action: Callable[[str], str], text: str) -> Response:
        try:
            note = action(text)
        except ValueError as error:
            note = f"{str(error)[:1].upper()}{str(error)[1:]}."
        return self._noted(request, note)

    def guarded(self, handler: Handler) -> Handler:
        """Return the handler with a check of the session and, for a POST, of the form's origin."""

        async def guard(request: Request) -> Response:
            if self._session(request) is None:
                response = _to("/login")
                if request.method == "POST" and request.url.path != "/logout":
                    response.set_cookie(
                        ENDED_COOKIE, "1", max_age=60, httponly=True, samesite="strict", path="/login"
                    )
                return response
            if request.method == "POST":
                request.state.form = await read_form(request, FORM_BYTES)
                if request.state.form is None or not is_own(request):
                    return Response(FOREIGN_FORM, 403, headers=HEADERS)
            return await handler(request)

        return guard


def tile_id(view: PortView) -> str:
    """Return the element id of a port: any name, as letters and digits."""
    return "port-" + hashlib.sha256(view.name.encode()).hexdigest()[:12]


def _to(path: str) -> Response:
    return RedirectResponse(path, 303, headers=HEADERS)


def make_app(floor: Floor, login: Login, hosts: Hosts, *, is_tls: bool = False) -> Starlette:
    """Return the application. `hosts`: the accepted names; requests for others are refused (DNS rebinding)."""
    pages = Pages(floor, login, is_tls=is_tls)
    public = [
        Route("/login", pages.sign_in_page, methods=["GET"]),
        Route("/login", pages.sign_in, methods=["POST"]),
        Route("/operator.css", pages.style, methods=["GET"]),
        Route("/operator.js", pages.script, methods=["GET"]),
    ]
    guarded: list[tuple[str, Handler, str]] = [
        ("/", pages.home, "GET"),
        ("/units", pages.units, "GET"),
        ("/events", pages.events, "GET"),
        ("/start", pages.start, "POST"),
        ("/stop", pages.stop, "POST"),
        ("/scan", pages.scan, "POST"),
        ("/retry", pages.retry, "POST"),
        ("/reprint", pages.reprint, "POST"),
        ("/logout", pages.sign_out, "POST"),
    ]
    routes = public + [
        Route(path, pages.guarded(handler), methods=[method]) for path, handler, method in guarded
    ]

    async def slow(_: Request, __: Exception) -> Response:
        return Response(SLOW_FORM, 408, headers=HEADERS)

    return Starlette(
        routes=routes,
        middleware=[Middleware(HostCheck, hosts=hosts)],
        exception_handlers={SlowFormError: slow},
    )
