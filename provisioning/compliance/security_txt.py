"""Write security.txt (RFC 9116) from the contact of a product definition, and read it strictly.

Rules (RFC 9116 2.5):
1. At least one Contact, a URI; https, mailto or tel. 2. Exactly one Expires, in the future and less than a year away.
3. At most one Preferred-Languages. 4. Web addresses are https. 5. Ours also has Policy, which leads to the page with
   the times of acknowledgement and status updates (RP-06), and Canonical.
6. The site's check refuses a file that expires in less than thirty days, so that it is renewed in time.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LIFETIME_DAYS: Final = 364
ALARM_DAYS: Final = 30
FILE_BYTES: Final = 32768
SCHEMES: Final = ("https://", "mailto:", "tel:")
_FIELD: Final = re.compile(r"([A-Za-z-]+):[ \t]+(\S.*)")
_ONCE: Final = ("Expires", "Preferred-Languages")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)")


class SecurityTxtError(ValueError):
    """The file does not follow RFC 9116, or has expired."""


@dataclass(frozen=True)
class SecurityTxt:
    """The fields of security.txt that Firstboot uses."""

    contacts: tuple[str, ...]
    expires: dt.datetime
    policy: str
    canonical: str


def make_security_txt(
    contacts: Sequence[str], policy: str, canonical: str, today: dt.date, csaf: str = ""
) -> bytes:
    """Return the file, valid for LIFETIME_DAYS. Raises SecurityTxtError for fields that RFC 9116 does not allow.

    `csaf`: address of the metadata of the advisories (CSAF 2.0 section 7.1.8); empty without any.
    """
    expires = dt.datetime.combine(today + dt.timedelta(LIFETIME_DAYS), dt.time(), dt.UTC)
    lines = [f"Contact: {contact}" for contact in contacts]
    lines += [
        f"Expires: {expires.strftime('%Y-%m-%dT%H:%M:%SZ')}",
        "Preferred-Languages: en",
        f"Canonical: {canonical}",
        f"Policy: {policy}",
        *([f"CSAF: {csaf}"] if csaf else []),
    ]
    data = ("\r\n".join(lines) + "\r\n").encode()
    check_security_txt(data, today)
    return data


def check_security_txt(data: bytes, today: dt.date, *, alarm_days: int = 0) -> SecurityTxt:
    """Return the fields of a file that is valid today and for `alarm_days` more. Raises SecurityTxtError."""
    fields = _fields(data)
    for name in ("Contact", "Expires", "Policy", "Canonical"):
        if name not in fields:
            raise SecurityTxtError(f"security.txt has no {name}")
    for name in _ONCE:
        if len(fields.get(name, [])) > 1:
            raise SecurityTxtError(f"security.txt has {name} more than once")
    if not all(value.startswith(SCHEMES) for value in fields["Contact"]):
        raise SecurityTxtError("a Contact of security.txt is not an https, mailto or tel address")
    for name in ("Policy", "Canonical", "Csaf"):
        if not all(value.startswith("https://") for value in fields.get(name, [])):
            raise SecurityTxtError(f"{name} of security.txt must be an https address")
    expires = _expires(fields["Expires"][0])
    now = dt.datetime.combine(today, dt.time(), dt.UTC)
    if expires <= now + dt.timedelta(alarm_days):
        raise SecurityTxtError(
            f"security.txt expires on {expires.date().isoformat()}: build the site again (RP-06)"
        )
    if expires >= now + dt.timedelta(365):
        raise SecurityTxtError("security.txt expires more than a year from now")
    return SecurityTxt(tuple(fields["Contact"]), expires, fields["Policy"][0], fields["Canonical"][0])


def _expires(text: str) -> dt.datetime:
    if not _DATE.fullmatch(text):
        raise SecurityTxtError("Expires of security.txt is not a date and time of RFC 3339")
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise SecurityTxtError("Expires of security.txt is not a date and time of RFC 3339") from None


def _fields(data: bytes) -> dict[str, list[str]]:
    if len(data) > FILE_BYTES:
        raise SecurityTxtError(f"security.txt is larger than {FILE_BYTES} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise SecurityTxtError("security.txt is not UTF-8") from None
    fields: dict[str, list[str]] = {}
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _FIELD.fullmatch(line.rstrip(" \t"))
        if found is None:
            raise SecurityTxtError(f"line {number} of security.txt is not a field")
        fields.setdefault(found[1].title(), []).append(found[2])
    return fields
