"""Evidence that a test runner signed, and the reasons why a statement cannot be based on it (SC-03).

Rules:
1. Evidence is a COSE_Sign1 by the runner's key over the JSON of `evidence.py`. A file without a signature, or signed by
   a key that the maker does not trust, is refused.
2. Firmware evidence names the image (SHA-256), the commit, the tool versions and the test run. The image has to be the
   one that the batch runs. A run from changed files has no commit and is refused.
3. Evidence is at most EVIDENCE_DAYS old on the day of issue (our choice, not the law's).
4. "Not applicable" counts only if the product definition confirms it: PW-05 without software that the user has to
   install, RP-07 without the ISO/IEC 29147 route. PW-05 of a product with such software names each package.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from device.errors import FirstbootError
from provisioning.compliance import signed_record
from provisioning.compliance.check_outcomes import NOT_APPLICABLE, PASS, EvidenceError
from provisioning.compliance.evidence import FIRMWARE, PUBLICATION, Evidence, parse_evidence
from provisioning.compliance.installed_software import REQUIREMENT as INSTALLED_SOFTWARE
from provisioning.compliance.installed_software import must_install, searched
from provisioning.compliance.statement import ISO_29147
from provisioning.compliance.support_register import Publication
from provisioning.keys.signer import sign_record

if TYPE_CHECKING:
    from provisioning.keys.key_id import AnchorKey
    from provisioning.keys.signer import Signer
    from provisioning.product.product import Product

TYP: Final = "application/vnd.firstboot.evidence+json"
EVIDENCE_DAYS: Final = 30
EVIDENCE_BYTES: Final = 1 << 20
COMMIT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
SHA256_HEX: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class SignedEvidence:
    """Evidence whose signature was verified. `record`: the bytes that are archived."""

    evidence: Evidence
    record: bytes
    key_id: bytes

    def summary(self) -> dict[str, Any]:
        """Return how a statement names this evidence."""
        return self.evidence.summary() | {
            "sha256": hashlib.sha256(self.record).hexdigest(),
            "runner": self.key_id.hex(),
        }


def sign_evidence(evidence: Evidence, signer: Signer) -> SignedEvidence:
    """Return the evidence with the runner's signature."""
    return SignedEvidence(evidence, sign_record(evidence.to_json(), TYP, signer), signer.key_id)


def read_evidence(data: bytes, runners: Iterable[AnchorKey], source: str = "evidence") -> SignedEvidence:
    """Return the evidence in a signed file (rule 1). Raises EvidenceError."""
    try:
        payload, key_id = signed_record.read(data, TYP, runners, EVIDENCE_BYTES)
    except signed_record.UntrustedError:
        raise EvidenceError(f"{source} is not signed by a test runner that you trust") from None
    except FirstbootError as error:
        raise EvidenceError(
            f"{source} is not evidence that a test runner signed ({type(error).__name__})"
        ) from None
    return SignedEvidence(parse_evidence(payload, source), data, key_id)


def weaknesses(
    product: Product, given: SignedEvidence, image_sha256: str | None, today: dt.date
) -> list[str]:
    """Return why a statement for this product and image cannot be based on this evidence today, one sentence each."""
    evidence = given.evidence
    found = evidence.problems()
    age = (today - evidence.made).days
    if age < 0:
        found.append(f"the {evidence.subject} evidence has a date in the future, {evidence.made}")
    if age > EVIDENCE_DAYS:
        found.append(f"the {evidence.subject} evidence of {evidence.made} is older than {EVIDENCE_DAYS} days")
    found += [
        f"{check.id}: not applicable, but the product definition shows that it applies"
        for check in evidence.checks
        if check.outcome == NOT_APPLICABLE and not _may_be_left_out(check.id, product)
    ]
    found += _unsearched(product, evidence)
    about = _about_firmware if evidence.subject == FIRMWARE else _about_publication
    return found + about(product, evidence.of, image_sha256, today)


def _unsearched(product: Product, evidence: Evidence) -> list[str]:
    """Return the programs that the user must install and whose package a passed check of PW-05 did not search."""
    if not any(check.id == INSTALLED_SOFTWARE and check.outcome == PASS for check in evidence.checks):
        return []
    packages = searched(evidence.of.get("packages", ""))
    return [
        f"{INSTALLED_SOFTWARE}: the package of {name} was not searched"
        for name in must_install(product)
        if not SHA256_HEX.fullmatch(packages.get(name, ""))
    ]


def _may_be_left_out(name: str, product: Product) -> bool:
    rules: Mapping[str, Callable[[], bool]] = {
        INSTALLED_SOFTWARE: lambda: not must_install(product),
        "RP-07": lambda: product.statement.standards.get("reporting") != ISO_29147,
    }
    return name in rules and rules[name]()


def _about_firmware(
    _product: Product, of: Mapping[str, str], image_sha256: str | None, _today: dt.date
) -> list[str]:
    found = []
    if image_sha256 is None:
        found.append(
            "the image of the batch is not known: [firmware] image_sha256 of the definition, or --image"
        )
    elif of.get("image_sha256") != image_sha256:
        found.append(
            f"the firmware evidence is about image {of.get('image_sha256')}, the batch runs {image_sha256}"
        )
    if not SHA256_HEX.fullmatch(of.get("image_sha256", "")):
        found.append("the firmware evidence does not name an image by its SHA-256")
    if not COMMIT.fullmatch(of.get("commit", "")):
        found.append("the firmware evidence does not name the commit that was tested")
    found += [
        f"the firmware evidence has no {name}"
        for name in ("version", "tools", "junit_sha256")
        if not of.get(name)
    ]
    return found


def _about_publication(
    product: Product, of: Mapping[str, str], _image_sha256: str | None, today: dt.date
) -> list[str]:
    found = []
    if of.get("model") != product.model:
        found.append(f"the publication evidence is about {of.get('model')}, not {product.model}")
    if of.get("end_date") != product.support.end_date.isoformat():
        found.append(
            f"the published support period ends on {of.get('end_date')}, the statement's on"
            f" {product.support.end_date} (SP-07)"
        )
    elif of.get("published_sha256") != Publication.of(product, today).digest():
        found.append("the published support period or its parts differ from the product definition (SP-07)")
    if "development" in of:
        found.append("the published pages were built for development")
    return found


def one_of_each(
    product: Product, given: Sequence[SignedEvidence], image_sha256: str | None, today: dt.date
) -> list[str]:
    """Return everything that is missing or weak in the evidence: one of each subject is needed."""
    found = []
    for subject in (FIRMWARE, PUBLICATION):
        count = sum(each.evidence.subject == subject for each in given)
        if count != 1:
            found.append(f"{count} pieces of {subject} evidence instead of one (SC-03)")
    for each in given:
        found += weaknesses(product, each, image_sha256, today)
    return found
