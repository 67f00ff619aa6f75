"""The product definition (TOML) that a maker writes for a batch, checked before a unit is touched.

Rules:
1. Every problem of a file is reported at once, each with its place and the accepted values.
2. A support period has a duration and an end date that do not contradict each other (SP-01; `periods.py`).
3. Times and addresses in the contact are values, not sentences (RP-01 to RP-03; `public_texts.py`).
4. The fields of the file are defined once, in `sections.py`: the parser and the JSON Schema both use them.
5. The declarations of a statement of compliance are fixed for a batch (SC-08): `declared_digest` covers them.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from provisioning.product.document import plain_name, read_document
from provisioning.product.periods import DURATION, contradiction
from provisioning.product.sections import SECTIONS
from provisioning.product.statement_fields import (
    Component,
    LabelRoute,
    Publication,
    Scope,
    component_of,
    publication_of,
    scope_of,
)

NOT_DECLARED: Final = (
    "servers", "check_interval_s", "setup_address", "publication", "image_sha256", "label_template",
)  # fmt: skip
LAST_YEAR: Final = (
    2199  # of a support period; dates of a definition are not beyond what a calendar can add to
)
HORIZON_DAYS: Final = 3650  # how far beyond its first end date a support period may be extended by default


class ProductError(ValueError):
    """The definition cannot be used. `problems`: one line each, with the place in the file."""

    def __init__(self, problems: list[str], source: str = "product definition") -> None:
        self.problems = problems
        super().__init__(f"{source}: " + "; ".join(problems))


@dataclass(frozen=True)
class Party:
    """A manufacturer or an authorised representative, as Schedule 4 requires it."""

    name: str
    address: str


@dataclass(frozen=True)
class Support:
    """The defined support period; both days belong to it. `start_date`: None if the definition does not have it."""

    period: str
    end_date: dt.date
    sequence: int
    notice_days: int
    horizon: dt.date
    start_date: dt.date | None = None


@dataclass(frozen=True)
class ContactDetails:
    """The address for security reports, and the days within which answers come."""

    report: str
    acknowledgement: str
    status_updates: str
    policy: str
    sequence: int


@dataclass(frozen=True)
class StatementDetails:
    """The signatory of the statement of compliance, the place, and the route of each requirement."""

    signatory_name: str
    signatory_function: str
    place: str
    routes: dict[str, str]
    standards: dict[str, dict[str, str]]
    labels: dict[str, LabelRoute] = field(default_factory=dict)


@dataclass(frozen=True)
class Server:
    """A server that releases come from. `tls_name` is checked in the broker's certificate (MQTT only)."""

    transport: str
    host: str
    port: int
    tls_name: str | None


@dataclass(frozen=True)
class Product:
    """A product type and the batch that is being made."""

    model: str
    brand: str
    product_type: str
    board: str
    vendor_id: bytes
    class_id: bytes
    manufacturers: tuple[Party, ...]  # at least one
    representatives: tuple[Party, ...]
    batch: str
    serial_prefix: str
    support: Support
    contact: ContactDetails
    statement: StatementDetails
    servers: tuple[Server, ...]
    check_interval_s: int
    setup_address: str  # "{name}" becomes the random name of the unit's web certificate
    scope: Scope | None = None
    components: tuple[Component, ...] = ()
    publication: Publication | None = None
    image_sha256: bytes | None = None  # the only image that units of this definition may run
    label_template: str | None = None  # file with the label's layout, relative to the definition's folder
    numbers: tuple[int, int] | None = (
        None  # first and last serial number of the batch; None: the prefix counts on
    )
    may_inject_keys: bool = False  # the station generates the keys of units that cannot (ADR 0020)
    has_access_point: bool = (
        False  # units have a radio: the owner chooses their Wi-Fi over an access point (ADR 0034)
    )

    @property
    def manufacturer(self) -> Party:
        """Return the first manufacturer, which label and device show."""
        return self.manufacturers[0]

    @property
    def declared_digest(self) -> bytes:
        """Return the SHA-256 of all that cannot change within a batch: not servers, label and the site's texts.

        It leaves out the image: the statement names it, and the ship gate compares it with each unit's.
        """
        fields = asdict(self)
        for name in NOT_DECLARED:
            del fields[name]
        # the form of batches from before there could be several manufacturers
        if len(self.manufacturers) == 1:
            fields["manufacturer"] = fields.pop("manufacturers")[0]
        # batches that were opened before ranges and start dates existed keep their digest
        if self.numbers is None:
            del fields["numbers"]
        if self.support.start_date is None:
            del fields["support"]["start_date"]
        if not self.may_inject_keys:
            del fields["may_inject_keys"]
        if not self.has_access_point:
            del fields["has_access_point"]
        return hashlib.sha256(json.dumps(fields, sort_keys=True, default=_plain).encode()).digest()


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def load_product(path: Path) -> Product:
    """Return the product of a TOML file. Raises ProductError, OSError."""
    try:
        return parse_product(path.read_text(encoding="utf-8-sig"), path.name)
    except UnicodeDecodeError as error:
        raise ProductError([f"not UTF-8 at byte {error.start}"], path.name) from error


