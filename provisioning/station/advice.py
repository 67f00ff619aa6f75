"""The operator's next step for each result of a run, in plain words and without cryptography."""

from __future__ import annotations

from typing import Final

from provisioning.station.phases import Outcome, PhaseResult

CALL: Final = "Put the board aside and call the line engineer."
_BY_PHASE: Final[dict[tuple[str, Outcome], str]] = {
    (
        "link",
        Outcome.FAIL,
    ): "Check the cable and the plug, then try again. If it fails again, change the cable.",
    ("link", Outcome.TIMEOUT): "Check that the board has power and is firmly in the fixture, then try again.",
    (
        "identify",
        Outcome.FAIL,
    ): "This station cannot provision this board. Put it aside. The reason is shown above.",
    (
        "reserve",
        Outcome.FAIL,
    ): "Put the board aside. The reason is shown above. Nothing was written to the board.",
    ("label", Outcome.FAIL): "Check the label printer: paper, ribbon and cable. Then select Try again.",
    ("verify", Outcome.FAIL): f"The board did not store its data correctly. {CALL}",
    ("lock", Outcome.FAIL): CALL,
    ("prove", Outcome.FAIL): f"Keep this board with its label, away from the finished units. {CALL}",
}
_BY_OUTCOME: Final[dict[Outcome, str]] = {
    Outcome.PASS: "Stick the label on the board, then remove the board.",
    Outcome.FAIL: CALL,
    Outcome.TIMEOUT: "Leave the board in place and select Try again. It continues where it stopped.",
    Outcome.ERROR: "Check the plug, then the disk, database and clock of the station. Then select Try again.",
    Outcome.ABORTED: "Start again. The board continues where it stopped.",
}


def advice(result: PhaseResult | None) -> str:
    """Return the sentence for the phase that did not pass. `result` is None if the station itself failed."""
    if result is None:
        return f"The station itself has a fault. {CALL}"
    return _BY_PHASE.get((result.name, result.outcome), _BY_OUTCOME[result.outcome])
