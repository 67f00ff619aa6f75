"""The public part of the local pages: public information, set-up, sign-in.

A handler takes a microdot Request and returns a microdot Response.
"""

import asyncio
import binascii
import hashlib
import json

from microdot import Response

from device.compat import const
from device.errors import FirstbootError, LifecycleError, PasswordError, RequestError
from device.limits import SESSION_LIFE_S
from device.owner import lifecycle, passwords, typed
from device.web import answers, brand, forms, meter, pages, sessions, statement_page, texts, words
from device.web.html import NO_PROBLEM, Problem
from device.web.routes import ROUTES, WIFI_ROUTES
from device.web.style import CSS

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.web.facade import Device
    from device.web.routes import Route


# How long a page shows a message of success.
_WORD_LIFE_MS = const(60000)
_CODE_CHARS = const(32)  # of a refused set-up code, so many letters and digits are shown again
_GROUP_CHARS = const(7)  # as on the label


class Site:
    """One unit's public pages and its sessions."""

    def __init__(self, device: "Device") -> None:
        self.device = device
        self.sessions = sessions.Sessions(device)
        self._watcher: "Any" = None
        self._words: "dict[str, tuple[str, int]]" = {}  # path: (what just succeeded, ticks)

    # the requests that are answered at all ------------------------------------------------------------------------
    def is_own_host(self, host: str) -> bool:
        """Return whether a Host header names this unit; another name means that another site points here."""
        return host_name(host) in self.device.host_names()

    def gate(self, request: "Any", route: "Route") -> "Any":
        """Return the answer that stops a request, None for a request that may continue."""
        words.use(request.headers, request.path)
        state = self.device.state()
        if state not in route.states:
            return answers.refuse(
                request, 404, texts.http_text(404), None, self._elsewhere(route.path, state)
            )
        if request.method == "POST" and not is_own_form(request.headers):
            return answers.refuse(request, 403, texts.http_text(403))
        if route.needs_session and not self.token(request):
            if answers.wants_json(request) or request.path == "/status.json":
                return answers.refuse(request, 403, texts.SIGN_IN_FIRST)
            if request.method == "POST" and request.path != "/logout" and "/login" not in self._words:
                self.say("/login", texts.NOT_SENT)
            return answers.see("/login")
        return None

    def _elsewhere(self, path: str, state: str) -> "tuple[str, ...]":
        """Return a page that leads on from a page of another state, () without one (Back, a second tab)."""
        if state == lifecycle.INITIALISED and path == "/setup":
            return pages.set_up_already()
        return pages.not_set_up() if state == lifecycle.FACTORY_DEFAULT else ()

    def token(self, request: "Any") -> str:
        """Return the token of the request's open session, "" if it has none."""
        if self.device.state() != lifecycle.INITIALISED:
            self.sessions.end_all()  # a factory reset ends every session (PW-03)
            return ""
        token: str = request.cookies.get(sessions.COOKIE, "")
        return token if token and self.sessions.is_valid(token) else ""

    # words of success ----------------------------------------------------------------------------------------
    def say(self, path: str, word: str) -> None:
        """Let the page at `path` show `word` for a minute. The word must be one that anyone may read."""
        self._words[path] = (word, self.device.ticks_ms())

    def word(self, path: str) -> str:
        """Return the message of the page at `path`, or ""."""
        word, since = self._words.get(path, ("", 0))
        if word and not 0 <= self.device.ticks_diff(self.device.ticks_ms(), since) < _WORD_LIFE_MS:
            del self._words[path]
            return ""
        return word

    def surroundings(self, request: "Any") -> "pages.Surroundings":
        """Return the parts around a public page; the owner sees more (OwnerSite)."""
        return pages.NOTHING

    # public information --------------------------------------------------------------------------------------
    async def index(self, request: "Any") -> "Any":
        """Return the start page; the status page for the signed-in owner."""
        if answers.wants_json(request):
            return answers.data(self.device.public_info())
        if self.token(request):
            return answers.see("/status")
        is_set_up = self.device.state() == lifecycle.INITIALISED
        return answers.page(pages.index(self.device.public_info(), is_set_up, self.word("/")))

    async def style(self, request: "Any") -> "Any":
        """Return the style sheet: the same for every device of the product, so a browser may keep it."""
        return answers.text((CSS, brand.STYLE), "text/css")

    async def meter(self, request: "Any") -> "Any":
        """Return the script of the strength meter: the same for every device, so a browser may keep it."""
        return answers.text(meter.script(), "text/javascript")

    async def public(self, request: "Any") -> "Any":
        """Return the public information for a program."""
        return answers.data(self.device.public_info())

    async def contact(self, request: "Any") -> "Any":
        """Return the page about reporting a security problem, offline and without sign-in (RP-10)."""
        info = self.device.public_info()
        if answers.wants_json(request):
            return answers.data(info["contact"])
        return answers.page(pages.contact(info, self.surroundings(request)))

    async def statement(self, request: "Any") -> "Any":
        """Return the JSON that was signed, byte for byte (SC-05); as a page for a browser that asks for one."""
        payload = self.device.statement()
        if "text/html" in request.headers.get("Accept", ""):
            content = None if payload is None else json.loads(payload)
            return answers.page(
                statement_page.statement(self.device.public_info(), content, self.surroundings(request))
            )
        if payload is None:
            return answers.refuse(request, 404, texts.http_text(404))
        digest = binascii.hexlify(hashlib.sha256(payload).digest()).decode()
        return Response(payload, 200, {"Content-Type": answers.JSON, "ETag": '"' + digest + '"'})

    # set-up and sign-in -----------------------------------------------------------------------------------------
    async def setup_form(self, request: "Any") -> "Any":
        """Return the set-up form."""
        is_press_needed = self.device.is_press_needed()
        if answers.wants_json(request):
            return answers.data({"press_needed": is_press_needed})
        return answers.page(pages.setup(self.device.public_info(), NO_PROBLEM, is_press_needed))

    async def setup(self, request: "Any") -> "Any":
        """Carry out set-up, then send the browser to sign-in."""
        fields = read_form(request)
        code, password = field(fields, "code"), field(fields, "password")
        try:
            check_again(fields, password)
            await self.device.setup(code, password, fields.get("normalised") == "1")
        except LifecycleError as error:  # another tab, or a double click, was first
            words.use(request.headers, request.path)
            shown = self._elsewhere("/setup", self.device.state())
            return answers.refuse(request, 404, texts.refusal(error).text, error, shown)
        except FirstbootError as error:
            again = code_again(code)
            is_press_needed = self.device.is_press_needed()
            return self.refused(
                request, error, lambda info, problem: pages.setup(info, problem, is_press_needed, again)
            )
        return self.set_up_done(request)

    async def change_language(self, request: "Any") -> "Any":
        """Return the answer that gives this browser the pages in `language` and leads back to `page`.

        Nothing on the unit changes. Raises RequestError.
        """
        # Imported here: a product with one language has neither the route nor the heap for it.
        from device.web import languages

        fields = read_form(request)
        code, page = field(fields, "language"), fields.get("page", "/")
        if not languages.is_known(code):
            raise RequestError(status=400, reason="language")
        is_page = any(
            [
                route.path == page and route.method == "GET"
                for table in (ROUTES, WIFI_ROUTES)
                for route in table
            ]
        )
        response = answers.done(request, page if is_page else "/")
        response.headers["Set-Cookie"] = languages.cookie(code)
        return response

    def set_up_done(self, request: "Any") -> "Any":
        """Return the answer to a set-up that was carried out."""
        self.say("/login", texts.SET_UP)
        return answers.done(request, "/login")

    async def login_form(self, request: "Any") -> "Any":
        """Return the sign-in form."""
        if answers.wants_json(request):
            return answers.data({"next": "/login"})
        return answers.page(pages.login(self.device.public_info(), NO_PROBLEM, self.word("/login")))

    async def login(self, request: "Any") -> "Any":
        """Open a session if the password is correct."""
        fields = read_form(request)
        password = field(fields, "password")
        try:
            await self.device.login(password)
            return self.signed_in(request, "/status")
        except FirstbootError as error:
            return self.refused(request, error, pages.login)

    def signed_in(self, request: "Any", path: str) -> "Any":
        """Return an answer that opens a session and leads to `path`. Raises EntropyError."""
        token = self.sessions.create()
        self._words.clear()
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch())
        response = answers.done(request, path)
        response.headers["Set-Cookie"] = sessions.cookie(token)
        return response

    async def _watch(self) -> None:
        """Drop sessions in time even without requests: what is over leaves the memory."""
        try:
            while self.sessions.count():
                await asyncio.sleep(SESSION_LIFE_S)
                self.sessions.purge()
        finally:
            self._watcher = None

    # refusals ------------------------------------------------------------------------------------------------
    def refused(self, request: "Any", error: FirstbootError, form: "Any", present: str = "password") -> "Any":
        """Return the form again with the reason in words: `form(info, problem)` gives the page.

        `present` is the id of the field for the owner's present password.
        """
        words.use(request.headers, request.path)  # `error` may come from an await
        found = texts.refusal(error)
        if answers.wants_json(request) or found.status == 404:
            response = answers.refuse(request, found.status, found.text, error)
        else:
            problem = Problem(found.text, present if found.field == "secret" else found.field)
            response = answers.page(form(self.device.public_info(), problem), found.status)
        if found.wait_s:
            response.headers["Retry-After"] = str(found.wait_s)
        return response


