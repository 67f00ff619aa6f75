"""The words by which metrics and log name CoAP requests and refusals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

COAP: Final = "coap"
_POSTS: Final = {"fresh": "freshness", "report": "report"}
_FILES: Final = {
    "o": "object",
    "manifest": "manifest",
    "support": "support",
    "contact": "contact",
    "keyset": "keyset",
}
# By the names of aiocoap's exceptions; the most specific class of an exception decides.
_REASONS: Final = {
    "NotFound": "not found",
    "MethodNotAllowed": "method",
    "BadOption": "option",
    "BadRequest": "block",
    "ServiceUnavailable": "unavailable",
    "ReplayError": "replay",
    "DecodeError": "decryption",
    "ProtectionInvalid": "decryption",
}


def kind_of(path: Sequence[str]) -> str:
    """Return the kind of resource that a path of the CoAP server names; "other" for an unknown path."""
    if len(path) == 2:
        return _POSTS.get(path[1], "other")
    return _FILES.get(path[2], "other") if len(path) >= 3 else "other"


def reason_of(refusal: Exception) -> str:
    """Return the word for the reason of a refusal; "other" for any other exception."""
    found = (_REASONS.get(kind.__name__) for kind in type(refusal).__mro__)
    return next((reason for reason in found if reason is not None), "other")
