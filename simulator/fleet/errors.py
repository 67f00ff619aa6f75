"""The errors of the virtual fleet."""

from __future__ import annotations


class FleetError(Exception):
    """The base of the errors that `firstboot fleet` reports."""


class MachineLimitError(FleetError):
    """This machine does not let one process do what a fleet needs."""


class ScenarioError(FleetError):
    """A scenario cannot be used. `problems`: one line for each wrong table or field."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))
