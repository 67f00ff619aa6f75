"""Sessions of the signed-in owner: few random, short-lived tokens in RAM; a restart signs everyone out.

Rules:
1. A token is 256 random bits; only its SHA-256 is kept, so that the time of a lookup reveals nothing.
2. A session ends SESSION_LIFE_S seconds after sign-in. There are at most SESSIONS: a new one ends the oldest.
3. Each request drops the sessions that are over, and site.Site does so while a session is open.
"""

import hashlib

from device.compat import const
from device.limits import SESSION_LIFE_S, SESSIONS

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.web.facade import Device

COOKIE = "session"
TOKEN_BYTES = 32


class Sessions:
    """The open sessions of one unit, oldest first."""

    def __init__(self, device: "Device") -> None:
        self._device = device
        self._open: "list[tuple[bytes, int]]" = []  # (hash of the token, ticks at sign-in)

    def create(self) -> str:
        """Open a session and return its token in hex. Raises EntropyError."""
        token = "".join(["{:02x}".format(byte) for byte in self._device.random_bytes(TOKEN_BYTES)])
        self.purge()
        while len(self._open) >= SESSIONS:
            self._open.pop(0)
        self._open.append((_hash(token), self._device.ticks_ms()))
        return token

    def is_valid(self, token: str) -> bool:
        """Return whether `token` belongs to an open session."""
        self.purge()
        wanted = _hash(token)
        return any([kept == wanted for kept, _ in self._open])

    def end(self, token: str) -> None:
        """Close the session of `token`, if there is one."""
        wanted = _hash(token)
        self._open = [session for session in self._open if session[0] != wanted]

    def end_all(self) -> None:
        """Close every session: password changed, factory reset (PW-03, PW-12)."""
        self._open = []

    def count(self) -> int:
        """Return the number of open sessions."""
        return len(self._open)

    def purge(self) -> None:
        """Drop the sessions whose life is over."""
        now = self._device.ticks_ms()
        self._open = [
            session
            for session in self._open
            if 0 <= self._device.ticks_diff(now, session[1]) < SESSION_LIFE_S * 1000
        ]


def cookie(token: str) -> str:
    """Return the Set-Cookie value that gives `token` to a browser."""
    return "{}={}; Path=/; Max-Age={}; Secure; HttpOnly; SameSite=Strict".format(
        COOKIE, token, SESSION_LIFE_S
    )


def no_cookie() -> str:
    """Return the Set-Cookie value that deletes the token in the browser."""
    return COOKIE + "=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict"


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
