"""The station's login: one password for the operator's page, kept as a slow hash; sessions are in memory only.

Rules:
1. There is no default: without a login file the page does not start, and a file that others can read is refused.
2. A password has at least 12 characters, and none that nobody can type again; the file holds salt and scrypt hash
   (RFC 7914), never the password. It is hashed and compared in Unicode's NFKC: keyboards and systems write the same
   character in several ways.
3. Each failure delays the next attempt of the same client, doubling up to a minute, so a stranger who guesses does
   not delay the operator. A client is a browser that signed in before (by its cookie), otherwise a network address
   (IPv6: its /64).
4. A session ends with the process, at sign-out, or after 12 hours.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import secrets
import threading
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from provisioning.keys.pem import write_private
from provisioning.keys.secret_input import require_typable

PASSWORD_CHARS: Final = (12, 200)
FORM: Final = "NFKC"
SESSION_S: Final = 12 * 3600
SESSIONS: Final = 64
LONGEST_DELAY_S: Final = 60.0
FREE_ATTEMPTS: Final = 3
CLIENTS: Final = 1024  # clients whose attempts are remembered
_N, _R, _P = 1 << 15, 8, 1
_MEMORY: Final = 128 * _N * _R * 2


class LoginError(ValueError):
    """The login file cannot be used, or a password cannot be set. The text holds no password."""


def normal(password: str) -> str:
    """Return the form of a password that is hashed (rule 2)."""
    return unicodedata.normalize(FORM, password.rstrip("\r\n"))


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_N, r=_R, p=_P, maxmem=_MEMORY, dklen=32)


def set_password(path: Path, password: str) -> None:
    """Write the login file (mode 0600). Raises LoginError, OSError."""
    low, high = PASSWORD_CHARS
    password = normal(password)
    try:
        require_typable(password)
    except ValueError as error:
        raise LoginError(f"a station's password cannot be used: {error}") from None
    if not low <= len(password) <= high:
        raise LoginError(f"a station's password has {low} to {high} characters")
    salt = secrets.token_bytes(16)
    document = {"scrypt": {"salt": salt.hex(), "hash": _hash(password, salt).hex(), "form": FORM}}
    write_private(path, json.dumps(document).encode())


@dataclass
class Session:
    """A signed-in browser. `note`: the result of the last action, shown once."""

    started_s: float
    note: str = ""


@dataclass
class _Attempts:
    """Failed attempts of one client, and when its next attempt is accepted."""

    failures: int = 0
    free_at: float = 0.0


def client_of(address: str) -> str:
    """Return the part of a network address that one person has: an IPv4 address, or an IPv6 address's first 64 bits."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        return found.ipv4_mapped.compressed if found.ipv4_mapped else found.exploded[:19]
    return found.compressed


@dataclass
class Login:
    """Checks passwords and keeps sessions. `now`: seconds of a monotonic clock."""

    salt: bytes
    expected: bytes = field(repr=False)
    is_normal: bool = True  # False for a file of an earlier version, which hashed a password as it was typed
    now: Callable[[], float] = time.monotonic
    _sessions: dict[str, Session] = field(default_factory=dict, repr=False)
    _attempts: dict[str, _Attempts] = field(default_factory=dict, repr=False)
    _browsers: dict[str, None] = field(default_factory=dict, repr=False)  # in the order of their sign-in
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _hashing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def load(cls, path: Path) -> Login:
        """Load the login from a file. Raises LoginError, OSError."""
        if path.stat().st_mode & 0o077:
            raise LoginError(f"{path.name} can be read by others; set its mode to 0600")
        try:
            stored = json.loads(path.read_bytes())["scrypt"]
            is_normal = stored.get("form") == FORM
            return cls(bytes.fromhex(stored["salt"]), bytes.fromhex(stored["hash"]), is_normal)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise LoginError(
                f"{path.name} is not a login file; create one with firstboot station set-login"
            ) from None

    def wait_s(self, client: str = "") -> float:
        """Return the seconds until the next attempt of this client is accepted; 0.0 if it is accepted now."""
        known = self._attempts.get(client)
        return 0.0 if known is None else max(0.0, known.free_at - self.now())

    def client(self, address: str, browser: str | None) -> str:
        """Return the name under which attempts are counted (rule 3). `browser`: the value of its cookie."""
        return f"browser {browser}" if browser in self._browsers else client_of(address)

    def known_browser(self) -> str:
        """Return a new cookie value for a browser that signed in."""
        name = secrets.token_urlsafe(16)
        self._browsers[name] = None
        while len(self._browsers) > CLIENTS:
            self._browsers.pop(next(iter(self._browsers)))
        return name

    def sign_in(self, password: str, client: str = "") -> str | None:
        """Return a new session's token; None for a wrong password, or while this client has to wait. Slow by intent."""
        with self._lock:  # counted before the check, so that parallel attempts all count
            if self.wait_s(client) > 0:
                return None
            attempts = self._attempts.pop(client, None) or _Attempts()
            self._attempts[client] = attempts  # the newest is last
            while len(self._attempts) > CLIENTS:
                self._attempts.pop(next(iter(self._attempts)))
            attempts.failures += 1
            is_slow = attempts.failures > FREE_ATTEMPTS
            delay = min(LONGEST_DELAY_S, 2.0 ** (attempts.failures - FREE_ATTEMPTS)) if is_slow else 0.0
            attempts.free_at = self.now() + delay
        with self._hashing:  # one at a time: many parallel guesses take one core and 32 MiB
            typed = normal(password) if self.is_normal else password
            is_right = hmac.compare_digest(_hash(typed[: PASSWORD_CHARS[1]], self.salt), self.expected)
            is_right = is_right and len(typed) <= PASSWORD_CHARS[1]
        if not is_right:
            return None
        self._attempts.pop(client, None)
        if len(self._sessions) >= SESSIONS:
            del self._sessions[min(self._sessions, key=lambda token: self._sessions[token].started_s)]
        token = secrets.token_urlsafe(32)
        self._sessions[token] = Session(self.now())
        return token

    def session(self, token: str | None) -> Session | None:
        """Return the live session of a token, or None."""
        found = self._sessions.get(token or "")
        if found is None or token is None:
            return None
        if self.now() - found.started_s > SESSION_S:
            self.sign_out(token)
            return None
        return found

    def sign_out(self, token: str | None) -> None:
        """End a session."""
        self._sessions.pop(token or "", None)
