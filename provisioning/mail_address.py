"""A mail address as it is written to a mail server."""

from __future__ import annotations

import re
from typing import Final

LONGEST_ADDRESS: Final = 320  # RFC 5321 4.5.3.1
# No space, no quoting, no control character, one @.
ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)


def is_address(text: str) -> bool:
    """Return whether `text` is one plain address."""
    return len(text) <= LONGEST_ADDRESS and ADDRESS.fullmatch(text) is not None
