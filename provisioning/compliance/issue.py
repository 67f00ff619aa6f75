"""Issue a statement of compliance: a named person signs it after every legal check has passed.

Rules:
1. The tool signs nothing by itself. The person gives their name and function as in the product definition, and opens
   a key that is encrypted with a passphrase that only they know (SC-03). A key without a passphrase, or from a folder
   of development keys, is refused.
2. The tool refuses if a legal check of the firmware or of the publication or the scope decision (SC-10) is missing, if
   the support period has ended (SP-11), if a label has expired (SC-09), or if the batch has an open fault in the
   registry.
3. A statement is never changed. A new one for the same batch has the next version and names the one it supersedes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.compliance.archive import Archive, Archived, retain_until, slug
from provisioning.compliance.evidence import FIRMWARE
from provisioning.compliance.signed_evidence import SignedEvidence, one_of_each
from provisioning.compliance.statement import (
    ISSUED,
    StatementError,
    check_statement,
    schedule_4,
    sign_statement,
)
from provisioning.file_system import PRIVATE, create_file, replace_file
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.key_id import public_point
from provisioning.keys.pem import MARKER, read_private
from provisioning.keys.public_keys import public_pem
from provisioning.product.periods import contradiction_today, contradiction_when_new
from provisioning.product.placeholders import placeholders

if TYPE_CHECKING:
    from provisioning.keys.signer import Signer
    from provisioning.product.product import Product

PASSPHRASE_CHARS: Final = 12


@dataclass(frozen=True)
class Signatory:
    """The person who signs: the name and function that they gave, and their signer."""

    name: str
    function: str
    signer: Signer


@dataclass(frozen=True)
class Attached:
    """Further evidence that a statement names and that is archived with it. `problems`: why it cannot be named."""

    file_name: str
    record: bytes
    summary: Mapping[str, Any]
    problems: tuple[str, ...] = ()


def draw_key(path: Path, passphrase: str) -> FileSigner:
    """Generate a signatory's key in `path` (mode 0600, encrypted); the public key goes to the same name with .pub.

    Raises StatementError for a short passphrase, FileExistsError.
    """
    if len(passphrase) < PASSPHRASE_CHARS:
        raise StatementError([f"a signatory's passphrase must have at least {PASSPHRASE_CHARS} characters"])
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode()),
    )
    public = public_pem(public_point(key.public_key()))
    create_file(path, pem, mode=PRIVATE)  # first: it refuses to replace another key
    try:
        replace_file(path.with_suffix(".pub"), public)
    except OSError:
        path.unlink()  # both files or none: a later call can begin again
        raise
    return FileSigner(key)


def open_key(path: Path, passphrase: str) -> FileSigner:
    """Return the signatory's signer. Raises StatementError; OSError if there is no file."""
    if (path.parent / MARKER).exists():
        raise StatementError(["a development key cannot sign a statement of compliance"])
    try:
        data = read_private(path)
    except ValueError as error:
        raise StatementError([str(error)]) from None
    if b"ENCRYPTED" not in data:
        raise StatementError(
            [
                "the signatory's key has no passphrase, so anyone who finds it could sign; generate one with"
                " `firstboot keys generate signatory`"
            ]
        )
    try:
        key = serialization.load_pem_private_key(data, password=passphrase.encode())
    except ValueError:
        raise StatementError(["the passphrase does not open the signatory's key"]) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise StatementError(["the signatory's key is not a P-256 key"])
    return FileSigner(key)


def problems_of(
    product: Product,
    evidence: Sequence[SignedEvidence],
    batch_faults: Sequence[str],
    today: dt.date,
    image_sha256: str | None = None,
) -> list[str]:
    """Return every reason not to issue a statement for this product and batch today, one sentence each."""
    found = [f"batch {product.batch}: {fault}" for fault in batch_faults]
    if product.scope is None:
        found.append("the scope decision is missing: add the table [scope] to the product definition (SC-10)")
    elif product.scope.decided_on > today:
        found.append(f"[scope] decided_on is {product.scope.decided_on}, a day that is still to come (SC-10)")
    if product.support.end_date < today:
        found.append(f"the support period ended on {product.support.end_date} (SP-11)")
    for requirement, label in product.statement.labels.items():
        if label.expires < today:
            found.append(f"{requirement}: the {label.scheme} label expired on {label.expires} (SC-09)")
    found += [f"{text}: a statement needs the real value" for text in placeholders(product)]
    support = product.support
    terms = (support.period, support.end_date, support.start_date, today)
    problem = contradiction_today(*terms) or contradiction_when_new(*terms)
    if problem is not None:
        found.append(f"[support] {problem}")
    if image_sha256 is None and product.image_sha256 is not None:
        image_sha256 = product.image_sha256.hex()
    if product.image_sha256 is not None and product.image_sha256.hex() != image_sha256:
        found.append("the image is not the one of image_sha256 in [firmware] of the product definition")
    return found + one_of_each(product, evidence, image_sha256, today)


def prepare(
    product: Product,
    evidence: Sequence[SignedEvidence],
    archive: Archive,
    today: dt.date,
    *,
    batch_faults: Sequence[str] = (),
    image_sha256: str | None = None,
    attached: Sequence[Attached] = (),
) -> dict[str, Any]:
    """Return the statement without the words about the signature, so that the signatory can read it before signing.

    `image_sha256` (hex): the image that the batch runs. Raises StatementError with every reason not to issue it.
    """
    found = problems_of(product, evidence, batch_faults, today, image_sha256)
    found += [problem for each in attached for problem in each.problems]
    if found:
        raise StatementError(found)
    firmware = next(each.evidence for each in evidence if each.evidence.subject == FIRMWARE)
    scope, version = product.scope, archive.next_version(product.model, product.batch)
    assert scope is not None  # noqa: S101 - problems_of has seen to it
    earlier = archive.latest(product.model, product.batch)
    return schedule_4(product, today) | {
        "kind": ISSUED,
        "id": f"{slug(product.model)}_{slug(product.batch)}_v{version}",
        "version": version,
        "supersedes": None if earlier is None else earlier.sha256,
        "firmware": {"version": firmware.of.get("version", ""), "image_sha256": firmware.of["image_sha256"]},
        "scope": {
            "connectable": scope.connectable,
            "exceptions": scope.exceptions,
            "markets": list(scope.markets),
            "decided_by": scope.decided_by,
            "decided_on": scope.decided_on.isoformat(),
        },
        "evidence": [*(each.summary() for each in evidence), *(dict(each.summary) for each in attached)],
        "retain_until": retain_until(today, product.support.end_date).isoformat(),
    }


def issue(
    document: dict[str, Any],
    signatory: Signatory,
    archive: Archive,
    evidence: Sequence[SignedEvidence] = (),
    attached: Sequence[Attached] = (),
) -> Archived:
    """Sign a prepared statement and keep it with its evidence. Raises StatementError, ArchiveError, OSError."""
    named = document["signatory"]
    if (signatory.name, signatory.function) != (named["name"], named["function"]):
        raise StatementError(
            [
                f"the product definition names {named['name']}, {named['function']} as signatory,"
                f" not {signatory.name}, {signatory.function}"
            ]
        )
    signed_words = f"COSE_Sign1 (ESP256) by key {signatory.signer.key_id.hex()}"
    complete = document | {"signatory": named | {"signature": signed_words}}
    check_statement(complete)
    return archive.add(
        complete,
        sign_statement(complete, signatory.signer),
        signatory.signer,
        {f"evidence-{each.evidence.subject}.cose": each.record for each in evidence}
        | {each.file_name: each.record for each in attached},
    )
