"""The severity of a vulnerability: a CVSS 4.0 vector, checked and scored by the `cvss` library of Red Hat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from provisioning.disclosure.errors import CaseInputError

LONGEST_VECTOR: Final = 300
PREFIX: Final = "CVSS:4.0/"


@dataclass(frozen=True)
class Severity:
    """A score from 0.0 to 10.0, its word ("None", "Low", "Medium", "High", "Critical"), and the vector."""

    vector: str
    score: float
    rating: str


def severity(vector: str) -> Severity:
    """Return the severity of a CVSS 4.0 vector (FIRST, CVSS v4.0 section 6 and 7). Raises CaseInputError."""
    from cvss import CVSS4
    from cvss.exceptions import CVSS4Error

    if len(vector) > LONGEST_VECTOR or not vector.isascii() or not vector.startswith(PREFIX):
        raise CaseInputError(f"the severity is a CVSS 4.0 vector, which begins with {PREFIX}")
    try:
        found = CVSS4(vector)
        return Severity(found.clean_vector(), float(found.base_score), str(found.severity))
    except (CVSS4Error, ValueError, KeyError, IndexError) as error:
        raise CaseInputError(f"the CVSS 4.0 vector is not valid: {error}") from None
