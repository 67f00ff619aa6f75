"""Every table and field of a product definition. The parser and the JSON Schema both use them."""

from __future__ import annotations

import re
from typing import Any, Final

from device.limits import CHECK_INTERVAL_S, SOURCES
from device.records.identity import TEXT_CHARS as IDENTITY_CHARS
from provisioning.product.document import Entries, Fields, Named, Section, document_schema
from provisioning.product.fields import Choice, Date, Hex, Identifier, MapOf, Number, Text, Truth
from provisioning.product.periods import DURATION, DURATION_HINT
from provisioning.product.public_texts import (
    ACKNOWLEDGEMENT,
    ACKNOWLEDGEMENT_HINT,
    POLICY,
    POLICY_HINT,
    REPORT,
    REPORT_HINT,
    SERVER,
    SERVER_HINT,
    SETUP_ADDRESS,
    STATUS_UPDATES,
    STATUS_UPDATES_HINT,
)
from provisioning.product.statement_fields import (
    COMPONENT_TABLES,
    LABEL_ROUTE,
    PUBLICATION,
    SCOPE,
)

ROUTES: Final = ("schedule-1", "schedule-2", "label")
SECURITY_REQUIREMENTS: Final = ("passwords", "reporting", "support_period")
# Both begin with a letter or digit: a command reads "-1" as an option, and a spreadsheet as a number.
SERIAL_PREFIX: Final = re.compile(r"[A-Z0-9][A-Z0-9-]{0,11}")
BATCH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
ADDRESS_CHARS: Final = 72
SHA256_HEX: Final = re.compile(r"[0-9a-f]{64}")
FILE_NAME: Final = re.compile(r"(?!.*\.\.)[\w .-]+(/[\w .-]+)*")
MANUFACTURERS: Final = 16
REPRESENTATIVES: Final = 32
LAST_SERIAL: Final = 999_999  # six digits on label and in sorted lists

SERVER_NAME: Final = Text(SERVER, SERVER_HINT)
PARTY: Final = Fields({"name": Text(most=IDENTITY_CHARS), "address": Text()})
SECTIONS: Final[dict[str, Section]] = {
    "product": Fields(
        {
            "model": Text(most=IDENTITY_CHARS),
            "brand": Text(most=IDENTITY_CHARS),
            "type": Text(),
            "board": Text(),
            "vendor_id": Identifier(),
            "class_id": Identifier(),
        }
    ),
    "manufacturer": Entries(PARTY, 1, MANUFACTURERS, may_be_one=True, distinct=("name",)),
    "representatives": Entries(PARTY, 0, REPRESENTATIVES, is_optional=True, distinct=("name",)),
    "batch": Fields(
        {
            "number": Text(
                BATCH, "must be letters, digits, dots and dashes, at most 32, with a letter or digit first"
            ),
            "serial_prefix": Text(
                SERIAL_PREFIX,
                "must be capital letters, digits and dashes, at most 12, with a letter or digit first",
            ),
            "first_number": Number(1, LAST_SERIAL, default=None),
            "last_number": Number(1, LAST_SERIAL, default=None),
        }
    ),
    "support": Fields(
        {
            "period": Text(DURATION, DURATION_HINT),
            "start_date": Date(default=None),
            "end_date": Date(),
            "horizon": Date(default=None),
            "sequence": Number(1, 2**31, default=1),
            "notice_days": Number(0, 3650, default=180),
        }
    ),
    "contact": Fields(
        {
            "report": Text(REPORT, REPORT_HINT),
            "acknowledgement": Text(ACKNOWLEDGEMENT, ACKNOWLEDGEMENT_HINT),
            "status_updates": Text(STATUS_UPDATES, STATUS_UPDATES_HINT),
            "policy": Text(POLICY, POLICY_HINT),
            "sequence": Number(1, 2**31, default=1),
        }
    ),
    "statement": Fields(
        {
            "signatory_name": Text(),
            "signatory_function": Text(),
            "place": Text(),
            "routes": MapOf(
                Choice(ROUTES),
                f"must name {', '.join(SECURITY_REQUIREMENTS)}, each one of {', '.join(ROUTES)}",
                SECURITY_REQUIREMENTS,
                is_whole=True,
                default=dict.fromkeys(SECURITY_REQUIREMENTS, "schedule-1"),
            ),
            "standards": MapOf(
                None,
                'must map a requirement to { number = "...", version = "...", date = "..." }',
                default={},
            ),
            "labels": Named(LABEL_ROUTE, SECURITY_REQUIREMENTS),
        }
    ),
    "scope": SCOPE,
    "components": COMPONENT_TABLES,
    "publication": PUBLICATION,
    "update": Fields({"check_interval_s": Number(*CHECK_INTERVAL_S)}),
    "servers": Entries(
        Fields(
            {"transport": Choice(("mqtt", "coap")), "host": SERVER_NAME, "port": Number(1, 65535)},
            by=("transport", {"mqtt": {"tls_name": SERVER_NAME}, "coap": {}}),
        ),
        1,
        SOURCES,
        distinct=("transport", "host", "port"),
    ),
    "label": Fields(
        {
            "setup_address": Text(
                SETUP_ADDRESS,
                f"must be an https address of plain names with at most {ADDRESS_CHARS} characters to fit the QR code",
                most=ADDRESS_CHARS,
            ),
            "template": Text(
                FILE_NAME, "must be the name of a file in the definition's folder or below it", default=None
            ),
        }
    ),
    "firmware": Fields(
        {"image_sha256": Hex(SHA256_HEX, "must be 64 hexadecimal digits in lower case")},
        is_optional=True,
    ),
    "keys": Fields({"injected": Truth(default=False)}, is_optional=True),
    "wifi": Fields({"access_point": Truth(default=False)}, is_optional=True),
}


def product_schema() -> dict[str, Any]:
    """Return the JSON Schema 2020-12 of a definition, made from SECTIONS."""
    return document_schema(SECTIONS, "Firstboot product and batch definition")
