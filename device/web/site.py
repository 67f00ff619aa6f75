"""What anyone may ask of a unit: public information, set-up, sign-in.

A handler takes a microdot Request and gives a microdot Response.
"""

import asyncio
import binascii
import hashlib
import json

from microdot import Response

from device.compat import const
from device.errors import FirstbootError, PasswordError, RequestError
from device.limits import SESSION_LIFE_S
from device.owner import lifecycle
from device.web import answers, forms, pages, sessions, texts
from device.web.style import CSS

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.web.facade import Device
    from device.web.routes import Route


class Site:
    """One unit's public pages and its sessions."""

    def __init__(self, device: "Device") -> None:
        self.device = device
        self.sessions = sessions.Sessions(device)
        self._watcher: "Any" = None

    # what may be asked at all --------------------------------------------------------------------------------
    def is_own_host(self, host: str) -> bool:
        """Say whether a Host header names this unit: another name would be a page elsewhere that points here."""
        return host_name(host) in self.device.host_names()

    def gate(self, request: "Any", route: "Route") -> "Any":
        """Give the answer that stops a request, None for one that may go on."""
        if self.device.state() not in route.states:
            return answers.refuse(request, 404, texts.http_text(404))
        if request.method == "POST" and not is_own_form(request.headers):
            return answers.refuse(request, 403, texts.http_text(403))
        if route.needs_session and not self.token(request):
            if answers.wants_json(request) or request.path == "/status.json":
                return answers.refuse(request, 403, "Sign in first.")
            return answers.see("/login")
        return None

    def token(self, request: "Any") -> str:
        """Give the token of the request's open session, "" where it has none."""
        if self.device.state() != lifecycle.INITIALISED:
            self.sessions.end_all()  # a factory reset ends every session (PW-03)
            return ""
        token: str = request.cookies.get(sessions.COOKIE, "")
        return token if token and self.sessions.is_valid(token) else ""

    def surroundings(self, request: "Any") -> "pages.Surroundings":
        """What stands around a public page; the owner sees more (OwnerSite)."""
        return pages.NOTHING

    # public information --------------------------------------------------------------------------------------
    async def index(self, request: "Any") -> "Any":
        if answers.wants_json(request):
            return answers.data(self.device.public_info())
        if self.token(request):
            return answers.see("/status")
        is_set_up = self.device.state() == lifecycle.INITIALISED
        return answers.page(pages.index(self.device.public_info(), is_set_up))

    async def style(self, request: "Any") -> "Any":
        return Response(
            CSS, 200, {"Content-Type": "text/css; charset=UTF-8", "Cache-Control": "max-age=3600"}
        )

    async def public(self, request: "Any") -> "Any":
        return answers.data(self.device.public_info())

    async def contact(self, request: "Any") -> "Any":
        """How to report a security problem, offline and without sign-in (RP-10)."""
        info = self.device.public_info()
        if answers.wants_json(request):
            return answers.data(info["contact"])
        return answers.page(pages.contact(info, self.surroundings(request)))

    async def statement(self, request: "Any") -> "Any":
        """The JSON that was signed, byte for byte (SC-05); as a page for a browser that asks for one."""
        payload = self.device.statement()
        if "text/html" in request.headers.get("Accept", ""):
            content = None if payload is None else json.loads(payload)
            return answers.page(
                pages.statement(self.device.public_info(), content, self.surroundings(request))
            )
        if payload is None:
            return answers.refuse(request, 404, texts.http_text(404))
        digest = binascii.hexlify(hashlib.sha256(payload).digest()).decode()
        return Response(payload, 200, {"Content-Type": answers.JSON, "ETag": '"' + digest + '"'})

    # the two ways in -----------------------------------------------------------------------------------------
    async def setup_form(self, request: "Any") -> "Any":
        is_press_needed = self.device.is_press_needed()
        if answers.wants_json(request):
            return answers.data({"press_needed": is_press_needed})
        return answers.page(pages.setup(self.device.public_info(), "", is_press_needed))

    async def setup(self, request: "Any") -> "Any":
        fields = read_form(request)
        code, password = field(fields, "code"), field(fields, "password")
        try:
            check_again(fields, password)
            await self.device.setup(code, password, fields.get("normalised") == "1")
        except FirstbootError as error:
            return self.refused(request, error, pages.setup)
        return answers.done(request, "/login")

    async def login_form(self, request: "Any") -> "Any":
        if answers.wants_json(request):
            return answers.data({"next": "/login"})
        return answers.page(pages.login(self.device.public_info()))

    async def login(self, request: "Any") -> "Any":
        fields = read_form(request)
        password = field(fields, "password")
        try:
            await self.device.login(password)
            token = self.sessions.create()
        except FirstbootError as error:
            return self.refused(request, error, pages.login)
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch())
        response = answers.done(request, "/status")
        response.headers["Set-Cookie"] = sessions.cookie(token)
        return response

    async def _watch(self) -> None:
        """Drop sessions in time although nobody asks: after twelve days their ticks would look young again."""
        try:
            while self.sessions.count():
                await asyncio.sleep(SESSION_LIFE_S)
                self.sessions.purge()
        finally:
            self._watcher = None

    # refusals ------------------------------------------------------------------------------------------------
    def refused(self, request: "Any", error: FirstbootError, form: "Any") -> "Any":
        """The form again with the reason in words: `form(info, problem)` gives the page."""
        found = texts.refusal(error)
        if answers.wants_json(request) or found.status == 404:
            response = answers.refuse(request, found.status, found.text, error)
        else:
            response = answers.page(form(self.device.public_info(), found.text), found.status)
        if found.wait_s:
            response.headers["Retry-After"] = str(found.wait_s)
        return response


def host_name(host: str) -> str:
    """Give the name or address in a Host header, lower case, without port, brackets and the root's dot."""
    name = host.strip().lower()
    if name.startswith("["):
        return name[1:].split("]", 1)[0]
    name = name.split(":", 1)[0]
    return name[:-1] if name.endswith(".") else name


def is_own_form(headers: "dict[str, str]") -> bool:
    """Say whether a POST may come from one of our own pages; a client that is no browser sends neither header."""
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("Origin")
    return origin is None or origin == "https://" + headers.get("Host", "")


def read_form(request: "Any") -> "dict[str, str]":
    """Give the fields of the request's form. Raises RequestError."""
    return forms.parse(request.body, request.headers.get("Content-Type", ""))


def field(fields: "dict[str, str]", name: str) -> str:
    """Give one field. Raises RequestError(400) where it is missing."""
    if name not in fields:
        raise RequestError(status=400, reason="field missing")
    return fields[name]


def check_again(fields: "dict[str, str]", password: str) -> None:
    """Raise PasswordError(reason "mismatch") where the field `again` is there and differs."""
    if fields.get("again", password) != password:
        raise PasswordError(reason="mismatch")
