"""Serial numbers: the main registry counts them up, and leases ranges to branches that work without it.

Rules:
1. A number is given out once: the main registry moves its counter past a range before the branch learns of it.
2. A branch uses only numbers of its ranges, in order. With none left it stops (NumbersUsedUpError).
3. A batch with its own range takes it out of the prefix when it is opened, as a lease does, and its units get numbers
   only from it; a branch leases its share. When the range is used up, the batch is closed; the next batch has another
   range.
4. Serial numbers are public; nothing secret is derived from them (PW-07).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from provisioning.registry.errors import RegistryError
from provisioning.registry.models import NumberRange, SerialCounter, Setting

ROLE_NAME: Final = "branch of"  # setting of a branch: the id of its main registry
BRANCH_NAME: Final = "branch name"
KEPT_HERE: Final = ""  # holder of a batch's range that no branch leased
MOST_NUMBERS: Final = 100_000
LAST_NUMBER: Final = 2**31 - 1


def is_branch(session: Session) -> bool:
    """Return whether this registry gives out leased numbers only."""
    return session.get(Setting, ROLE_NAME) is not None


def used_up_text(prefix: str) -> str:
    """Return the message of a branch that has no number left."""
    return f"no serial number with prefix {prefix} is left here; get a range with `firstboot registry lease`"


def batch_used_up_text(batch: str, prefix: str, limits: tuple[int, int], *, is_branch: bool) -> str:
    """Return the message of a registry that has no number left in a batch's range."""
    text = (
        f"batch {batch} has no serial number left here of {prefix}{limits[0]:06d} to {prefix}{limits[1]:06d}"
    )
    if is_branch:
        return (
            f"{text}; get a range with `firstboot registry lease --batch {batch}`, if the batch has any left"
        )
    return f"{text}; close it and open the next batch with a range of its own"


def keep_for_batch(session: Session, prefix: str, limits: tuple[int, int], batch: str) -> None:
    """Take the range of a new batch out of its prefix (rule 3). Raises RegistryError.

    Ranges of a prefix are opened in rising order: a number below the counter may have been given out, even if a
    restored registry does not know it.
    """
    counter = _counter(session, prefix)
    first, last = limits
    if first < counter.next_number:
        raise RegistryError(
            f"serial numbers of prefix {prefix} below {counter.next_number} were given out before: batch {batch} may"
            f" begin with first_number = {counter.next_number}, or takes another prefix"
        )
    counter.next_number = last + 1
    session.add(
        NumberRange(
            prefix=prefix,
            first_number=first,
            last_number=last,
            next_number=first,
            holder=KEPT_HERE,
            batch=batch,
        )
    )


def require_free(prefix: str, number: int) -> None:
    """Raise RegistryError if the prefix has no such number."""
    if number >= LAST_NUMBER - MOST_NUMBERS:
        raise RegistryError(f"the numbers of prefix {prefix} are used up; choose another prefix")


def give_range(
    session: Session, prefix: str, count: int, holder: str, batch: str | None = None
) -> NumberRange:
    """Take `count` numbers out of the main registry for a branch, from the batch's range if it has one.

    Raises RegistryError.
    """
    if is_branch(session):
        raise RegistryError("this registry is a branch: lease numbers from the main registry")
    if not 0 < count <= MOST_NUMBERS:
        raise RegistryError(f"a range has 1 to {MOST_NUMBERS} numbers")
    kept = list(session.scalars(select(NumberRange).where(NumberRange.batch == batch))) if batch else []
    if kept:
        return _share_of(session, kept, prefix, count, holder)
    counter = _counter(session, prefix)
    first = counter.next_number
    counter.next_number = first + count
    leased = NumberRange(
        prefix=prefix, first_number=first, last_number=first + count - 1, next_number=first, holder=holder
    )
    session.add(leased)
    return leased


def _share_of(
    session: Session, kept: Sequence[NumberRange], prefix: str, count: int, holder: str
) -> NumberRange:
    """Split the batch's range: give the branch its next `count` numbers."""
    own = [row for row in kept if row.holder == KEPT_HERE and row.next_number <= row.last_number]
    left = own[0].last_number - own[0].next_number + 1 if own else 0
    if kept[0].prefix != prefix:
        raise RegistryError(f"batch {kept[0].batch} has the prefix {kept[0].prefix}, not {prefix}")
    if count > left:
        raise RegistryError(f"batch {kept[0].batch} has {left} serial numbers left here, not {count}")
    row, batch = own[0], own[0].batch
    first, last, end = row.next_number, row.next_number + count - 1, row.last_number
    if first == row.first_number:  # no number of it was used: the row itself goes to the branch
        leased, row.holder, row.last_number = row, holder, last
    else:
        row.last_number = first - 1
        leased = NumberRange(
            prefix=prefix, first_number=first, last_number=last, next_number=first, holder=holder, batch=batch
        )
        session.add(leased)
    if last < end:
        rest = NumberRange(
            prefix=prefix, first_number=last + 1, last_number=end, next_number=last + 1, holder=KEPT_HERE, batch=batch
        )  # fmt: skip
        session.add(rest)
    return leased


def skip_numbers(session: Session, count: int) -> None:
    """Skip numbers in every counter: a lost registry may have given them out after its backup."""
    for counter in session.scalars(select(SerialCounter)):
        counter.next_number += count
    for kept in session.scalars(select(NumberRange).where(NumberRange.holder == KEPT_HERE)):
        kept.next_number = min(kept.next_number + count, kept.last_number + 1)
    if is_branch(session):  # the branch may have used up its ranges: it needs new ones
        for leased in session.scalars(select(NumberRange)):
            leased.next_number = leased.last_number + 1


def _counter(session: Session, prefix: str) -> SerialCounter:
    counter = session.get(SerialCounter, prefix)
    if counter is None:
        counter = SerialCounter(prefix=prefix, next_number=1)
        session.add(counter)
    require_free(prefix, counter.next_number)
    return counter
