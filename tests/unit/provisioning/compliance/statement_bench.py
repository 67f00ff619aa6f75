"""A statement of compliance as a maker issues it, for tests: evidence that passed, a person with an encrypted key."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.compliance.archive import Archive, Archived
from provisioning.compliance.check_outcomes import PASS, Check
from provisioning.compliance.evidence import FIRMWARE, PUBLICATION, REQUIRED, Evidence
from provisioning.compliance.issue import Signatory, draw_key, issue, prepare
from provisioning.compliance.signed_evidence import SignedEvidence, sign_evidence
from provisioning.compliance.support_register import Publication
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.key_id import AnchorKey
from provisioning.keys.key_ring import KeyRing
from provisioning.keys.signer import Signer
from provisioning.product.product import Product, parse_product
from tests.unit.provisioning.real_maker import REAL

PRODUCT = parse_product(REAL)

TODAY = dt.date(2026, 11, 22)
PASSPHRASE = "a phrase only the signatory knows"
IMAGE = bytes(32)  # what tests/unit/factory_bench.MemoryUnit runs


RUNNER_KEY = FileSigner(ec.generate_private_key(ec.SECP256R1()))
RUNNER_TRUST = [AnchorKey(RUNNER_KEY.key_id, RUNNER_KEY.algorithm, 5, RUNNER_KEY.public)]


def passed(subject: str, **of: str) -> SignedEvidence:
    checks = tuple(Check(name, PASS, "test") for name in REQUIRED[subject])
    return sign_evidence(Evidence(subject, of, TODAY, checks), RUNNER_KEY)


def evidence(product: Product = PRODUCT, image: bytes = IMAGE) -> list[SignedEvidence]:
    """Return evidence that everything passed, for this product and image."""
    run = {"commit": "c0" * 20, "tools": "Python 3", "junit_sha256": "ab" * 32}
    return [
        passed(FIRMWARE, image_sha256=image.hex(), version="1.0.0+0", **run),
        passed(
            PUBLICATION,
            model=product.model,
            end_date=product.support.end_date.isoformat(),
            published_sha256=Publication.of(product, TODAY).digest(),
        ),
    ]


def signatory(signer: Signer, product: Product = PRODUCT) -> Signatory:
    return Signatory(product.statement.signatory_name, product.statement.signatory_function, signer)


def issue_one(
    root: Path, signer: Signer, product: Product = PRODUCT, *, image: bytes = IMAGE, today: dt.date = TODAY
) -> Archived:
    """Issue the statement of a product and batch into the archive at `root`."""
    archive = Archive(root)
    pieces = evidence(product, image)
    document = prepare(product, pieces, archive, today, image_sha256=image.hex())
    return issue(document, signatory(signer, product), archive, pieces)


def production_keys(directory: Path) -> tuple[KeyRing, Signer]:
    """Return (production keys, the signatory's signer): the ring has only the signatory's public half."""
    KeyRing.generate_development(directory)
    (directory / "DEVELOPMENT-KEYS").unlink()
    (directory / "signatory.pem").unlink()
    person = directory.with_name(directory.name + "-person")
    person.mkdir()
    signer = draw_key(person / "signatory.pem", PASSPHRASE)
    (directory / "signatory.pub").write_bytes((person / "signatory.pub").read_bytes())
    return KeyRing(directory), signer
