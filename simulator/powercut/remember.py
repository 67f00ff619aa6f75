"""A cache for pure functions of bytes: most cases of a campaign compute the same results again and again.

The function itself computes each first result, in this process or in the one that it was forked from.
`test_engine.py` checks that a campaign finds the same with and without the cache.
"""

from __future__ import annotations

from typing import Any

from device.crypto import backend

FUNCTIONS = ("p256_verify", "p256_sign", "p256_public", "hss_verify", "aes_ccm_encrypt", "aes_ccm_decrypt")
KEPT = 50_000  # results of one function; more than a campaign needs


class Remembering:
    """A pure function of bytes that computes each result once. Exceptions are not kept."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self._answers: dict[tuple[object, ...], Any] = {}

    def __call__(self, *arguments: Any) -> Any:
        key = tuple(bytes(item) if isinstance(item, bytearray | memoryview) else item for item in arguments)
        if key not in self._answers:
            if len(self._answers) > KEPT:
                self._answers.clear()
            self._answers[key] = self.function(*arguments)
        return self._answers[key]


def _derive(password: bytes, salt: bytes, iterations: int) -> bytes:
    work = _original(password, salt)
    work.step(iterations)
    digest: bytes = work.digest()
    return digest


_original: Any = backend.Pbkdf2
_remembered = Remembering(_derive)


class RememberedPbkdf2:
    """backend.Pbkdf2 that counts iterations and computes only in digest()."""

    def __init__(self, password: bytes, salt: bytes) -> None:
        self._arguments = (password, salt)
        self._iterations = 0

    def step(self, iterations: int) -> None:
        """Add `iterations`. Raises ValueError for less than 1."""
        if iterations < 1:
            raise ValueError("PBKDF2 iterations")
        self._iterations += iterations

    def digest(self) -> bytes:
        """Return the 32-byte key; raises ValueError before the first step."""
        if not self._iterations:
            raise ValueError("PBKDF2 iterations")
        digest: bytes = _remembered(*self._arguments, self._iterations)
        return digest


def remember_answers() -> None:
    """Make this process and its forks compute each signature check, cipher and password hash only once."""
    for name in FUNCTIONS:
        function = getattr(backend, name)
        if not isinstance(function, Remembering):
            setattr(backend, name, Remembering(function))
    backend.Pbkdf2 = RememberedPbkdf2
