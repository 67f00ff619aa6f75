"""Headers and forms that all pages of the maker's servers share (Starlette)."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request

from provisioning import fair_time

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
    " img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "same-origin",  # with no-referrer a form of ours would come with "Origin: null"
    "X-Content-Type-Options": "nosniff",
}
MOST_FIELDS: Final = 8
FORM_S: Final = 30  # the longest time for the body of a form
SLOW_FORM: Final = "Your form took too long to arrive. Nothing was stored. Please send it again."


def is_own(request: Request) -> bool:
    """Return whether a POST comes from a page of this host; browsers send Origin or Sec-Fetch-Site with every form."""
    origin = request.headers.get("origin")
    if origin is not None:
        return origin == f"{request.url.scheme}://{request.headers.get('host', '')}"
    return request.headers.get("sec-fetch-site", "none") in ("same-origin", "none")


class SlowFormError(TimeoutError):
    """The body of a form did not arrive in FORM_S."""


async def read_form(request: Request, most_bytes: int) -> dict[str, str] | None:
    """Return the fields of a form; None if the body is too large, did not arrive whole, or is not a form.

    Raises SlowFormError: a client that sends a byte now and then keeps its place for so long at most.
    """
    end_s = fair_time.now() + FORM_S
    reading = asyncio.ensure_future(_body(request, most_bytes))
    try:
        while not (await asyncio.wait({reading}, timeout=fair_time.SLICE_S))[0]:
            if fair_time.now() >= end_s:
                raise SlowFormError
        data = reading.result()
        if data is None:
            return None
        fields = parse_qs(data.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except (ValueError, ClientDisconnect):
        return None
    finally:
        reading.cancel()
    return {name: values[0] for name, values in fields.items()}


async def _body(request: Request, most_bytes: int) -> bytes | None:
    """Return the body of a request, None if it is too large. Raises ClientDisconnect."""
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > most_bytes:
            return None
    return data
