"""Errors of a registry. No text holds a secret."""

from __future__ import annotations


class RegistryError(Exception):
    """The registry refuses, or cannot be used."""


class UnavailableError(RegistryError):
    """The registry's disk is full, its database is locked, or its server does not answer: try again after that ends.

    `is_full`: there is no space for it.
    """

    def __init__(self, text: str, *, is_full: bool = False) -> None:
        super().__init__(text)
        self.is_full = is_full


class AlreadyPassedError(RegistryError):
    """The unit has passed; it is not provisioned a second time."""


class QuarantinedError(RegistryError):
    """The unit failed, or its identity is in doubt; a person has to decide."""


class DuplicateCodeError(RegistryError):
    """The new set-up code was generated before, for this or another unit."""


class BatchError(RegistryError):
    """The batch is closed, or was opened with other values."""


class NumbersUsedUpError(RegistryError):
    """A branch has no serial number left; it needs another range from the main registry."""


class ClockError(RegistryError):
    """The station's clock changed during a shift, or contradicts the registry; nothing is reserved or locked."""


class ChainError(RegistryError):
    """Records or checkpoints were changed, dropped or forged. `problems`: one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


class ConflictError(RegistryError):
    """Two registries contradict each other in a way that quarantine cannot settle."""
