"""`firstboot statement issue`: show a statement of compliance to the named person, who signs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from device.codec.cose import ALG_ESP256
from provisioning.cli.addresses import signer_place
from provisioning.cli.compliance_inputs import (
    existing_archive,
    open_points,
    opened_if_given,
    today_utc,
    trusted_keys,
)
from provisioning.cli.errors import InputError, printable
from provisioning.cli.one_line import one_line
from provisioning.cli.options import ArchiveOption, JsonOption, ProductOption
from provisioning.cli.output import print_report
from provisioning.cli.settings import with_settings
from provisioning.cli.settings_fields import RelativeText
from provisioning.cli.signing_time import warn_of_clock
from provisioning.compliance.evidence import partly
from provisioning.compliance.evidence_run import signed_image
from provisioning.compliance.faults import batch_faults
from provisioning.compliance.forms import statement_text
from provisioning.compliance.issue import Attached, Signatory, issue, open_key, prepare
from provisioning.compliance.signed_evidence import SignedEvidence, read_evidence
from provisioning.compliance.statement import StatementError
from provisioning.compliance.statement_bill import attached_bill
from provisioning.evidence.folder import not_for, verify_folder
from provisioning.keys.key_id import AnchorKey
from provisioning.keys.schemes import PKCS11_SCHEME
from provisioning.keys.secret_input import normal
from provisioning.keys.signer import Signer
from provisioning.product.product import Product, load_product


@dataclass(frozen=True, kw_only=True)
class IssueSettings:
    """The options of `statement issue`: the product, the evidence, and the person who signs."""

    product: ProductOption
    evidence: Annotated[
        list[Path],
        typer.Option(
            "--evidence", metavar="FILE", help="Firmware evidence and publication evidence. Give it twice."
        ),
    ]
    archive: ArchiveOption
    key: Annotated[
        str,
        typer.Option("--key", metavar="KEY", help="The signatory's encrypted key file, or a pkcs11: URI."),
        RelativeText(signer_place),
    ]
    name: Annotated[
        str, typer.Option("--name", callback=one_line("person"), help="Name of the person who signs.")
    ]
    function: Annotated[
        str,
        typer.Option(
            "--function",
            callback=one_line("function"),
            help="This person's function in the manufacturer's company.",
        ),
    ]
    runner: Annotated[
        list[Path],
        typer.Option(
            "--runner", metavar="FILE", help="Public key of a test runner whose evidence you trust."
        ),
    ]
    image: Annotated[
        Path | None,
        typer.Option(
            "--image",
            metavar="FILE",
            help="The image of the batch, if [firmware] image_sha256 of the definition does not name it.",
        ),
    ] = None
    traceability: Annotated[
        Path | None,
        typer.Option(
            "--traceability",
            metavar="DIR",
            help="Evidence folder (`firstboot evidence build`) that the statement names by its digest.",
        ),
    ] = None
    sbom: Annotated[
        Path | None,
        typer.Option(
            "--sbom",
            metavar="FILE",
            help="Bill of materials of the image's firmware, from `firstboot firmware build`. Needs --image.",
        ),
    ] = None
    registry: Annotated[
        Path | None,
        typer.Option("--registry", metavar="FILE", help="The station's registry, if the batch has started."),
    ] = None
    is_json: JsonOption = False


@with_settings(IssueSettings, "statement.issue")
def issue_command(settings: IssueSettings) -> None:
    """Issue the statement of compliance of a product type and batch: show it, then let the named person sign it.

    Example: `firstboot statement issue --product product.toml --evidence firmware.cose --evidence publication.cose
    --archive archive --key erika.pem --name "Erika Example" --function "Head of quality" --runner runner.pub`
    """
    warn_of_clock("It becomes the date of the statement: check it.")
    definition = load_product(settings.product)
    runners = trusted_keys(settings.runner)
    pieces = [read_evidence(path.read_bytes(), runners, path.name) for path in settings.evidence]
    store = existing_archive(settings.archive)
    faults = _faults(settings.registry, definition.batch)
    image = None if settings.image is None else settings.image.read_bytes()
    digest = None if image is None else signed_image(image, str(settings.image)).digest.hex()
    attached = [
        *_attached(settings.traceability, runners, definition, digest),
        *_attached_bill(settings.sbom, image),
    ]
    document = prepare(
        definition,
        pieces,
        store,
        today_utc(),
        batch_faults=faults,
        image_sha256=digest,
        attached=attached,
    )
    _require_consent(document, pieces, definition.batch, settings)
    key = _signatory_key(settings.key, is_json=settings.is_json)
    signatory = Signatory(settings.name, settings.function, key)
    found = issue(document, signatory, store, pieces, attached)
    lines = [
        f"Issued {found.id}, SHA-256 {found.sha256}. It is kept in {found.folder} until {found.retain_until}.",
        "Next: publish it with `firstboot site build` before units leave. Importers look for it there.",
    ]
    facts = {"id": found.id, "sha256": found.sha256, "folder": str(found.folder)}
    print_report(lines, facts | {"retain_until": str(found.retain_until)}, settings.is_json)


def _attached(
    folder: Path | None, runners: list[AnchorKey], product: Product, image_sha256: str | None
) -> list[Attached]:
    """Return the evidence folder as the statement names it. Raises EvidenceError, EvidenceRefusedError, OSError."""
    if folder is None:
        return []
    today = today_utc()
    found = verify_folder(folder, runners, today)
    if image_sha256 is None and product.image_sha256 is not None:
        image_sha256 = product.image_sha256.hex()
    problems = not_for(found, product, image_sha256, today)
    return [Attached("evidence-traceability.dsse.json", found.record, found.summary(), tuple(problems))]


def _attached_bill(path: Path | None, image: bytes | None) -> list[Attached]:
    """Return the bill of materials as the statement names it. Raises InputError without an image, OSError."""
    if path is None:
        return []
    if image is None:
        raise InputError("--sbom needs --image: the bill is compared with the firmware in the image.")
    return [attached_bill(path, image)]


def _require_consent(
    document: dict[str, Any], pieces: list[SignedEvidence], batch: str, settings: IssueSettings
) -> None:
    """Show the statement and ask the person to sign it: on standard error with --json. Raises StatementError."""
    shown = document | {"signatory": document["signatory"] | {"signature": "not signed yet"}}
    lines = [
        statement_text(shown),
        *(f"only partly shown: {one.id}: {one.detail}" for one in partly(each.evidence for each in pieces)),
        *open_points(),
    ]
    for line in lines:
        typer.echo(printable(line), err=settings.is_json)
    question = f"{settings.name}, {settings.function}: to sign, type the batch number"
    if typer.prompt(question, err=settings.is_json) != batch:
        raise StatementError(["the batch number was not typed; nothing was signed"])


def _signatory_key(key: str, *, is_json: bool) -> Signer:
    """Return the signatory's signer, opened by a person: no PIN or passphrase comes from the environment (SC-03)."""
    if not key.startswith(PKCS11_SCHEME):
        return open_key(Path(key), normal(typer.prompt("Passphrase", hide_input=True, err=is_json)))
    from provisioning.keys.pkcs11_signer import Pkcs11Signer

    pin = normal(str(typer.prompt("PIN of the token", hide_input=True, err=is_json)))
    signer = Pkcs11Signer(key, lambda: pin)
    if signer.algorithm != ALG_ESP256:
        raise StatementError(["the signatory's key is not a P-256 key"])
    return signer


def _faults(path: Path | None, batch: str) -> list[str]:
    with opened_if_given(path) as registry:
        return [] if registry is None else batch_faults(registry, batch)
