"""The local pages as a microdot application: which page exists in which state, and what it may do.

Rules (docs/design.md, Local pages):
1. ROUTES is the whole list. A path or method that is not allowed in the unit's state answers 404 like one that
   does not exist (PW-02, SE-05); microdot's own OPTIONS and 405 answers would tell more and are off.
2. A form is taken only from the device's own pages: SameSite=Strict on the cookie, and Sec-Fetch-Site or Origin
   where a browser sends them.
3. Secrets come in form bodies and nowhere else, and go out in no answer.
4. Before sign-in no serial, no version, no owner (SE-06).
"""

import asyncio
import binascii
import hashlib
import json

from microdot import Microdot, Response

from device import lifecycle
from device.compat import const
from device.errors import FirstbootError, PasswordError, RequestError
from device.limits import SESSION_LIFE_S
from device.web import forms, pages, sessions, texts
from device.web.style import CSS

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.web.facade import Device

_BOTH = (lifecycle.FACTORY_DEFAULT, lifecycle.INITIALISED)
_BEFORE = (lifecycle.FACTORY_DEFAULT,)
_AFTER = (lifecycle.INITIALISED,)

# (method, path, states it exists in, needs a session, handler)
ROUTES = (
    ("GET", "/", _BOTH, False, "index"),
    ("GET", "/style.css", _BOTH, False, "style"),
    ("GET", "/public.json", _BOTH, False, "public"),
    ("GET", "/statement", _BOTH, False, "statement"),
    ("GET", "/setup", _BEFORE, False, "setup_form"),
    ("POST", "/setup", _BEFORE, False, "setup"),
    ("GET", "/login", _AFTER, False, "login_form"),
    ("POST", "/login", _AFTER, False, "login"),
    ("GET", "/status", _AFTER, True, "status"),
    ("GET", "/status.json", _AFTER, True, "status_json"),
    ("POST", "/logout", _AFTER, True, "logout"),
)

HTML = "text/html; charset=UTF-8"
JSON = "application/json"


class Site:
    """One unit's pages: a handler per route; each takes a microdot Request and gives a microdot Response."""

    def __init__(self, device: "Device") -> None:
        self.device = device
        self.sessions = sessions.Sessions(device)
        self._watcher: "Any" = None

    async def index(self, request: "Any") -> "Any":
        if self.token(request):
            return _see("/status")
        is_set_up = self.device.state() == lifecycle.INITIALISED
        return _html(pages.index(self.device.public_info(), is_set_up))

    async def style(self, request: "Any") -> "Any":
        return Response(
            CSS, 200, {"Content-Type": "text/css; charset=UTF-8", "Cache-Control": "max-age=3600"}
        )

    async def public(self, request: "Any") -> "Any":
        return _json(self.device.public_info())

    async def statement(self, request: "Any") -> "Any":
        """The JSON that was signed, byte for byte; as a page for a browser that asks for one."""
        payload = self.device.statement()
        if "text/html" in request.headers.get("Accept", ""):
            content = None if payload is None else json.loads(payload)
            return _html(pages.statement(self.device.public_info(), content))
        if payload is None:
            return _refuse(request, 404, texts.http_text(404))
        digest = binascii.hexlify(hashlib.sha256(payload).digest()).decode()
        return Response(payload, 200, {"Content-Type": JSON, "ETag": '"' + digest + '"'})

    async def setup_form(self, request: "Any") -> "Any":
        return _html(pages.setup(self.device.public_info()))

    async def setup(self, request: "Any") -> "Any":
        fields = forms.parse(request.body, request.headers.get("Content-Type", ""))
        code, password = _field(fields, "code"), _field(fields, "password")
        try:
            if fields.get("again", password) != password:
                raise PasswordError(reason="mismatch")
            await self.device.setup(code, password, fields.get("normalised") == "1")
        except FirstbootError as error:
            return self._refused(request, error, pages.setup)
        return _see("/login")

    async def login_form(self, request: "Any") -> "Any":
        return _html(pages.login(self.device.public_info()))

    async def login(self, request: "Any") -> "Any":
        fields = forms.parse(request.body, request.headers.get("Content-Type", ""))
        password = _field(fields, "password")
        try:
            await self.device.login(password)
            token = self.sessions.create()
        except FirstbootError as error:
            return self._refused(request, error, pages.login)
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch())
        response = _see("/status")
        response.headers["Set-Cookie"] = sessions.cookie(token)
        return response

    async def status(self, request: "Any") -> "Any":
        return _html(pages.status(self.device.public_info(), self.device.status()))

    async def status_json(self, request: "Any") -> "Any":
        return _json(self.device.status())

    async def logout(self, request: "Any") -> "Any":
        self.sessions.end(self.token(request))
        response = _see("/")
        response.headers["Set-Cookie"] = sessions.no_cookie()
        return response

    async def _watch(self) -> None:
        """Drop sessions in time although nobody asks: after twelve days their ticks would look young again."""
        try:
            while self.sessions.count():
                await asyncio.sleep(SESSION_LIFE_S)
                self.sessions.purge()
        finally:
            self._watcher = None

    def token(self, request: "Any") -> str:
        """Give the token of the request's open session, "" where it has none."""
        if self.device.state() != lifecycle.INITIALISED:
            self.sessions.end_all()  # a factory reset ends every session (PW-03)
            return ""
        token: str = request.cookies.get(sessions.COOKIE, "")
        return token if token and self.sessions.is_valid(token) else ""

    def gate(self, request: "Any", states: "tuple[str, ...]", needs_session: bool) -> "Any":
        """Give the answer that stops a request, None for one that may go on."""
        if self.device.state() not in states:
            return _refuse(request, 404, texts.http_text(404))
        if request.method == "POST" and not is_own_form(request.headers):
            return _refuse(request, 403, texts.http_text(403))
        if needs_session and not self.token(request):
            if wants_json(request) or request.path == "/status.json":
                return _refuse(request, 403, "Sign in first.")
            return _see("/login")
        return None

    def _refused(self, request: "Any", error: FirstbootError, form: "Any") -> "Any":
        found = texts.refusal(error)
        if wants_json(request) or found.status == 404:
            response = _refuse(request, found.status, found.text, error)
        else:
            response = _html(form(self.device.public_info(), found.text), found.status)
        if found.wait_s:
            response.headers["Retry-After"] = str(found.wait_s)
        return response