def host_name(host: str) -> str:
    """Return the name or address in a Host header, lower case, without port, brackets and the final dot."""
    name = host.strip().lower()
    if name.startswith("["):
        return name[1:].split("]", 1)[0]
    name = name.split(":", 1)[0]
    return name[:-1] if name.endswith(".") else name


def is_own_form(headers: "dict[str, str]") -> bool:
    """Return whether a POST may come from our own pages; a client that is not a browser sends neither header."""
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("Origin")
    return origin is None or origin == "https://" + headers.get("Host", "")


def read_form(request: "Any") -> "dict[str, str]":
    """Return the fields of the request's form. Raises RequestError."""
    return forms.parse(request.body, request.headers.get("Content-Type", ""))


def field(fields: "dict[str, str]", name: str) -> str:
    """Return one field. Raises RequestError(400) if it is missing."""
    if name not in fields:
        raise RequestError(status=400, reason="field missing")
    return fields[name]


def check_again(fields: "dict[str, str]", password: str) -> None:
    """Raise PasswordError(reason "mismatch") if the field `again` exists and differs.

    Without the script the same characters may have two encodings: then the reason is "not-normalised".
    """
    again = fields.get("again", password)
    if again != password:
        if fields.get("normalised") != "1":
            passwords.check_ascii(password)
            passwords.check_ascii(again)
        raise PasswordError(reason="mismatch")


def code_again(code: str) -> str:
    """Return what was typed as a set-up code as letters and digits in groups, to show it in the form again."""
    symbols = [symbol for symbol in typed.upper(typed.comparable(code)) if ord(symbol) < 0x80][:_CODE_CHARS]
    groups = [symbols[start : start + _GROUP_CHARS] for start in range(0, len(symbols), _GROUP_CHARS)]
    return "-".join(["".join(group) for group in groups])
