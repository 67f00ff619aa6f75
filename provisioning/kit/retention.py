"""Keep the statements of a kit: an archive of the consignee's own (SC-06; s. 15(3), regulation 9).

Rules:
1. Each statement is kept for the longer of ten years from its issue and the support period that it states. The day is
   computed from the signed statement, not read from the kit's data.
2. A statement is kept once, with all the files that its signatory signed. A later kit adds only what is new.
3. The archive has the same form as the maker's. So `firstboot statement list` checks it, and `firstboot statement
   dispose` deletes nothing before its day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioning.kit.check import check_statements

if TYPE_CHECKING:
    from provisioning.compliance.archive import Archive
    from provisioning.keys.key_id import AnchorKey
    from provisioning.kit.signed import Kit


@dataclass(frozen=True)
class Kept:
    """A statement in the consignee's archive. `is_new`: this call added it."""

    id: str
    until: dt.date
    is_new: bool


def keep_statements(kit: Kit, archive: Archive, signatories: Iterable[AnchorKey]) -> list[Kept]:
    """Add the statements of a kit to the consignee's archive, and check all that are there.

    Raises KitError before anything is written, ArchiveError, LedgerError, OSError.
    """
    check_statements(kit, signatories)
    archive.verify()
    added = {
        each.id for one in kit.content.statements if (each := archive.take(kit.archived(one))) is not None
    }
    kept = {each.sha256: each for each in archive.statements()}
    return [
        Kept(each.id, kept[each.sha256].retain_until, each.id in added) for each in kit.content.statements
    ]
