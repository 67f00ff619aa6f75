"""Consignees: the importers, distributors and customers that units are shipped to (s. 11(4) of the Act).

Rules:
1. A consignee has a short id that the maker chooses, such as `hillside`. The packing list, which other parties see,
   has the id, the role and a keyed digest of the details; name and address are only in the registry.
2. A change of the details adds a version. Lines of the packing list keep the digest of the version that they were
   written with.
3. The digest is an HMAC with the registry's key. If the registry is restored from an older backup, recording the same
   details again gives the same digest.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from provisioning.mail_address import is_address
from provisioning.registry import decisions
from provisioning.registry.errors import RegistryError
from provisioning.registry.fingerprint_key import fingerprint
from provisioning.registry.models import Consignee as Row
from provisioning.registry.numbers import is_branch

if TYPE_CHECKING:
    from provisioning.registry.base import RegistryBase

IMPORTER: Final = "importer"
DISTRIBUTOR: Final = "distributor"
CUSTOMER: Final = "customer"
ROLES: Final = (IMPORTER, DISTRIBUTOR, CUSTOMER)
ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
NAME_CHARS: Final = 200
ADDRESS_CHARS: Final = 400


@dataclass(frozen=True)
class Consignee:
    """A consignee. `digest`: keyed digest of the details, in hex; `email`: None if notices go by post."""

    id: str
    role: str
    name: str
    address: str
    email: str | None
    digest: str = ""

    def line(self) -> dict[str, str]:
        """Return what the packing list says of it (rule 1)."""
        return {"id": self.id, "role": self.role, "digest": self.digest}


def record(registry: RegistryBase, consignee: Consignee, *, by: str) -> tuple[Consignee, bool]:
    """Record a consignee, or a change of its details. Return it with its digest, and whether anything changed.

    Raises RegistryError for details that cannot be used, and in a branch: units ship from the main registry.
    """
    _check(consignee)
    digest = _digest(registry, consignee)
    signer = registry.signer
    with registry.writing() as session:
        if is_branch(session):
            raise RegistryError("this registry is a branch: record consignees in the main registry")
        query = select(Row).where(Row.id == consignee.id).order_by(Row.version.desc()).limit(1)
        last = session.scalar(query)
        if last is not None and last.digest == digest:
            return _read(last), False
        row = Row(
            id=consignee.id,
            version=1 if last is None else last.version + 1,
            role=consignee.role,
            name=consignee.name,
            address=consignee.address,
            email=consignee.email,
            digest=digest,
            recorded_s=registry.now(),
        )
        session.add(row)
        facts = {"consignee": row.id, "version": row.version, "digest": digest.hex(), "by": by}
        facts["reason"] = f"{row.role}, version {row.version}"
        decisions.add(session, signer, registry.now(), decisions.CONSIGNEE, facts)
        return _read(row), True


def consignees(registry: RegistryBase) -> dict[str, Consignee]:
    """Return the newest details of every consignee by id."""
    return {row.id: _read(row) for row in _rows(registry)}


def known_digests(registry: RegistryBase) -> set[tuple[str, str]]:
    """Return (id, digest) of every version that was ever recorded here."""
    return {(row.id, row.digest.hex()) for row in _rows(registry)}


def consignee(registry: RegistryBase, name: str) -> Consignee:
    """Return the consignee of this id. Raises RegistryError if none was recorded, or if this is a branch."""
    found = consignees(registry).get(name)
    if found is None:
        with registry.reading() as session:
            if is_branch(session):
                raise RegistryError(
                    "this registry is a branch: sync it, then ship the batch in the main registry"
                )
        raise RegistryError(
            f"the registry knows no consignee {name!r}: record one with `firstboot registry consignee`"
        )
    return found


def problems(registry: RegistryBase) -> list[str]:
    """Return each version whose details are not those of its digest: they were changed outside the program."""
    return [
        f"the details of consignee {row.id}, version {row.version}, were changed"
        for row in _rows(registry)
        if _digest(registry, _read(row)) != row.digest
    ]


def _rows(registry: RegistryBase) -> list[Row]:
    with registry.reading() as session:
        return list(session.scalars(select(Row).order_by(Row.id, Row.version)))


def _read(row: Row) -> Consignee:
    return Consignee(row.id, row.role, row.name, row.address, row.email, row.digest.hex())


def _digest(registry: RegistryBase, consignee: Consignee) -> bytes:
    facts: list[Any] = [consignee.id, consignee.role, consignee.name, consignee.address, consignee.email]
    return fingerprint(registry.database.key, "consignee", json.dumps(facts, ensure_ascii=False).encode())


def _check(consignee: Consignee) -> None:
    if ID.fullmatch(consignee.id) is None:
        raise RegistryError("the id of a consignee has 1 to 32 of a-z, 0-9 and -, such as `hillside`")
    if consignee.role not in ROLES:
        raise RegistryError(f"the role of a consignee is one of {', '.join(ROLES)}")
    for what, text, most in (
        ("name", consignee.name, NAME_CHARS),
        ("address", consignee.address, ADDRESS_CHARS),
    ):
        if not (text.strip() and text.isprintable() and len(text) <= most):
            raise RegistryError(
                f"the {what} of a consignee is one line of at most {most} characters, without control characters"
            )
    if consignee.email is not None and not is_address(consignee.email):
        raise RegistryError("the mail address of the consignee is not a plain address")
