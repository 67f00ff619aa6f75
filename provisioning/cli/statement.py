"""`firstboot statement`: issue statements of compliance, keep them, check a unit by its serial number."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from device.codec.cose import ALG_ESP256
from provisioning.cli.commands import CommandGroup
from provisioning.compliance import evidence as evidence_of
from provisioning.compliance.archive import Archive
from provisioning.compliance.check import Delivery, as_json, check_serial
from provisioning.compliance.evidence_run import make_evidence, this_checkout
from provisioning.compliance.faults import batch_faults
from provisioning.compliance.forms import statement_text
from provisioning.compliance.issue import Signatory, issue, open_key, prepare
from provisioning.compliance.signed_evidence import read_evidence
from provisioning.compliance.statement import OPEN_POINTS, StatementError
from provisioning.keys.key_id import AnchorKey, key_id
from provisioning.keys.key_ring import ROLES
from provisioning.keys.public_keys import parse as parse_public
from provisioning.keys.signer import Signer
from provisioning.keys.signers import PKCS11_SCHEME, open_signer
from provisioning.product.product import load_product
from provisioning.registry.registry import Registry

FAILED: Final = 1
WRONG_INPUT: Final = 2

HELP = """Issue statements of compliance, keep them, check a unit by its serial number.

A statement is made by the manufacturer: a named person reads it and signs with a key that only they can open. This
program checks, prints and keeps; it never signs by itself. It is no legal advice.

Exit codes: 0 done; 1 refused, or the check says no (each reason in one sentence); 2 the input cannot be used.
"""

app = CommandGroup(HELP)

ArchiveOption = Annotated[
    Path, typer.Option("--archive", help="Folder with the statements that were issued.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document to standard output.")]


def today_utc() -> dt.date:
    """The day in UTC: the same on every machine."""
    return dt.datetime.now(dt.UTC).date()


def trusted_keys(paths: list[Path], role: str = "signatory") -> list[AnchorKey]:
    """A role's keys from public key files. Raises PublicKeyError, OSError."""
    found = []
    for path in paths:
        for key in parse_public(path.read_bytes()):
            found.append(AnchorKey(key.key_id or key_id(key.public), key.algorithm, ROLES[role], key.public))
    return found


@app.command()
def evidence(
    image: Annotated[Path, typer.Option(help="The signed image that the units of the batch run.")],
    version: Annotated[str, typer.Option(help="Version of that image.")],
    key: Annotated[str, typer.Option(help="The test runner's key: a PEM file or a pkcs11: URI.")],
    out: Annotated[Path, typer.Option(help="File for the signed evidence.")],
    requirements: Annotated[
        Path | None, typer.Option(help="Another table of requirements and tests than docs/requirements.md.")
    ] = None,
    checkout: Annotated[Path, typer.Option(help="The source tree that built the image.")] = Path(),
) -> None:
    """Run the tests of the legal requirements on the firmware of an image and sign what they show.

    The source tree has no uncommitted changes and builds the image's firmware byte for byte; otherwise nothing runs.
    """
    table = None if requirements is None else requirements.read_text(encoding="utf-8")
    tree = this_checkout(checkout.resolve())
    found = make_evidence(tree, image.read_bytes(), version, open_signer(key), today_utc(), table)
    out.write_bytes(found.record)
    for check in found.evidence.checks:
        typer.echo(f"{check.id}  {check.outcome:15}{check.detail}")
    if found.evidence.problems():
        typer.echo(
            f"{len(found.evidence.problems())} checks have not passed: no statement can be issued on this"
        )
        raise typer.Exit(FAILED)


