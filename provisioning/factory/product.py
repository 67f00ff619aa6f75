"""What a batch is made of: the product definition (TOML) that a maker writes, checked before a unit is touched.

Rules:
1. Every problem of a file is reported at once, each with its place and what would be accepted.
2. A support period has a duration and an end date (SP-01; SI 2023/1007 regulation 2).
3. Times in the contact are a number and a unit; "promptly" is refused (RP-02, RP-03).
4. What a statement of compliance declares is fixed for a batch (SC-08): `declared_digest` covers it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from device.limits import CHECK_INTERVAL_S, SOURCES
from provisioning.factory.product_papers import (
    Component,
    LabelRoute,
    Publication,
    Scope,
    read_components,
    read_label_routes,
    read_publication,
    read_scope,
)
from provisioning.factory.tables import Table

DURATION: Final = re.compile(r"P(?=\d)(\d+Y)?(\d+M)?(\d+D)?")
ROUTES: Final = ("schedule-1", "schedule-2", "label")
SECURITY_REQUIREMENTS: Final = ("passwords", "reporting", "support_period")
SERIAL_PREFIX: Final = re.compile(r"[A-Z0-9-]{1,12}")
BATCH: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")
ADDRESS_CHARS: Final = 72
SHA256_HEX: Final = re.compile(r"[0-9a-f]{64}")
FILE_NAME: Final = re.compile(r"(?!.*\.\.)[\w .-]+(/[\w .-]+)*")
NOT_DECLARED: Final = (
    "servers", "check_interval_s", "setup_address", "publication", "image_sha256", "label_template",
)  # fmt: skip
HORIZON_DAYS: Final = 3650  # how far beyond its first end date a support period may be extended by default


class ProductError(ValueError):
    """The definition cannot be used. `problems`: one line each, with the place in the file."""

    def __init__(self, problems: list[str], source: str = "product definition") -> None:
        self.problems = problems
        super().__init__(f"{source}: " + "; ".join(problems))


@dataclass(frozen=True)
class Party:
    """A manufacturer or an authorised representative, as Schedule 4 wants it."""

    name: str
    address: str


@dataclass(frozen=True)
class Support:
    """The defined support period. `end_date` is inclusive."""

    period: str
    end_date: dt.date
    sequence: int
    notice_days: int
    horizon: dt.date


@dataclass(frozen=True)
class ContactDetails:
    """Where security issues are reported and when answers come."""

    report: str
    acknowledgement: str
    status_updates: str
    policy: str
    sequence: int


@dataclass(frozen=True)
class StatementDetails:
    """Who signs the statement of compliance, where, and on which route each requirement is met."""

    signatory_name: str
    signatory_function: str
    place: str
    routes: dict[str, str]
    standards: dict[str, dict[str, str]]
    labels: dict[str, LabelRoute] = field(default_factory=dict)


@dataclass(frozen=True)
class Server:
    """One place to look for releases. `tls_name` is checked in the broker's certificate (MQTT only)."""

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
    manufacturer: Party
    representatives: tuple[Party, ...]
    batch: str
    serial_prefix: str
    support: Support
    contact: ContactDetails
    statement: StatementDetails
    servers: tuple[Server, ...]
    check_interval_s: int
    setup_address: str  # "{name}" stands for the random name of the unit's web certificate
    scope: Scope | None = None
    components: tuple[Component, ...] = ()
    publication: Publication | None = None
    image_sha256: bytes | None = None  # the only image that units of this definition may run
    label_template: str | None = None  # file with the label's layout, from the definition's folder

    @property
    def declared_digest(self) -> bytes:
        """SHA-256 over what may not change within a batch: all but servers, label and the site's words.

        The image is not in it either: the statement names it, and the ship gate compares each unit's.
        """
        fields = asdict(self)
        for name in NOT_DECLARED:
            del fields[name]
        return hashlib.sha256(json.dumps(fields, sort_keys=True, default=_plain).encode()).digest()


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def load_product(path: Path) -> Product:
    """The product that a TOML file defines. Raises ProductError, OSError."""
    try:
        return parse_product(path.read_text(encoding="utf-8"), path.name)
    except UnicodeDecodeError as error:
        raise ProductError([f"not UTF-8 at byte {error.start}"], path.name) from error


