"""The outcome of one check of the evidence, and the error for evidence that cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PASS, FAIL, NOT_RUN, NOT_APPLICABLE = "pass", "fail", "not run", "not applicable"
OUTCOMES: Final = (PASS, FAIL, NOT_RUN, NOT_APPLICABLE)


class EvidenceError(ValueError):
    """The evidence cannot be read, or is about something else."""


@dataclass(frozen=True)
class Check:
    """The outcome of one requirement, and its grounds in one line."""

    id: str
    outcome: str
    detail: str
