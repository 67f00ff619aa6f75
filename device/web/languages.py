"""The language that a browser asks for, on a unit whose product has more than English: cookie and header.

Rules:
1. A browser's choice is a cookie of its own. It changes nothing on the unit, so it needs no session and works before
   set-up.
2. Without a cookie the browser's Accept-Language decides (RFC 9110 12.5.4, by lookup of RFC 4647 3.4), at the end
   English. What cannot be read counts as absent.
"""

from device.compat import const
from device.web import brand

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

ENGLISH = "en"
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


def is_known(code: str) -> bool:
    """Return whether the product has the language of a BCP 47 code."""
    return code == ENGLISH or _row(code) is not None


def _cookie(header: str) -> str:
    """Return the known language in a Cookie header, ""."""
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE and is_known(value):
            return value
    return ""


def _accepted(header: str) -> str:
    """Return the known language that a browser likes best; the first of several that it likes alike."""
    best, found = 0, ENGLISH
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
        for code in [ENGLISH] + [row[0] for row in brand.LANGUAGES]:
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


def cookie(code: str) -> str:
    """Return the Set-Cookie value that gives a browser its language."""
    return "{}={}; Path=/; Max-Age={}; Secure; HttpOnly; SameSite=Strict".format(COOKIE, code, _LIFE_S)
