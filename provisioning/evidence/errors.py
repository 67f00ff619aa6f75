"""The errors of evidence that is signed as an in-toto statement."""

from __future__ import annotations

from provisioning.compliance.check_outcomes import EvidenceError


class EnvelopeError(EvidenceError):
    """A file is not a DSSE envelope with an in-toto statement of the expected kind."""


class EvidenceRefusedError(Exception):
    """The evidence can be read and cannot be relied on. `problems`: every reason, one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))
