"""A statement of compliance as a maker issues it, for tests: evidence that passed, a person with an encrypted key."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from provisioning.compliance.archive import Archive, Archived
from provisioning.compliance.evidence import FIRMWARE, PASS, PUBLICATION, REQUIRED, Check, Evidence
from provisioning.compliance.issue import Signatory, draw_key, issue, prepare
from provisioning.keys.key_ring import KeyRing
from provisioning.keys.signer import Signer
from provisioning.product.product import Product, parse_product
from tests.unit.provisioning.real_maker import REAL

PRODUCT = parse_product(REAL)

TODAY = dt.date(2026, 11, 22)
PASSPHRASE = "a phrase only the signatory knows"
IMAGE = bytes(32)  # what tests/unit/factory_bench.MemoryUnit runs


def passed(subject: str, **of: str) -> Evidence:
    return Evidence(subject, of, TODAY, tuple(Check(name, PASS, "test") for name in REQUIRED[subject]))


def evidence(product: Product = PRODUCT, image: bytes = IMAGE) -> list[Evidence]:
    """Everything passed, for this product and image."""
    return [
        passed(FIRMWARE, image_sha256=image.hex(), version="1.0.0+0"),
        passed(PUBLICATION, model=product.model, end_date=product.support.end_date.isoformat()),
    ]


def signatory(signer: Signer, product: Product = PRODUCT) -> Signatory:
    return Signatory(product.statement.signatory_name, product.statement.signatory_function, signer)


def issue_one(
    root: Path, signer: Signer, product: Product = PRODUCT, *, image: bytes = IMAGE, today: dt.date = TODAY
) -> Archived:
    """Issue the statement of a product and batch into the archive at `root`."""
    archive = Archive(root)
    document = prepare(product, evidence(product, image), archive, today)
    return issue(document, signatory(signer, product), archive)


def production_keys(directory: Path) -> tuple[KeyRing, Signer]:
    """(keys that are not for development, the signatory's signer): the ring holds the signatory's public half only."""
    KeyRing.generate_development(directory)
    (directory / "DEVELOPMENT-KEYS").unlink()
    (directory / "signatory.pem").unlink()
    person = directory.with_name(directory.name + "-person")
    person.mkdir()
    signer = draw_key(person / "signatory.pem", PASSPHRASE)
    (directory / "signatory.pub").write_bytes((person / "signatory.pub").read_bytes())
    return KeyRing(directory), signer