def parse_product(text: str, source: str = "product definition") -> Product:
    """The product that a TOML text defines. Raises ProductError with every problem found."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProductError([str(error)], source) from error
    problems: list[str] = []
    product = _product(document, problems)
    if problems:
        raise ProductError(problems, source)
    return product


TABLES: Final = (
    "product", "manufacturer", "representatives", "batch", "support", "contact", "statement", "update",
    "servers", "label", "scope", "components", "publication", "firmware",
)  # fmt: skip
_OWN_READERS: Final = ("representatives", "servers", "scope", "components", "publication", "firmware")


def _product(document: dict[str, Any], problems: list[str]) -> Product:
    problems += [f"[{name}] is not known" for name in sorted(set(document) - set(TABLES))]
    table = {name: Table(document.get(name), name, problems) for name in TABLES if name not in _OWN_READERS}
    product = Product(
        model=table["product"].text("model"),
        brand=table["product"].text("brand"),
        product_type=table["product"].text("type"),
        board=table["product"].text("board"),
        vendor_id=table["product"].identifier("vendor_id"),
        class_id=table["product"].identifier("class_id"),
        manufacturer=_party(table["manufacturer"]),
        representatives=_parties(document.get("representatives", []), problems),
        batch=table["batch"].text("number", BATCH, "letters, digits, dots and dashes, at most 32"),
        serial_prefix=table["batch"].text(
            "serial_prefix", SERIAL_PREFIX, "capitals, digits and dashes, at most 12"
        ),
        support=_support(table["support"]),
        contact=_contact(table["contact"]),
        statement=_statement(table["statement"], problems),
        servers=_servers(document.get("servers"), problems),
        check_interval_s=table["update"].number("check_interval_s", *CHECK_INTERVAL_S),
        setup_address=_setup_address(table["label"]),
        scope=read_scope(document.get("scope"), problems),
        components=read_components(document.get("components"), problems),
        publication=read_publication(document.get("publication"), problems),
        image_sha256=_image(document.get("firmware"), problems),
        label_template=_label_template(table["label"]),
    )
    for entry in table.values():
        entry.close()
    return product


def _party(table: Table) -> Party:
    return Party(table.text("name"), table.text("address"))


def _parties(entries: Any, problems: list[str]) -> tuple[Party, ...]:
    found = []
    for number, entry in enumerate(entries if isinstance(entries, list) else [None], 1):
        table = Table(entry, f"representatives no. {number}", problems)
        found.append(_party(table))
        table.close()
    return tuple(found)


def _support(table: Table) -> Support:
    period = table.text(
        "period", DURATION, 'an ISO 8601 duration in years, months or days, like "P5Y" (SP-01)'
    )
    end_date = table.date("end_date")
    horizon = table.date("horizon", end_date + dt.timedelta(days=HORIZON_DAYS))
    if horizon < end_date:
        table.problem("horizon", "must not lie before end_date")
    return Support(
        period,
        end_date,
        table.number("sequence", 1, 2**31, 1),
        table.number("notice_days", 0, 3650, 180),
        horizon,
    )


def _contact(table: Table) -> ContactDetails:
    return ContactDetails(
        table.url("report", ("https://", "mailto:", "tel:")),
        table.timed("acknowledgement"),
        table.timed("status_updates"),
        table.url("policy", ("https://",)),
        table.number("sequence", 1, 2**31, 1),
    )


def _statement(table: Table, problems: list[str]) -> StatementDetails:
    routes = table.get("routes", dict.fromkeys(SECURITY_REQUIREMENTS, "schedule-1"))
    if not isinstance(routes, dict) or set(routes) != set(SECURITY_REQUIREMENTS):
        table.problem("routes", f"must name {', '.join(SECURITY_REQUIREMENTS)}")
    elif not set(routes.values()) <= set(ROUTES):
        table.problem("routes", f"must each be one of {', '.join(ROUTES)}")
    standards = table.get("standards", {})
    if not isinstance(standards, dict) or not all(isinstance(entry, dict) for entry in standards.values()):
        table.problem(
            "standards", 'must map a requirement to { number = "...", version = "...", date = "..." }'
        )
    return StatementDetails(
        table.text("signatory_name"),
        table.text("signatory_function"),
        table.text("place"),
        routes,
        standards,
        read_label_routes(table.get("labels"), SECURITY_REQUIREMENTS, problems),
    )


def _servers(entries: Any, problems: list[str]) -> tuple[Server, ...]:
    if not isinstance(entries, list) or not 0 < len(entries) <= SOURCES:
        problems.append(f"[[servers]] must appear once to {SOURCES} times")
        return ()
    return tuple(_server(Table(entry, f"servers no. {n}", problems)) for n, entry in enumerate(entries, 1))


def _server(table: Table) -> Server:
    transport = table.get("transport")
    if transport not in ("mqtt", "coap"):
        table.problem("transport", 'must be "mqtt" or "coap"')
    name = table.text("tls_name") if transport == "mqtt" else None
    server = Server(str(transport), table.text("host"), table.number("port", 1, 65535), name)
    table.close()
    return server


def _image(fields: Any, problems: list[str]) -> bytes | None:
    """The image that units may run, None where the definition names none."""
    if fields is None:
        return None
    table = Table(fields, "firmware", problems)
    text = table.text("image_sha256", SHA256_HEX, "64 hexadecimal digits in small letters")
    table.close()
    return bytes.fromhex(text)


def _label_template(table: Table) -> str | None:
    if table.get("template") is None:
        return None
    return table.text("template", FILE_NAME, "the name of a file beside this definition or below it")


def _setup_address(table: Table) -> str:
    address = table.url("setup_address", ("https://",))
    if len(address) > ADDRESS_CHARS:
        table.problem("setup_address", f"must have at most {ADDRESS_CHARS} characters to fit the QR code")
    if any(sign in address for sign in "#?") or address.replace("{name}", "").count("{"):
        table.problem("setup_address", "may hold {name}, but no query and no fragment: the code goes there")
    return address
