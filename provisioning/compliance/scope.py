"""The guided decision whether the Act applies to a product: sections 4 to 7, and Schedule 3 (SC-10).

Rules:
1. Each question has its source. A question is asked only if the answers before it leave the decision open.
2. The decision names the answers that it follows from, so a reader can check it. It is a record of what a person
   answered, for manufacturers, importers and distributors, and not legal advice.
3. If an exception of Schedule 3 is answered with yes, the product is not a relevant connectable product. Everything
   that Schedule 3 excludes from its own exceptions is part of the question.
4. A person who asks as importer or distributor answers what section 7 asks. The role in the decision follows from these
   answers: one who markets the product under their own name is its manufacturer, and one who imports it its importer,
   whatever they asked as.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MANUFACTURER: Final = "manufacturer"
IMPORTER: Final = "importer"
DISTRIBUTOR: Final = "distributor"
DUTIES: Final = {
    MANUFACTURER: "sections 8 to 12",
    IMPORTER: "sections 14 to 20",
    DISTRIBUTOR: "sections 21 to 25",
}
INTERNET: Final = "internet"
NETWORK: Final = "network"


class ScopeError(ValueError):
    """An answer is missing, unknown or contradicts another one."""


@dataclass(frozen=True)
class Question:
    """A question with the answers yes and no. `source`: section of the Act, or paragraph of SI 2023/1007."""

    name: str
    source: str
    text: str


def _exception(name: str, paragraph: str, text: str) -> Question:
    return Question(name, f"SI 2023/1007 Sch. 3 para. {paragraph}", text)


INTERNET_QUESTION: Final = Question(
    "internet", "s. 5(1), (2)",
    "Can the product send and receive data over the internet, by a protocol of the Internet Protocol suite?",
)  # fmt: skip
TRANSMITS: Final = Question(
    "transmits", "s. 5(3)(a)",
    "Can it both send and receive data by a transmission with electrical or electromagnetic energy?",
)  # fmt: skip
DIRECT_IP: Final = Question(
    "direct-ip", "s. 5(4), (8)",
    "Can it connect directly to an internet-connectable product by a protocol of the Internet Protocol suite? A cable"
    " between them does not matter.",
)  # fmt: skip
SEVERAL: Final = Question(
    "several", "s. 5(5)(a), (6)",
    "Can it connect directly to two or more products at the same time by another protocol? Mere cables do not count.",
)  # fmt: skip
DIRECT_OTHER: Final = Question(
    "direct-other", "s. 5(5)(b)",
    "Can it connect directly to an internet-connectable product by such another protocol?",
)  # fmt: skip
LINKED: Final = Question(
    "linked", "s. 5(7)",
    "Is it designed to be used with other products for the use of a computer, and does it connect wirelessly, by such a"
    " protocol, to every linking product of them, which connects directly to an internet-connectable product?",
)  # fmt: skip
EXCEPTIONS: Final = (
    _exception(
        "northern-ireland", "1",
        "Is it made available for supply in Northern Ireland, under legislation of Annex 2 to the Windsor Framework"
        " that has a free movement article and addresses what Schedule 1 covers?",
    ),
    _exception(
        "charge-point", "2",
        "Is it a charge point to which the Electric Vehicles (Smart Charge Points) Regulations 2021 apply?",
    ),
    _exception(
        "medical-device", "3",
        "Is the product itself a device to which the Medical Devices Regulations 2002 apply, not only its software?",
    ),
    _exception(
        "smart-meter", "4",
        "Is it supplied or installed by a licence holder for gas or electricity, and assured under the commercial"
        " product assurance scheme of the NCSC or its successor?",
    ),
    _exception(
        "computer", "5",
        "Is it a desktop or laptop computer, or a tablet that cannot connect to cellular networks, and not designed"
        " exclusively for children under 14?",
    ),
    Question(
        "vehicle", "SI 2023/1007 Sch. 3, as amended by SI 2025/211",
        "Is it, in Great Britain, a motor vehicle, a two- or three-wheel vehicle, a quadricycle, or an agricultural or"
        " forestry vehicle to which the rules for type approval apply?",
    ),
)  # fmt: skip
OWN_NAME: Final = Question(
    "own-name", "s. 7(3)",
    "Do you market the product under your own name or trade mark? It does not matter who manufactures it.",
)  # fmt: skip
IMPORTS: Final = Question(
    "imports", "s. 7(4)",
    "Do you import the product from a country outside the United Kingdom into the United Kingdom?",
)  # fmt: skip
MAKES_AVAILABLE: Final = Question(
    "makes-available", "s. 7(5)",
    "Do you make the product available in the United Kingdom?",
)  # fmt: skip
INSTALLS: Final = Question(
    "installs", "s. 7(6)",
    "Do you make it available by performing a contract for works that include its installation into a building or"
    " structure, while identical products are or were made available to consumers in the United Kingdom otherwise?",
)  # fmt: skip
ROLE_QUESTIONS: Final = (OWN_NAME, IMPORTS, MAKES_AVAILABLE, INSTALLS)
CONSUMERS: Final = Question(
    "consumers", "ss. 8(2), 14(2), 21(2), 54",
    "Do you intend the product to be made available to consumers in the United Kingdom, or are or should you be aware"
    " that it will be?",
)  # fmt: skip
QUESTIONS: Final = (
    INTERNET_QUESTION, TRANSMITS, DIRECT_IP, SEVERAL, DIRECT_OTHER, LINKED, *EXCEPTIONS, *ROLE_QUESTIONS, CONSUMERS,
)  # fmt: skip


@dataclass(frozen=True)
class Decision:
    """The decision. `connectable`: INTERNET, NETWORK or None; `reasons`: one sentence each, with its source.

    `role`: the one that follows from the answers (rule 4), None if they lead to none.
    """

    applies: bool
    connectable: str | None
    reasons: tuple[str, ...]
    role: str | None = None

    @property
    def exceptions(self) -> str:
        """Return the text for `exceptions` in the table [scope] of a definition."""
        return "none of Schedule 3 applies" if self.applies else "; ".join(self.reasons)


def next_question(answers: Mapping[str, bool], role: str = MANUFACTURER) -> Question | None:
    """Return the question that decides next; None if the decision follows. Raises ScopeError for an unknown answer."""
    unknown = set(answers) - {each.name for each in QUESTIONS}
    if unknown:
        raise ScopeError(f"there is no question {sorted(unknown)[0]}")
    return next((each for each in _path(answers, role) if each.name not in answers), None)


def _path(answers: Mapping[str, bool], role: str) -> list[Question]:
    """Return the questions on the way of these answers, as far as the answers go, and one more."""
    path = [INTERNET_QUESTION]
    if not answers.get("internet", True):
        path.append(TRANSMITS)
        if answers.get("transmits"):
            path.append(DIRECT_IP)
            if answers.get("direct-ip") is False:
                path.append(SEVERAL)
                if answers.get("several"):
                    path.append(DIRECT_OTHER)
                if answers.get("several") is False or answers.get("direct-other") is False:
                    path.append(LINKED)
    if any(each.name not in answers for each in path) or _connection(answers) is None:
        return path
    for each in EXCEPTIONS:
        path.append(each)
        if answers.get(each.name, True):
            return path
    path += _role_path(answers, role)
    if any(each.name not in answers for each in path) or _role(answers, role)[0] is None:
        return path
    return [*path, CONSUMERS]


def _role_path(answers: Mapping[str, bool], role: str) -> list[Question]:
    """Return the questions of section 7 for an importer or distributor, as far as the answers go, and one more."""
    if role == MANUFACTURER:
        return []
    path = [OWN_NAME]
    if answers.get("own-name") is False:
        path.append(IMPORTS)
        if answers.get("imports") is False:
            path.append(MAKES_AVAILABLE)
            if answers.get("makes-available"):
                path.append(INSTALLS)
    return path


def _role(answers: Mapping[str, bool], role: str) -> tuple[str | None, str]:
    """Return the role that follows from the answers, and the reason (rule 4). No reason: the role was not asked."""
    if role == MANUFACTURER:
        return MANUFACTURER, ""
    if answers["own-name"]:
        return (
            MANUFACTURER,
            f"You market it under your own name, so you are its manufacturer ({OWN_NAME.source}).",
        )
    if answers["imports"]:
        return IMPORTER, f"You import it into the United Kingdom, so you are its importer ({IMPORTS.source})."
    if not answers["makes-available"]:
        none = "You neither import it nor make it available in the United Kingdom"
        return None, f"{none}, so you are not a relevant person for it (s. 7(2))."
    if answers["installs"]:
        return (
            None,
            f"You install it under a contract for works, so you are not its distributor ({INSTALLS.source}).",
        )
    available = "You make it available and do not import it"
    return DISTRIBUTOR, f"{available}, so you are its distributor ({MAKES_AVAILABLE.source})."


def _connection(answers: Mapping[str, bool]) -> tuple[str, Question] | None:
    """Return how the product is connectable and the deciding question; None if it is not."""
    if answers.get("internet"):
        return INTERNET, INTERNET_QUESTION
    if not answers.get("transmits"):
        return None
    if answers.get("direct-ip"):
        return NETWORK, DIRECT_IP
    if answers.get("several") and answers.get("direct-other"):
        return NETWORK, DIRECT_OTHER
    return (NETWORK, LINKED) if answers.get("linked") else None


def decide(answers: Mapping[str, bool], role: str) -> Decision:
    """Return the decision. Raises ScopeError if an answer is missing, or is not on the way of the others."""
    if role not in DUTIES:
        raise ScopeError(f"the role is one of {', '.join(DUTIES)}")
    missing = next_question(answers, role)
    if missing is not None:
        raise ScopeError(f"the answer to {missing.name} is missing")
    path = _path(answers, role)
    if extra := sorted(set(answers) - {each.name for each in path}):
        raise ScopeError(f"the answer to {extra[0]} has no meaning here: earlier answers decide")
    connection = _connection(answers)
    if connection is None:
        reason = "It is neither internet-connectable nor network-connectable (s. 5), so s. 4(2) is not met."
        return Decision(False, None, (reason,))
    kind, question = connection
    first = f"It is {kind}-connectable ({question.source})."
    for each in EXCEPTIONS:
        if answers[each.name]:
            return Decision(False, kind, (first, f"It is excepted: {each.name} ({each.source}; s. 6)."))
    none = "No exception of Schedule 3 applies (s. 6), so it is a relevant connectable product (s. 4)."
    found, why = _role(answers, role)
    reasons = (first, none, *([why] if why else []))
    if found is None:
        return Decision(False, kind, reasons)
    if not answers["consumers"]:
        last = f"It is not meant for consumers in the United Kingdom, so your duties do not begin ({CONSUMERS.source})."
        return Decision(False, kind, (*reasons, last), found)
    return Decision(True, kind, (*reasons, f"As its {found} you have the duties of {DUTIES[found]}."), found)
