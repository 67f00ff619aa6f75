"""Build the kit of one consignee from the packing list, the published site and the registry.

Rules:
1. A kit states only what the site publishes: statements, support periods, contact. The registry adds the state of each
   unit today, and what the published list says of a unit stays, even if the registry was restored from an older backup
   (`withdrawals.py`, rule 3).
2. Every line of the packing list that names the consignee was signed here, and each of its units is in one kit once.
3. Everything is checked before a file is written. A folder that is not a kit is not replaced.
4. The registry's key signs the digest of every file of the kit (`signed.py`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from device.trust.anchors import ROLE_SIGNATORY
from provisioning.compliance.archive import Archive, Archived, retain_until
from provisioning.compliance.carried import check_files, check_signature
from provisioning.compliance.check import REGISTER, SECURITY_TXT, STATEMENTS
from provisioning.compliance.ledger import Ledger
from provisioning.compliance.packing import check_line
from provisioning.compliance.security_txt import check_security_txt
from provisioning.compliance.statement import ISSUED, check_statement
from provisioning.compliance.support_register import current
from provisioning.compliance.withdrawals import MAX_AGE_DAYS, list_path, states_with
from provisioning.file_system import replace_folder
from provisioning.keys.public_keys import public_pem
from provisioning.kit.content import SERIAL, Content, Label, StatementFacts, UnitFacts, read_content
from provisioning.kit.errors import KitError
from provisioning.kit.page import render_page, render_readme
from provisioning.kit.signed import CONTENT, PAGE, README, SIGNED, sign_kit
from provisioning.registry import consignees
from provisioning.registry.signing_keys import signing_keys

if TYPE_CHECKING:
    from provisioning.keys.key_id import AnchorKey
    from provisioning.registry.consignees import Consignee
    from provisioning.registry.registry import Registry

STATION_KEY: Final = "keys/station.pub"
SIGNATORY_KEY: Final = "keys/signatory-{}.pub"


@dataclass(frozen=True)
class Sources:
    """The maker's records. `packing`: entries of the packing list; `site`: the published site; `keys`: public keys that
    units trust, among them the signatory's.
    """

    registry: Registry
    packing: Sequence[Mapping[str, Any]]
    site: Path
    keys: Sequence[AnchorKey]
    today: dt.date


@dataclass(frozen=True)
class Built:
    """A kit that was written. `unnamed`: how many lines of the packing list name no consignee."""

    content: Content
    unnamed: int


def build_kit(sources: Sources, consignee: Consignee, out: Path) -> Built:
    """Write the kit of a consignee into the folder `out`, replacing an older kit.

    Raises KitError, PackingError, RegistryError, ArchiveError, LedgerError, RegisterError, StatementError,
    SecurityTxtError, WithdrawalsError, OSError. Nothing is written then.
    """
    if out.exists() and not (out / SIGNED).is_file():
        raise KitError(f"{out} exists and is not a kit: name another folder")
    if faults := consignees.problems(sources.registry):
        raise KitError(faults[0])
    lines = [entry for entry in sources.packing if _goes_to(entry) == consignee.id]
    _check_lines(lines, sources.registry)
    statements = _statements(lines, sources)
    content = _content(lines, statements, sources, consignee)
    read_content(content.to_json())  # what a reader would refuse is never signed
    replace_folder(out, _files(content, statements.values(), sources))
    return Built(content, sum(_goes_to(entry) is None for entry in sources.packing))


def _goes_to(entry: Mapping[str, Any]) -> str | None:
    named = entry.get("consignee")
    return str(named["id"]) if isinstance(named, Mapping) and "id" in named else None


def _check_lines(lines: Sequence[Mapping[str, Any]], registry: Registry) -> None:
    """Check rule 2. Raises KitError, PackingError, RegistryError."""
    if not lines:
        raise KitError("nothing was shipped to this consignee: the packing list has no line for it")
    keys, seen = signing_keys(registry), set()
    for entry in lines:
        check_line(entry, keys)
        serial = str(entry["serial"])
        if SERIAL.fullmatch(serial) is None:
            raise KitError(f"the packing list has the serial number {serial!r}, which no kit can list")
        if serial in seen:
            raise KitError(f"the packing list has two lines for unit {serial}")
        seen.add(serial)


def _statements(lines: Iterable[Mapping[str, Any]], sources: Sources) -> dict[str, Archived]:
    """Return the published statements of these units by SHA-256, each checked as its readers check it."""
    published = {each.sha256: each for each in Archive(sources.site / STATEMENTS).statements()}
    found: dict[str, Archived] = {}
    for digest, name in sorted(
        {(str(one["statement"]["sha256"]), str(one["statement"]["id"])) for one in lines}
    ):
        if digest not in published:
            raise KitError(
                f"statement {name} is not on the site: publish it with `firstboot site build`, then build the kit"
            )
        statement = published[digest]
        check_signature(statement, sources.keys)
        check_files(statement, sources.keys)
        check_statement(statement.document())
        if statement.document()["kind"] != ISSUED:
            raise KitError(f"{statement.id} is a demonstration, not a statement of compliance")
        found[digest] = statement
    return found


def _content(
    lines: Sequence[Mapping[str, Any]],
    statements: Mapping[str, Archived],
    sources: Sources,
    consignee: Consignee,
) -> Content:
    published = current(Ledger(sources.site / REGISTER).lines())
    models = {each.model for each in statements.values()}
    if missing := sorted(models - set(published)):
        raise KitError(f"the site publishes no support period of {missing[0]}")
    contact = check_security_txt((sources.site / SECURITY_TXT).read_bytes(), sources.today)
    facts = {digest: _facts(each) for digest, each in statements.items()}
    maker = next(iter(statements.values())).document()["manufacturers"][0]["name"]
    states = _states(sources)
    units = tuple(
        UnitFacts(
            str(entry["serial"]),
            facts[str(entry["statement"]["sha256"])].id,
            dt.date.fromisoformat(entry["on"]),
            states.get((str(entry["serial"]), str(entry["device_id"]))),
        )
        for entry in lines
    )
    return Content(
        issued=sources.today,
        valid_until=sources.today + dt.timedelta(MAX_AGE_DAYS),
        maker=maker,
        consignee=consignee.id,
        role=consignee.role,
        name=consignee.name,
        report=contact.contacts[0],
        policy=contact.policy,
        support_ends={model: published[model].end_date for model in sorted(models)},
        statements=tuple(sorted(facts.values(), key=lambda each: each.id)),
        units=tuple(sorted(units, key=lambda each: each.serial)),
        station_keys=tuple(sorted(key.public.hex() for key in signing_keys(sources.registry))),
    )


def _states(sources: Sources) -> dict[tuple[str, str], str]:
    """Return the state of every unit that must not be sold (rule 1), by serial number and device id in hex."""
    return states_with(list_path(sources.site / STATEMENTS, sources.registry), sources.registry)


def _facts(statement: Archived) -> StatementFacts:
    document = statement.document()
    issued = dt.date.fromisoformat(document["issue"]["date"])
    end = dt.date.fromisoformat(document["support_period"]["end_date"])
    labels = tuple(
        Label(
            requirement,
            scheme=str(declared["label"]["scheme"]),
            level=str(declared["label"]["level"]),
            number=str(declared["label"]["number"]),
            expires=dt.date.fromisoformat(declared["label"]["expires"]),
        )
        for requirement, declared in sorted(document["declaration"]["requirements"].items())
        if "label" in declared
    )
    return StatementFacts(
        statement.id,
        statement.sha256,
        statement.model,
        statement.batch,
        issued,
        end,
        retain_until(issued, end),
        labels,
    )


def _files(content: Content, statements: Iterable[Archived], sources: Sources) -> dict[str, bytes]:
    """Return every file of the kit by its path."""
    signer = sources.registry.signer
    files = {
        PAGE: render_page(content),
        README: render_readme(content),
        CONTENT: content.to_json(),
        STATION_KEY: public_pem(signer.public),
    }
    signatories = [key.public for key in sources.keys if key.role == ROLE_SIGNATORY]
    files |= {SIGNATORY_KEY.format(number): public_pem(point) for number, point in enumerate(signatories, 1)}
    for statement in statements:
        for path in sorted(statement.folder.iterdir()):
            files[f"{STATEMENTS}/{statement.id}/{path.name}"] = path.read_bytes()
    return {**files, SIGNED: sign_kit(content, files, signer)}
