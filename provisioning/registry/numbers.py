"""Serial numbers: counted up in the main registry, leased in ranges to branches that go on by themselves.

Rules:
1. A number is given out once: the main registry's counter is moved behind a range before the branch learns of it.
2. A branch takes numbers of its ranges alone, in order; with none left it stops (NumbersUsedUpError).
3. Serial numbers are public; nothing secret is derived from them (PW-07).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from provisioning.registry.errors import RegistryError
from provisioning.registry.models import NumberRange, SerialCounter, Setting

ROLE_NAME: Final = "branch of"  # setting of a branch: the id of its main registry
BRANCH_NAME: Final = "branch name"
MOST_NUMBERS: Final = 100_000
LAST_NUMBER: Final = 2**31 - 1


def is_branch(session: Session) -> bool:
    """Whether this registry gives out leased numbers only."""
    return session.get(Setting, ROLE_NAME) is not None


def used_up_text(prefix: str) -> str:
    """What a branch says that has no number left."""
    return f"no serial number with prefix {prefix} is left here; get a range with `firstboot registry lease`"


def require_free(prefix: str, number: int) -> None:
    """Raise RegistryError where a prefix comes to its end."""
    if number >= LAST_NUMBER - MOST_NUMBERS:
        raise RegistryError(f"the numbers of prefix {prefix} are used up; choose another prefix")


def numbers_left(session: Session, prefix: str) -> int | None:
    """How many numbers a branch has left; None for the main registry, which counts on."""
    if not is_branch(session):
        return None
    ranges = session.scalars(select(NumberRange).where(NumberRange.prefix == prefix))
    return sum(found.last_number - found.next_number + 1 for found in ranges)


def give_range(session: Session, prefix: str, count: int, holder: str) -> NumberRange:
    """Take `count` numbers out of the main registry for a branch. Raises RegistryError."""
    if is_branch(session):
        raise RegistryError("a branch leases no numbers to others")
    if not 0 < count <= MOST_NUMBERS:
        raise RegistryError(f"a range has 1 to {MOST_NUMBERS} numbers")
    counter = _counter(session, prefix)
    first = counter.next_number
    counter.next_number = first + count
    leased = NumberRange(
        prefix=prefix, first_number=first, last_number=first + count - 1, next_number=first, holder=holder
    )
    session.add(leased)
    return leased


def skip_numbers(session: Session, count: int) -> None:
    """Leave numbers out in every counter: what a lost registry may have given out behind its backup."""
    for counter in session.scalars(select(SerialCounter)):
        counter.next_number += count
    if is_branch(session):  # what is left of its ranges may be used up already: it needs new ones
        for leased in session.scalars(select(NumberRange)):
            leased.next_number = leased.last_number + 1


def _counter(session: Session, prefix: str) -> SerialCounter:
    counter = session.get(SerialCounter, prefix)
    if counter is None:
        counter = SerialCounter(prefix=prefix, next_number=1)
        session.add(counter)
    require_free(prefix, counter.next_number)
    return counter
