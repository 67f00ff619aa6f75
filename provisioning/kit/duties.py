"""The duties of importers and distributors under sections 14 to 25 of the Act, one sentence for each.

Rules:
1. A sentence is a short form of its section and adds nothing to it. The reader gets the section, to read it.
2. All of them apply to a person who intends that the product will be a UK consumer connectable product, or who knows or
   ought to know that. Duties after a compliance failure begin when the person knows of it, or ought to.
3. A customer is not a relevant person (s. 7) and has no duty here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from provisioning.registry.consignees import DISTRIBUTOR, IMPORTER


@dataclass(frozen=True)
class Duty:
    """One duty. `source`: section or regulation; `requirement`: the row of docs/requirements.md, or empty."""

    source: str
    sentence: str
    requirement: str = ""


CONDITION: Final = (
    "These duties apply if you intend that the product will be a UK consumer connectable product, or if you know or"
    " ought to know that it will be one. The short forms here do not replace the sections: read them. This is not legal"
    " advice."
)
_AVAILABLE: Final = "make the product available in the United Kingdom"
_NOTICE: Final = "Give details, the risks that you know of, and the steps taken with their success."


def _own_failure(source: str) -> Duty:
    return Duty(
        source,
        "If you yourself fail to comply with a security requirement, take all reasonable steps to remedy that as soon"
        f" as is practicable, and notify the enforcement authority as soon as possible. {_NOTICE}",
    )


DUTIES: Final[dict[str, tuple[Duty, ...]]] = {
    IMPORTER: (
        Duty("section 14", "Comply with every security requirement that applies to you for the product."),
        Duty(
            "section 15(2)",
            f"Do not {_AVAILABLE} unless a statement of compliance, or the summary that regulations prescribe,"
            " accompanies it.",
            "SC-04",
        ),
        Duty(
            "section 15(3), regulation 9",
            "Keep a copy of the statement for ten years from its issue or for the support period that it states,"
            " whichever is longer.",
            "SC-06",
        ),
        Duty(
            "section 15(5)",
            "If a label replaces the statement, you must be satisfied that the label's conditions are met. Section"
            " 15(2) and (3) do not apply then.",
            "SC-09",
        ),
        Duty(
            "section 16",
            "As an importer, you may not make the product available in the United Kingdom while you know or believe"
            " that its manufacturer has not complied with a security requirement.",
        ),
        Duty(
            "section 17",
            "If you are informed that there is or may be a compliance failure of yours or of the manufacturer, take all"
            " reasonable steps to investigate.",
        ),
        _own_failure("section 18"),
        Duty(
            "section 19",
            "If the manufacturer has failed to comply, contact the manufacturer as soon as possible, and then notify"
            " the enforcement authority and every distributor that you supplied. If it is unlikely that the"
            " manufacturer remedies the failure, take all reasonable steps to keep the product from customers. You need"
            f" not contact or notify those who informed you. {_NOTICE}",
        ),
        Duty(
            "section 20",
            "Record every investigation that you carried out, and every one of the manufacturer's that you know of:"
            " outcome, details, steps, success. Keep each record for ten years from the day on which it is made.",
        ),
    ),
    DISTRIBUTOR: (
        Duty("section 21", "Comply with every security requirement that applies to you for the product."),
        Duty(
            "section 22(2)",
            f"Do not {_AVAILABLE} unless a statement of compliance, or the summary that regulations prescribe,"
            " accompanies it.",
            "SC-04",
        ),
        Duty(
            "section 22(3)",
            "If a label replaces the statement, you must be satisfied that the label's conditions are met. Section"
            " 22(2) does not apply then.",
            "SC-09",
        ),
        Duty(
            "section 23",
            "As a distributor, you may not make the product available in the United Kingdom while you know or believe"
            " that its manufacturer has not complied with a security requirement.",
        ),
        _own_failure("section 24"),
        Duty(
            "section 25",
            "If the manufacturer has failed to comply, contact the manufacturer as soon as possible, or else the person"
            " who supplied you, and then notify the enforcement authority, those who supplied you, and every importer"
            " and distributor that you supplied. If it is unlikely that the manufacturer remedies the failure, take all"
            " reasonable steps to keep the product from customers. You need not contact or notify those who informed"
            f" you. {_NOTICE}",
        ),
    ),
}


def duties_of(role: str) -> tuple[Duty, ...]:
    """Return the duties of a role; none for a customer (rule 3)."""
    return DUTIES.get(role, ())


def keeping_words(role: str) -> str:
    """Return the sentence about keeping statements for a role (regulations 8 and 9; SC-06)."""
    if role == IMPORTER:
        return "As an importer you have to keep each statement until the day that is given for it (regulation 9)."
    return (
        "Regulations 8 and 9 ask manufacturers and importers to keep each statement until the day that is given for it."
        " They do not ask it of you, but a copy shows what accompanied your units."
    )
