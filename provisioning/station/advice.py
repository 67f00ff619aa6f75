"""What an operator does next, in plain words, by what a run came to. No word of cryptography."""

from __future__ import annotations

from typing import Final

from provisioning.station.phases import Outcome, PhaseResult

CALL: Final = "Put the board aside and call the line's engineer."
_BY_PHASE: Final[dict[tuple[str, Outcome], str]] = {
    ("link", Outcome.FAIL): "Check cable and plug, then try again. If it stays, change the cable.",
    ("link", Outcome.TIMEOUT): "Check that the board has power and sits well in the plug, then try again.",
    ("identify", Outcome.FAIL): "This board may not be made here now. Put it aside; the reason stands above.",
    ("reserve", Outcome.FAIL): "Put the board aside; the reason stands above. Nothing was written to it.",
    ("label", Outcome.FAIL): "Check the label printer: paper, ribbon, cable. Then press retry.",
    ("verify", Outcome.FAIL): f"The board did not keep what was written. {CALL}",
    ("lock", Outcome.FAIL): CALL,
    ("prove", Outcome.FAIL): f"Keep this board and its label together and off the pallet. {CALL}",
}
_BY_OUTCOME: Final[dict[Outcome, str]] = {
    Outcome.PASS: "Stick the label on, take the board off.",
    Outcome.FAIL: CALL,
    Outcome.TIMEOUT: "Leave the board where it is and press retry. It goes on where it stopped.",
    Outcome.ERROR: "Check the plug, and that the station's disk, database and clock are well; then press retry.",
    Outcome.ABORTED: "Start again; the board goes on where it stopped.",
}


def advice(result: PhaseResult | None) -> str:
    """The sentence for the phase that did not pass; None: the station itself failed."""
    if result is None:
        return f"The station has a fault of its own. {CALL}"
    return _BY_PHASE.get((result.name, result.outcome), _BY_OUTCOME[result.outcome])