def create_app(device: "Device") -> "Any":
    """Give the microdot application for one unit; `app.site` is its Site."""
    app: "Any" = Microdot()
    app.options_handler = None
    app.site = Site(device)
    for route in ROUTES:
        app.route(route[1], methods=[route[0]])(_guarded(app.site, route))
    for status in (404, 405):
        app.errorhandler(status)(_not_found)
    app.errorhandler(Exception)(_failure)
    return app


def _guarded(site: "Site", route: "tuple[str, str, tuple[str, ...], bool, str]") -> "Any":
    _, path, states, needs_session, name = route
    handler = getattr(site, name)

    async def guarded(request: "Any") -> "Any":
        try:
            # microdot's patterns are regular expressions, in which the dot of "style.css" is any character.
            if request.path != path:
                return await _not_found(request)
            refused = site.gate(request, states, needs_session)
            return refused if refused is not None else await handler(request)
        except RequestError as error:
            status = error.fields.get("status")
            status = status if isinstance(status, int) else 400
            return _refuse(request, status, texts.http_text(status))
        except FirstbootError as error:
            return _refuse(request, 500, texts.http_text(500), error)

    return guarded


async def _not_found(request: "Any") -> "Any":
    return _refuse(request, 404, texts.http_text(404))


async def _failure(request: "Any", error: Exception) -> "Any":
    return _refuse(request, 500, texts.http_text(500))


def is_own_form(headers: "dict[str, str]") -> bool:
    """Say whether a POST may come from one of our own pages; a client that is no browser sends neither header."""
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("Origin")
    return origin is None or origin == "https://" + headers.get("Host", "")


def wants_json(request: "Any") -> bool:
    """Say whether the client asked for JSON instead of a page."""
    return JSON in request.headers.get("Accept", "")


def _field(fields: "dict[str, str]", name: str) -> str:
    if name not in fields:
        raise RequestError(status=400, reason="field missing")
    return fields[name]


def _html(text: str, status: int = 200) -> "Any":
    return Response(text, status, {"Content-Type": HTML})


def _json(value: "Any", status: int = 200) -> "Any":
    return Response(json.dumps(value), status, {"Content-Type": JSON})


def _see(path: str) -> "Any":
    return Response(b"", 303, {"Location": path, "Content-Type": HTML})


def _refuse(request: "Any", status: int, text: str, error: "FirstbootError | None" = None) -> "Any":
    if not wants_json(request):
        return _html(pages.message(status, text), status)
    answer: "dict[str, Any]" = {"status": status, "text": text}
    if error is not None:
        answer["code"] = error.code
        answer["name"] = type(error).__name__
        for field in ("reason", "wait_s"):
            if field in error.fields:
                answer[field] = error.fields[field]
    return _json({"error": answer}, status)