def parse_product(text: str, source: str = "product definition") -> Product:
    """Return the product of a TOML text. Raises ProductError with every problem found."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ProductError([str(error)], source) from error
    problems: list[str] = []
    product = _product(document, problems)
    if problems:
        raise ProductError(problems, source)
    return product


def _product(document: dict[str, Any], problems: list[str]) -> Product:
    read = read_document(SECTIONS, document, problems)
    product, batch, label = read["product"], read["batch"], read["label"]
    _check_address(label["setup_address"], problems)
    _check_parties(read, problems)
    return Product(
        model=product["model"],
        brand=product["brand"],
        product_type=product["type"],
        board=product["board"],
        vendor_id=product["vendor_id"],
        class_id=product["class_id"],
        manufacturers=tuple(Party(**values) for values in read["manufacturer"]),
        representatives=tuple(Party(**values) for values in read["representatives"]),
        batch=batch["number"],
        serial_prefix=batch["serial_prefix"],
        support=_support(read["support"], problems),
        contact=ContactDetails(**read["contact"]),
        statement=_statement(read["statement"]),
        servers=tuple(Server(**({"tls_name": None} | values)) for values in read["servers"]),
        check_interval_s=read["update"]["check_interval_s"],
        setup_address=label["setup_address"],
        scope=scope_of(read["scope"]),
        components=_components(read["components"], problems),
        publication=publication_of(read["publication"]),
        image_sha256=read["firmware"]["image_sha256"] if read["firmware"] else None,
        label_template=label["template"],
        numbers=_numbers(batch, problems),
        may_inject_keys=bool(read["keys"] and read["keys"]["injected"]),
        has_access_point=bool(read["wifi"] and read["wifi"]["access_point"]),
    )


def _check_parties(read: dict[str, Any], problems: list[str]) -> None:
    """Report an authorised representative that is a manufacturer: it acts for one, and Schedule 4(b) names both."""
    makers = {plain_name(values["name"]) for values in read["manufacturer"]}
    for number, values in enumerate(read["representatives"], 1):
        if plain_name(values["name"]) in makers:
            problems.append(f"[representatives no. {number}] name is the name of a manufacturer")


def _components(tables: list[dict[str, Any]], problems: list[str]) -> tuple[Component, ...]:
    """Return the parts. The support register keeps the last day of each by its name."""
    found = tuple(map(component_of, tables))
    for number, part in enumerate(found, 1):
        if part.support_end is not None and not part.can_be_updated:
            problems.append(f"[components no. {number}] support_end needs updates = true")
    return found


def _numbers(batch: dict[str, Any], problems: list[str]) -> tuple[int, int] | None:
    """Return the batch's range of serial numbers, both ends included; None if its prefix counts on."""
    first, last = batch["first_number"], batch["last_number"]
    if first is None and last is None:
        return None
    if first is None or last is None:
        problems.append("[batch] first_number and last_number belong together")
        return None
    if last < first:
        problems.append("[batch] last_number must not be before first_number")
    return first, last


def _support(values: dict[str, Any], problems: list[str]) -> Support:
    end, start = values["end_date"], values["start_date"]
    horizon = values["horizon"] or _later(end, HORIZON_DAYS)
    if end.year > LAST_YEAR:
        problems.append(f"[support] end_date must not be after the year {LAST_YEAR}")
    if horizon < end:
        problems.append("[support] horizon must not be before end_date")
    problem = contradiction(values["period"], end, start) if DURATION.fullmatch(values["period"]) else None
    if problem is not None:
        problems.append(f"[support] {problem}")
    return Support(values["period"], end, values["sequence"], values["notice_days"], horizon, start)


def _later(day: dt.date, days: int) -> dt.date:
    return day + dt.timedelta(days=min(days, (dt.date.max - day).days))


def _statement(values: dict[str, Any]) -> StatementDetails:
    labels = {name: LabelRoute(**route) for name, route in values["labels"].items()}
    return StatementDetails(**(values | {"labels": labels}))


def _check_address(address: str, problems: list[str]) -> None:
    if any(sign in address for sign in "#?") or address.replace("{name}", "").count("{"):
        problems.append(
            "[label] setup_address may hold {name}, but no query and no fragment: the code goes there"
        )
