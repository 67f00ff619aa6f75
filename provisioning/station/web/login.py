"""The station's login: one password for the operator's page, kept as a slow hash; sessions live in memory.

Rules:
1. There is no default: without a login file the page does not start, and a file that others can read is refused.
2. A password has at least 12 characters; the file holds salt and scrypt hash (RFC 7914), never the password.
3. Failures delay the next attempt, doubling to a minute, for everyone: a shift is not locked out for longer.
4. A session ends with the process, at sign-out, or after 12 hours.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from provisioning.keys.pem import write_private

PASSWORD_CHARS: Final = (12, 200)
SESSION_S: Final = 12 * 3600
SESSIONS: Final = 64
LONGEST_DELAY_S: Final = 60.0
FREE_ATTEMPTS: Final = 3
_N, _R, _P = 1 << 15, 8, 1
_MEMORY: Final = 128 * _N * _R * 2


class LoginError(ValueError):
    """The login file cannot be used, or a password cannot be set; the text holds no password."""


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_N, r=_R, p=_P, maxmem=_MEMORY, dklen=32)


def set_password(path: Path, password: str) -> None:
    """Write the login file (mode 0600). Raises LoginError, OSError."""
    low, high = PASSWORD_CHARS
    if not low <= len(password) <= high:
        raise LoginError(f"a station's password has {low} to {high} characters")
    salt = secrets.token_bytes(16)
    document = {"scrypt": {"salt": salt.hex(), "hash": _hash(password, salt).hex()}}
    write_private(path, json.dumps(document).encode())


@dataclass
class Session:
    """One signed-in browser. `note`: what the last action came to, shown once."""

    started_s: float
    note: str = ""


@dataclass
class Login:
    """Checks passwords and keeps sessions. `now`: seconds of a clock that only goes forward."""

    salt: bytes
    expected: bytes = field(repr=False)
    now: Callable[[], float] = time.monotonic
    _sessions: dict[str, Session] = field(default_factory=dict, repr=False)
    _failures: int = 0
    _free_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def load(cls, path: Path) -> Login:
        """The login of a file. Raises LoginError, OSError."""
        if path.stat().st_mode & 0o077:
            raise LoginError(f"{path.name} can be read by others; set its mode to 0600")
        try:
            stored = json.loads(path.read_bytes())["scrypt"]
            return cls(bytes.fromhex(stored["salt"]), bytes.fromhex(stored["hash"]))
        except (ValueError, KeyError, TypeError):
            raise LoginError(
                f"{path.name} is no login file; make one with firstboot station set-login"
            ) from None

    def wait_s(self) -> float:
        """Seconds until the next attempt is looked at; 0.0 when it may come now."""
        return max(0.0, self._free_at - self.now())

    def sign_in(self, password: str) -> str | None:
        """A new session's token; None for a wrong password or while attempts have to wait. Slow by intent."""
        with self._lock:  # counted before it is looked at, so that attempts in parallel all count
            if self.wait_s() > 0:
                return None
            self._failures += 1
            is_slow = self._failures > FREE_ATTEMPTS
            delay = min(LONGEST_DELAY_S, 2.0 ** (self._failures - FREE_ATTEMPTS)) if is_slow else 0.0
            self._free_at = self.now() + delay
        if not hmac.compare_digest(_hash(password[: PASSWORD_CHARS[1]], self.salt), self.expected):
            return None
        self._failures, self._free_at = 0, 0.0
        if len(self._sessions) >= SESSIONS:
            del self._sessions[min(self._sessions, key=lambda token: self._sessions[token].started_s)]
        token = secrets.token_urlsafe(32)
        self._sessions[token] = Session(self.now())
        return token

    def session(self, token: str | None) -> Session | None:
        """The live session of a token."""
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