@app.command("issue")
def issue_command(  # noqa: PLR0913, PLR0917 - one parameter for each option
    product: Annotated[Path, typer.Option(help="The product definition (TOML).")],
    evidence: Annotated[list[Path], typer.Option(help="Firmware and publication evidence; given twice.")],
    archive: ArchiveOption,
    key: Annotated[
        str, typer.Option(help="The signatory's encrypted key file, or pkcs11:... for one in a token.")
    ],
    name: Annotated[str, typer.Option(help="Name of the person who signs.")],
    function: Annotated[str, typer.Option(help="Their function in the manufacturer's company.")],
    runner: Annotated[list[Path], typer.Option(help="Public key of a test runner whose evidence you trust.")],
    image: Annotated[
        Path | None,
        typer.Option(help="The image that the batch runs, if [firmware] image_sha256 does not name it."),
    ] = None,
    registry: Annotated[
        Path | None, typer.Option(help="The station's registry, if the batch has begun already.")
    ] = None,
) -> None:
    """Issue the statement of compliance of a product type and batch: show it, then have the named person sign it."""
    definition = load_product(product)
    runners = trusted_keys(runner)
    pieces = [read_evidence(path.read_bytes(), runners, path.name) for path in evidence]
    digest = None if image is None else hashlib.sha256(image.read_bytes()).hexdigest()
    store = Archive(archive)
    faults = _faults(registry, definition.batch)
    document = prepare(definition, pieces, store, today_utc(), batch_faults=faults, image_sha256=digest)
    shown = document | {"signatory": document["signatory"] | {"signature": "not signed yet"}}
    typer.echo(statement_text(shown))
    for check in evidence_of.partly(each.evidence for each in pieces):
        typer.echo(f"only partly shown: {check.id}: {check.detail}")
    typer.echo("Open points for your lawyer (this is no legal advice):")
    for number, point in enumerate(OPEN_POINTS, 1):
        typer.echo(f"  {number}. {point}")
    typed = typer.prompt(f"{name}, {function}: to sign, type the batch number")
    if typed != definition.batch:
        raise StatementError(["the batch number was not typed; nothing was signed"])
    signer = _signatory_key(key)
    found = issue(document, Signatory(name, function, signer), store, pieces)
    typer.echo(
        f"issued {found.id}, SHA-256 {found.sha256}; kept in {found.folder} until {found.retain_until}"
    )
    typer.echo("importers look for it on your site: publish it with firstboot site build, before units leave")


def _signatory_key(key: str) -> Signer:
    """The signatory's signer, opened by a person: neither PIN nor passphrase is taken from the environment (SC-03)."""
    if not key.startswith(PKCS11_SCHEME):
        return open_key(Path(key), typer.prompt("Passphrase", hide_input=True))
    from provisioning.keys.pkcs11_signer import Pkcs11Signer

    pin = str(typer.prompt("PIN of the token", hide_input=True))
    signer = Pkcs11Signer(key, lambda: pin)
    if signer.algorithm != ALG_ESP256:
        raise StatementError(["the signatory's key is not a P-256 key"])
    return signer


@contextmanager
def opened(path: Path | None) -> Iterator[Registry | None]:
    """The registry in a file, or None without one. Raises ValueError if the file does not exist."""
    if path is None:
        yield None
        return
    if not path.is_file():
        raise ValueError(f"there is no registry {path}")
    registry = Registry(path)
    try:
        yield registry
    finally:
        registry.close()


def _faults(path: Path | None, batch: str) -> list[str]:
    with opened(path) as registry:
        return [] if registry is None else batch_faults(registry, batch)


@app.command()
def verify(
    serial: Annotated[str, typer.Argument(help="The serial number on the unit's label.")],
    site: Annotated[Path, typer.Option(help="A copy of the manufacturer's published site.")],
    packing: Annotated[Path, typer.Option(help="The packing list that came with the delivery.")],
    trust: Annotated[
        list[Path], typer.Option(help="Public key of the signatory, compared with the maker once.")
    ],
    station: Annotated[
        list[Path],
        typer.Option(help="Public key of the station that shipped the unit, compared with the maker once."),
    ],
    registry: Annotated[
        Path | None, typer.Option(help="The maker's registry: was the unit withdrawn after it was shipped?")
    ] = None,
    device_sha256: Annotated[
        str | None, typer.Option(help="statement_sha256 of the unit's own /public.json, to compare.")
    ] = None,
    as_document: JsonOption = False,
) -> None:
    """Check a unit by its serial number: packing line, statement, signatures, files, support period, contact."""
    with opened(registry) as known:
        delivery = Delivery(site, packing, trusted_keys(trust), today_utc(), trusted_keys(station), known)
        answers = check_serial(serial, delivery, device_sha256)
    if as_document:
        typer.echo(as_json(serial, answers))
    else:
        for answer in answers:
            typer.echo(f"{'ok ' if answer.is_yes else 'NO '} {answer.question}: {answer.sentence}")
    if not all(answer.is_yes for answer in answers):
        raise typer.Exit(FAILED)


@app.command("list")
def list_command(archive: ArchiveOption) -> None:
    """List the statements of an archive and read all of them back."""
    store = Archive(archive)
    count = store.verify()
    for each in store.statements():
        typer.echo(
            f"{each.id}  {each.model}  batch {each.batch}  kept until {each.retain_until}  {each.sha256}"
        )
    typer.echo(f"{count} statements, all as they were issued")


@app.command()
def dispose(
    statement: Annotated[str, typer.Argument(help="Id of the statement.")], archive: ArchiveOption
) -> None:
    """Delete a statement whose retention has ended; refused before that."""
    Archive(archive).dispose(statement, today_utc())
    typer.echo(f"disposed of {statement}")


app.moved("draw-key", "firstboot keys generate signatory")
