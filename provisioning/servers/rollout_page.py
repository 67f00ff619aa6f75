"""The page of a rollout: stages, units, errors, versions and the curve, kept fresh by server-sent events.

Rules:
1. The page only shows: `firstboot rollout` decides. So it has no login, and listens on this machine only.
2. It works without script, by reloading. Nothing is loaded from another host, and everything is escaped.
3. The numbers are those of the last step of the controller, so the page costs one small read in each second at most,
   however many browsers look.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from device.limits import ROLLOUT_SHARES
from provisioning.html_templates import environment
from provisioning.page_forms import HEADERS
from provisioning.servers.rollout import ENDED, FAILED, PAUSED, SILENT, RolloutError
from provisioning.servers.rollout_table import Shown, spread_of
from provisioning.servers.rollout_view import document_of
from provisioning.servers.spread_plot import svg

REFRESH_S: Final = 1.0
KEEP_ALIVE_ROUNDS: Final = 15
HOSTS: Final = ("127.0.0.1", "localhost", "[::1]")
_HERE: Final = Path(__file__).parent / "templates"
_PICTURE: Final = HEADERS | {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


class Pages:
    """The handlers. `read` returns the rollout to show; it raises RolloutError or OSError."""

    def __init__(self, model: str, read: Callable[[], Shown], is_ending: Callable[[], bool]) -> None:
        self._model = model
        self._read = read
        self._is_ending = is_ending
        self._templates = environment(_HERE)
        self._known: tuple[float, Shown | str] = (0.0, "")

    async def page(self, _: Request) -> Response:
        view = self._render("rollout_view.html", **await self._facts())
        return HTMLResponse(self._render("rollout.html", model=self._model, view=view), headers=HEADERS)

    async def document(self, _: Request) -> Response:
        found = await self._shown()
        if isinstance(found, str):
            return JSONResponse({"error": found}, 503, headers=HEADERS)
        return JSONResponse(document_of(found), headers=HEADERS)

    async def curve(self, _: Request) -> Response:
        found = await self._shown()
        if isinstance(found, str):
            return Response(status_code=503, headers=HEADERS)
        title = f"Units with release {found.rollout.plan.sequence}"
        picture = await asyncio.to_thread(svg, spread_of(found), title, "the rollout began")
        return Response(picture, media_type="image/svg+xml", headers=_PICTURE)

    async def style(self, _: Request) -> Response:
        return Response((_HERE / "rollout.css").read_bytes(), media_type="text/css", headers=HEADERS)

    async def script(self, _: Request) -> Response:
        return Response((_HERE / "rollout.js").read_bytes(), media_type="text/javascript", headers=HEADERS)

    async def events(self, request: Request) -> Response:
        return StreamingResponse(self._changes(request), media_type="text/event-stream", headers=HEADERS)

    async def _changes(self, request: Request) -> AsyncIterator[bytes]:
        """Yield the view each time it changed, until the connection or the program ends."""
        sent, quiet = "", 0
        while not self._is_ending() and not await request.is_disconnected():
            view = self._render("rollout_view.html", **await self._facts())
            if view != sent:
                sent, quiet = view, 0
                yield f"event: view\ndata: {json.dumps(view)}\n\n".encode()
            else:
                quiet += 1
                if quiet % KEEP_ALIVE_ROUNDS == 0:
                    yield b": still here\n\n"
            await asyncio.sleep(REFRESH_S)

    async def _shown(self) -> Shown | str:
        """Return the rollout, or why it cannot be read; at most REFRESH_S old (rule 3)."""
        read_s, found = self._known
        if not found or time.monotonic() - read_s >= REFRESH_S:
            try:
                found = await asyncio.to_thread(self._read)
            except (RolloutError, OSError) as error:
                found = str(error)
            self._known = (time.monotonic(), found)
        return found

    async def _facts(self) -> dict[str, Any]:
        found = await self._shown()
        if isinstance(found, str):
            return {"problem": found, "found": None}
        limits = found.rollout.plan.limits
        rates = found.rollout.rates(int(time.time()))
        return {
            "problem": "",
            "found": document_of(found),
            "stages": _stages(found),
            "limits": {FAILED: limits.failed, SILENT: limits.silent},
            "shares": {name: share for name, (_, share) in rates.items()},
            "picture": f"/curve.svg?{len(found.confirmed_s)}-{found.newest_s}",
            "time_text": lambda time_s: time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time_s)),
        }

    def _render(self, name: str, **values: Any) -> str:
        return self._templates.get_template(name).render(**values)


def _stages(found: Shown) -> list[dict[str, Any]]:
    """Return each stage with its share in percent, its least time, and where the rollout is: done, now or next."""
    state = found.rollout.state
    return [
        {
            "percent": f"{100 * stage.share / ROLLOUT_SHARES:g} %",
            "hours": f"{stage.least_s / 3600:g}",
            "place": "done"
            if state.state == ENDED or at < state.stage
            else "now"
            if at == state.stage
            else "next",
            "is_paused": state.state == PAUSED and at == state.stage,
        }
        for at, stage in enumerate(found.rollout.plan.stages)
    ]


def make_app(
    model: str, read: Callable[[], Shown], is_ending: Callable[[], bool] = lambda: False
) -> Starlette:
    """Return the page of one product's rollout as an ASGI application."""
    pages = Pages(model, read, is_ending)
    return Starlette(
        routes=[
            Route("/", pages.page),
            Route("/rollout.json", pages.document),
            Route("/curve.svg", pages.curve),
            Route("/rollout.css", pages.style),
            Route("/rollout.js", pages.script),
            Route("/events", pages.events),
        ],
        # A page of another site, whose name leads to this machine, learns nothing.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS), www_redirect=False)],
    )
