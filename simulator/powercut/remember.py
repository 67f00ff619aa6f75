"""Answers of functions of bytes alone, kept: most cases of a campaign ask for the same ones again and again.

Nothing is made up: the first answer is computed by the function itself, in this process or in the one it was forked
from. That a campaign with and without this gives the same is what `test_engine.py` looks at.
"""

from __future__ import annotations

from typing import Any

from device.crypto import backend

FUNCTIONS = ("p256_verify", "p256_sign", "p256_public", "hss_verify", "aes_ccm_encrypt", "aes_ccm_decrypt")
KEPT = 50_000  # answers of one function; more than a campaign asks for


class Remembering:
    """A function of bytes alone that computes each answer once. Exceptions are not kept."""

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
    """backend.Pbkdf2 that counts its iterations and computes when it is asked for the digest."""

    def __init__(self, password: bytes, salt: bytes) -> None:
        self._arguments = (password, salt)
        self._iterations = 0

    def step(self, iterations: int) -> None:
        """Count `iterations` more; raises ValueError for none."""
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
    """Let this process, and those it forks, compute each signature check, cipher and password hash once."""
    for name in FUNCTIONS:
        function = getattr(backend, name)
        if not isinstance(function, Remembering):
            setattr(backend, name, Remembering(function))
    backend.Pbkdf2 = RememberedPbkdf2
