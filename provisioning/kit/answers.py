"""The answers about one unit, for the command and for the page: which there are, in which order, and in which words.

Rules:
1. A unit may have several answers. The first that applies, in the order of RESULTS, is its result; the others follow.
2. Only "in-order" is a yes. What a kit cannot answer is a no.
3. The page gets RESULTS as data and decides by the same facts, so command and page give the same words; a test
   compares.
4. A kit does not name units of other consignees. So a unit that is not in it is unknown here, unless a signed packing
   line of the delivery names its consignee.
"""

from __future__ import annotations

from typing import Final

IN_ORDER: Final = "in-order"
UNKNOWN: Final = "unknown"
OTHER_CONSIGNEE: Final = "other-consignee"
WRONG_LINE: Final = "wrong-line"
LISTED_TWICE: Final = "listed-twice"
SUPPORT_ENDED: Final = "support-ended"
LABEL_EXPIRED: Final = "label-expired"
KIT_OLD: Final = "kit-old"
CLOCK: Final = "clock"

# Result -> (a few words, the sentence). The names in braces are facts of the unit.
RESULTS: Final[dict[str, tuple[str, str]]] = {
    WRONG_LINE: (
        "packing line not in order",
        "Its line in the packing list is not one that the manufacturer's station signed. Do not sell it; ask {maker}.",
    ),
    OTHER_CONSIGNEE: (
        "shipped to another party",
        "Its packing line names another party than you. Ask the person who supplied it, and {maker}.",
    ),
    UNKNOWN: (
        "not in this kit",
        "{maker} did not ship it to you by {issued}, or it is not one of its units. Get a newer kit, or ask {maker}.",
    ),
    "recalled": ("recalled", "{maker} calls it back after a compliance failure. Do not sell it; return it."),
    "stopped": (
        "stopped",
        "{maker} stopped batch {batch} after a compliance failure. Do not sell it until {maker} ends the stop.",
    ),
    "withdrawn": (
        "withdrawn",
        "{maker} withdrew it: servers no longer accept it. Do not sell it; ask {maker}.",
    ),
    "quarantined": (
        "quarantined",
        "{maker} found a fault and keeps it from sale. Do not sell it; ask {maker}.",
    ),
    "retired": ("retired", "{maker} took it out of use. Do not sell it; ask {maker}."),
    SUPPORT_ENDED: (
        "support period ended",
        "Its support period ended on {support_end}: no security updates are promised after that day.",
    ),
    LABEL_EXPIRED: (
        "label expired",
        "Its statement relies on a label that expired on {label_end}. Do not sell it; ask {maker} for a statement.",
    ),
    LISTED_TWICE: (
        "listed twice",
        "The delivery lists it more than once. Every unit has a serial number of its own: look at both labels.",
    ),
    CLOCK: (
        "wrong date here",
        "The date of this computer is before the date of the kit, {issued}. Set the clock, and check again.",
    ),
    KIT_OLD: (
        "kit too old",
        "The kit counts until {valid_until}. It cannot show later recalls: get a new kit from {maker}.",
    ),
    IN_ORDER: (
        "in order",
        "{model} of batch {batch}, with statement {statement}; security updates until {support_end}.",
    ),
}


def title(result: str) -> str:
    """Return a result in a few words."""
    return RESULTS[result][0]


def sentence(result: str, facts: dict[str, str]) -> str:
    """Return the sentence of a result about a unit with these facts."""
    return RESULTS[result][1].format(**facts)
