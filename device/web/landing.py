"""The plain page inside the unit's own access point: it leads to the pages over HTTPS, and takes nothing.

A phone that joins asks a well-known address whether it reaches the internet. Every such request is redirected here, so
the phone shows this page by itself. The page has no form and no secret, and it loads nothing.

Rules:
1. Only GET and HEAD are answered. A request for the unit's address and "/" gets the page, every other one a redirect to
   it.
2. Requests are read by http.py, with its bounds; what breaks a rule gets its status and no page.
"""

from device.compat import const
from device.web import brand, http, words
from device.web.html import escape
from device.web.words import gettext as _

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.web.http import Head

_WORDS = (  # gettext
    "Your phone or computer is connected to the device. One more step leads to its pages.",
    "Your browser will warn you, because the device made its own certificate. Choose Details or Advanced, then go on."
    " To be sure that it is your device, compare the fingerprint of its certificate with that on the label.",
)
_OTHER_WAY = "If nothing opens, close this window and type this address into your browser:"  # gettext


def respond(head: "Head", address: str, model: str) -> bytes:
    """Return the whole answer to a request. `address`: of the unit in its access point; `model`: shown as the title."""
    if head.method not in ("GET", "HEAD"):
        return refusal(405)
    host = head.headers.get("Host", "").split(":", 1)[0]
    if host != address or head.path != "/":
        return _answer(302, b"", {"Location": "http://" + address + "/"})
    words.use(head.headers)
    body = _page(address, model).encode()
    answer = _answer(200, body, {"Content-Type": "text/html; charset=UTF-8"})
    return answer[: len(answer) - len(body)] if head.method == "HEAD" else answer


def refusal(status: int) -> bytes:
    """Return an answer without a page."""
    return _answer(status, b"", {})


def _answer(status: int, body: bytes, headers: "dict[str, str]") -> bytes:
    found = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    found["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    for name in headers:
        found[name] = headers[name]
    return http.head_bytes(status, found, len(body)) + body


def _page(address: str, model: str) -> str:
    way = "https://" + address + "/"
    return (
        '<!doctype html>\n<html lang="'
        + words.code()
        + '" dir="'
        + words.direction()
        + '">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>'
        + escape(model)
        + "</title>\n<style>body{font:1.1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:34rem;padding:1.2rem;"
        "color:#1b1b1b;background:#fff}a.go{display:block;background:#0b5394;color:#fff;text-align:center;padding:.9rem;"
        "border-radius:.4rem;text-decoration:none;font-weight:600}code{overflow-wrap:anywhere}"
        "@media(prefers-color-scheme:dark){body{background:#15181c;color:#eee}a.go{background:#7db7f0;color:#10151a}}"
        + brand.LANDING_STYLE
        + "</style>\n</head>\n<body>\n<main>\n<h1>"
        + escape(model)
        + "</h1>\n"
        + "".join(["<p>" + escape(_(line)) + "</p>" for line in _WORDS])
        + '\n<p><a class="go" href="'
        + escape(way)
        + '">'
        + escape(_("Continue"))
        + "</a></p>\n<p>"
        + escape(_(_OTHER_WAY))
        + ' <code dir="ltr">'
        + escape(way)
        + "</code></p>\n</main>\n</body>\n</html>\n"
    )
