"""The local pages as a microdot application.

Rules (docs/reference/local-pages.md):
1. routes.ROUTES is the complete list, with WIFI_ROUTES on a unit with a radio and LANGUAGE_ROUTES on one whose product
   has more languages than English. microdot's own answers to OPTIONS and
   405 would reveal more, so they are off.
2. A form is accepted only from the device's own pages: SameSite=Strict on the cookie, and Sec-Fetch-Site or Origin
   if the browser sends them.
3. A Host header that does not name this unit gets 421 (server.py), so that no other site can pass for the device.
4. Secrets come only in form bodies and go out in no answer. One exception: a refused set-up form returns the set-up
   code, reduced to letters and digits, to the browser that sent it.
5. Before sign-in no page shows serial, version or owner (SE-06).
"""

from microdot import Microdot

from device.compat import const, forget
from device.errors import FirstbootError, MemoryShortError, RequestError
from device.web import answers, brand, http, texts
from device.web.owner import OwnerSite
from device.web.routes import LANGUAGE_ROUTES, WIFI_ROUTES
from device.web.routes import ROUTES as ROUTES

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.compat import Rows
    from device.web.facade import Device
    from device.web.routes import Route
    from device.web.site import Site


def create_app(device: "Device") -> "Any":
    """Return the microdot application of one unit; `app.site` is its OwnerSite."""
    tables = (ROUTES, LANGUAGE_ROUTES) if brand.LANGUAGES else (ROUTES,)
    if device.wifi is None:
        app: "Any" = _Pages(OwnerSite(device), tables)
    else:  # imported here: a board without a radio has neither the pages nor the heap for them
        from device.web.network import NetworkSite

        app = _Pages(NetworkSite(device), tables + (WIFI_ROUTES,))
    for status in (404, 405):
        app.errorhandler(status)(_not_found)
    app.errorhandler(Exception)(_failure)
    return app


class _Pages(Microdot):
    """Finds the handler of a request in `tables`. microdot's own list takes 10 KB of heap: a pattern for each route."""

    def __init__(self, site: "Site", tables: "tuple[Rows, ...]") -> None:
        super().__init__()
        self.site = site
        self.tables = tables
        self.options_handler = None  # type: ignore[assignment]

    def find_route(self, request: "Any") -> "tuple[Any, str, None]":
        """Return the handler (without one 404 or 405), no prefix, no other application."""
        method = "GET" if request.method == "HEAD" else request.method
        request.url_args = {}
        status = 404
        for table in self.tables:
            for route in table:
                if route.path == request.path:
                    if route.method == method:
                        return _guarded(self.site, route), "", None
                    status = 405
        return status, "", None


def _guarded(site: "Site", route: "Route") -> "Any":
    handler = getattr(site, route.handler)

    async def guarded(request: "Any") -> "Any":
        try:
            refused = site.gate(request, route)
            if refused is not None:
                return refused
            try:
                return await handler(request)
            except MemoryError:  # what the first attempt made is garbage now, and a page changes nothing
                if route.method != "GET":
                    raise
            forget()
            return await handler(request)
        except RequestError as error:
            status = http.status_of(error)
            return answers.refuse(request, status, texts.http_text(status))
        except MemoryError:  # of this page only: other clients and tasks continue
            return answers.refuse(request, 503, texts.http_text(503), MemoryShortError(what="page"))
        except FirstbootError as error:
            return answers.refuse(request, 500, texts.http_text(500), error)

    return guarded


async def _not_found(request: "Any") -> "Any":
    return answers.refuse(request, 404, texts.http_text(404))


async def _failure(request: "Any", error: Exception) -> "Any":
    return answers.refuse(request, 500, texts.http_text(500))
