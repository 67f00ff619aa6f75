"""Answers as microdot Responses: a page for a browser, JSON for a program that asks for it."""

import json

from microdot import Response

from device.compat import const
from device.web import pages, words

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.errors import FirstbootError

HTML = "text/html; charset=UTF-8"
JSON = "application/json"


def wants_json(request: "Any") -> bool:
    """Return whether the client asked for JSON instead of a page."""
    return JSON in request.headers.get("Accept", "")


def page(parts: "tuple[str, ...]", status: int = 200) -> "Any":
    """Return a page."""
    response = Response(b"", status, {"Content-Type": HTML})
    response.body = parts  # type: ignore[assignment]  # server.py sends it piece by piece
    return response


def text(parts: "tuple[str, ...]", kind: str) -> "Any":
    """Return a file of the firmware, of the content type `kind`; a browser may keep it."""
    response = page(parts)
    response.headers["Content-Type"] = kind + "; charset=UTF-8"
    response.headers["Cache-Control"] = "max-age=3600"
    return response


def data(value: "Any", status: int = 200) -> "Any":
    """Return a JSON value."""
    return Response(json.dumps(value), status, {"Content-Type": JSON})


def see(path: str) -> "Any":
    """Return a redirect to `path`."""
    return Response(b"", 303, {"Location": path, "Content-Type": HTML})


def done(request: "Any", path: str) -> "Any":
    """Return the answer to a form that was carried out: 303 to `path`; for a program 200 {"next": path}."""
    return data({"next": path}) if wants_json(request) else see(path)


def refuse(
    request: "Any",
    status: int,
    text: str,
    error: "FirstbootError | None" = None,
    shown: "tuple[str, ...]" = (),
) -> "Any":
    """Return a refusal in words, or the page `shown` in its place. `text`: English, or in the request's language.

    A program gets the words as JSON, with the error's number, name, `reason` and `wait_s`.
    """
    words.use(request.headers, request.path)
    text = words.gettext(text)
    if not wants_json(request):
        return page(shown or pages.message(status, text), status)
    answer: "dict[str, Any]" = {"status": status, "text": text}
    if error is not None:
        answer["code"] = error.code
        answer["name"] = type(error).__name__
        for field in ("reason", "wait_s"):
            if field in error.fields:
                answer[field] = error.fields[field]
    return data({"error": answer}, status)
