"""The copies of the support register. Because of them, deleting the register cannot shorten a period (SP-02).

Rules:
1. The archive of statements keeps a copy of the register, and statements keep the periods that they state. The
   archive has to be kept for ten years (SI 2023/1007 regulations 8 and 9).
2. The published site has a copy too, and the maker can name earlier ones.
3. The register must begin with all lines of each copy. A period cannot end before the end date in an issued statement
   of the same model.
4. Where a register or a site exists, its archive exists too, and has every statement that the site published.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from provisioning.compliance.archive import LEDGER, REGISTER_COPY, Archive
from provisioning.compliance.ledger import Ledger, LedgerError, check_continues, parse
from provisioning.file_system import is_there, replace_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioning.compliance.ledger import Line
    from provisioning.product.product import Product


def check_copies(lines: Sequence[Line], copies: Iterable[Path]) -> None:
    """Raise LedgerError if an existing copy has a line that the register does not have. Also raises OSError."""
    for path in copies:
        if not is_there(path):
            continue
        try:
            check_continues(parse(path.read_bytes(), path.name), lines)
        except LedgerError as error:
            raise LedgerError(f"{error}; restore the support register from {path}") from None


def check_archive(lines: Sequence[Line], published: Path, archive: Archive) -> None:
    """Raise LedgerError if the archive is missing (rule 4) or does not go on from the one in `published`, OSError.

    `lines`: the register before this build; `published`: the folder of statements of the site.
    """
    if not archive.is_there and (lines or published.exists()):
        raise LedgerError(
            f"{archive.root} is not the archive of statements that this register and site were made with; name that"
            " archive, or restore it"
        )
    if is_there(published / LEDGER):
        try:
            check_continues(parse((published / LEDGER).read_bytes(), LEDGER), archive.ledger.lines())
        except LedgerError as error:
            raise LedgerError(
                f"statements that {published} publishes: {error}; restore the archive {archive.root}"
            ) from None


def archive_copy(archive: Path) -> Path:
    """Return the path of the archive's copy."""
    return archive / REGISTER_COPY


def keep_copy(register: Ledger, archive: Path) -> None:
    """Replace the archive's copy with the present register. Raises OSError."""
    archive.mkdir(parents=True, exist_ok=True)
    replace_file(archive_copy(archive), register.path.read_bytes())


def stated_problems(products: Iterable[Product], archive: Archive) -> list[str]:
    """Return each period that ends before an issued statement says, as a sentence. Raises ArchiveError, LedgerError."""
    found = []
    for product in products:
        stated = [
            (each.document()["support_period"]["end_date"], each.id)
            for each in archive.statements()
            if each.model == product.model
        ]
        last, statement = max(stated, default=("", ""))
        if product.support.end_date.isoformat() < last:
            found.append(
                f"{product.model}: statement {statement} states a support period until {last}; it cannot end earlier,"
                f" on {product.support.end_date.isoformat()} (SP-02)"
            )
    return found
