"""The maker's own page: what is due and overdue, the open cases, the investigations, and how the times were kept.

Rules:
1. The page only shows: the commands decide. So it has no login, and listens on this machine only. Another site whose
   name leads to this machine learns nothing.
2. It has the maker's words about a case and no word, name or address of a reporter.
3. It works without script and loads nothing from another host. Reloading it reads the store again.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from provisioning.disclosure import states
from provisioning.disclosure.case import Case
from provisioning.disclosure.clocks import Due, of_case
from provisioning.disclosure.errors import CaseError
from provisioning.disclosure.overview import Shown
from provisioning.html_templates import environment
from provisioning.page_forms import HEADERS

HOSTS: Final = ("127.0.0.1", "localhost", "[::1]")
_HERE: Final = Path(__file__).parent / "templates"


def make_app(read: Callable[[], Shown]) -> Starlette:
    """Return the page as an ASGI application. `read` raises CaseError or OSError if the store cannot be read."""
    templates = environment(_HERE)

    async def page(_: Request) -> Response:
        try:
            values, status = _values(await asyncio.to_thread(read)), 200
        except (CaseError, OSError) as error:
            values, status = {"problem": str(error)}, 503
        return HTMLResponse(templates.get_template("cases.html").render(**values), status, headers=HEADERS)

    async def style(_: Request) -> Response:
        return Response((_HERE / "form.css").read_bytes(), media_type="text/css", headers=HEADERS)

    return Starlette(
        routes=[Route("/", page), Route("/form.css", style)],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS), www_redirect=False)],
    )


def _values(shown: Shown) -> dict[str, Any]:
    return {
        "problem": "",
        "now": time_text(shown.now_s),
        "due": [_item(each, shown.now_s) for each in shown.due],
        "overdue": sum(each.is_overdue(shown.now_s) for each in shown.due),
        "cases": [_case(each, shown.now_s) for each in shown.cases if states.is_open(each.state)],
        "ended": sum(not states.is_open(each.state) for each in shown.cases),
        "examined": shown.examined,
        "punctuality": shown.punctuality,
    }


def _item(item: Due, now_s: int) -> dict[str, Any]:
    return {
        "case": item.case,
        "what": item.what,
        "detail": item.detail,
        "time": time_text(item.due_s),
        "is_overdue": item.is_overdue(now_s),
    }


def _case(case: Case, now_s: int) -> dict[str, Any]:
    nearest = min(of_case(case), key=lambda item: item.due_s, default=None)
    return {
        "code": case.code,
        "version": case.version,
        "state": str(case.state),
        "title": case.title,
        "received": time_text(case.received_s),
        "rating": case.triage.get("rating", ""),
        "weakness": (case.triage.get("cwe") or {}).get("id", ""),
        "thanks": len(case.thanks),
        "is_embargoed": case.is_embargoed,
        "next": None if nearest is None else _item(nearest, now_s),
    }


def time_text(time_s: int) -> str:
    """Return unix seconds as day and time in UTC."""
    return dt.datetime.fromtimestamp(time_s, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
