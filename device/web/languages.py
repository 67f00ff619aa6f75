"""The choice of a language, on a unit whose product has more than English: cookie, header, the buttons on each page.

Rules:
1. A browser's choice is a cookie of its own. It changes nothing on the unit, so it needs no session and works before
   set-up.
2. Without a cookie the browser's Accept-Language decides (RFC 9110 12.5.4, by lookup of RFC 4647 3.4), at the end
   English. What cannot be read counts as absent.
"""

from device.compat import const
from device.errors import RequestError
from device.web import answers, brand, words
from device.web.html import escape
from device.web.routes import ROUTES, WIFI_ROUTES

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

COOKIE = "language"
_LIFE_S = 31536000  # a year
_RANGES = const(16)  # of Accept-Language, so many are read


def wanted(headers: "dict[str, str]") -> "Any":
    """Return the row of brand.LANGUAGES that a request asks for, None for English."""
    chosen = _cookie(headers.get("Cookie", ""))
    if not chosen:
        chosen = _accepted(headers.get("Accept-Language", ""))
    return _row(chosen)


def _row(code: str) -> "Any":
    for row in brand.LANGUAGES:
        if row[0] == code:
            return row
    return None


def _is_known(code: str) -> bool:
    return code == words.ENGLISH or _row(code) is not None


def _cookie(header: str) -> str:
    """Return the known language in a Cookie header, ""."""
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE and _is_known(value):
            return value
    return ""


def _accepted(header: str) -> str:
    """Return the known language that a browser likes best; the first of several that it likes alike."""
    best, found = 0, words.ENGLISH
    for part in header.split(",")[:_RANGES]:
        tag, _, parameter = part.partition(";")
        quality = _quality(parameter.strip())
        code = _lookup(tag.strip())
        if code and quality > best:
            best, found = quality, code
    return found


def _lookup(tag: str) -> str:
    """Return the known language of a tag: "fr" for "fr-CA"; "" for none."""
    tag = tag.lower()
    while tag:
        for code in [words.ENGLISH] + [row[0] for row in brand.LANGUAGES]:
            if code.lower() == tag:
                return str(code)
        tag = tag[: max(0, tag.rfind("-"))]
    return ""


def _quality(parameter: str) -> int:
    """Return a weight in thousandths (RFC 9110 12.4.2): 1000 without one, 0 for one that cannot be read."""
    if not parameter:
        return 1000
    name, _, value = parameter.partition("=")
    whole, _, rest = value.strip().partition(".")
    digits = whole + rest + "000"[len(rest) :]
    if name.strip() != "q" or len(rest) > 3 or len(digits) != 4 or not digits.isdigit():
        return 0
    return min(1000, int(digits))


def buttons() -> str:
    """Return a button for each other language, named in that language."""
    rows = [(words.ENGLISH, "English")]  # whose catalogue, if there is one, has the maker's own wording
    rows += [(row[0], row[1]) for row in brand.LANGUAGES if row[0] != words.ENGLISH]
    return "".join(
        [
            '<form method="post" action="/language"><input type="hidden" name="page" value="{}">'
            '<input type="hidden" name="language" value="{}"><button class="plain" lang="{}">{}</button>'
            "</form>".format(escape(words.path()), code, code, escape(name))
            for code, name in rows
            if code != words.code()
        ]
    )


def changed(request: "Any", code: str, page: str) -> "Any":
    """Return the answer that gives a browser its language and leads back to `page`. Raises RequestError(400)."""
    if not _is_known(code):
        raise RequestError(status=400, reason="language")
    is_page = any([route.path == page and route.method == "GET" for route in ROUTES + WIFI_ROUTES])
    response = answers.done(request, page if is_page else "/")
    response.headers["Set-Cookie"] = "{}={}; Path=/; Max-Age={}; Secure; HttpOnly; SameSite=Strict".format(
        COOKIE, code, _LIFE_S
    )
    return response
