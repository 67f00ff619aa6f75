"""`firstboot statement`: issue statements of compliance, keep them, check a unit by its serial number."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Final

import typer

from device.codec.cose import ALG_ESP256
from provisioning.cli.commands import CommandGroup
from provisioning.compliance import evidence as evidence_of
from provisioning.compliance.archive import Archive
from provisioning.compliance.check import Papers, as_json, check_serial
from provisioning.compliance.faults import batch_faults
from provisioning.compliance.forms import statement_text
from provisioning.compliance.issue import Signatory, issue, open_key, prepare
from provisioning.compliance.statement import OPEN_POINTS, StatementError
from provisioning.keys.key_id import AnchorKey, key_id
from provisioning.keys.key_ring import ROLES
from provisioning.keys.public_keys import parse as parse_public
from provisioning.keys.signer import Signer
from provisioning.keys.signers import PKCS11_SCHEME
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
    """The day in UTC: the same on every machine that looks at a paper."""
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
    junit: Annotated[Path, typer.Option(help="JUnit XML of the whole test run for this image.")],
    image_digest: Annotated[str, typer.Option(help="SHA-256 (hex) of the image the run was about.")],
    version: Annotated[str, typer.Option(help="Version of that image.")],
    out: Annotated[Path, typer.Option(help="Where the evidence goes (JSON).")],
    requirements: Annotated[Path, typer.Option(help="The table that names each requirement's tests.")] = Path(
        "docs/requirements.md"
    ),
) -> None:
    """Make firmware evidence from a test run: which legal requirements its tests show."""
    found = evidence_of.from_test_run(
        junit.read_bytes(),
        requirements.read_text(encoding="utf-8"),
        image_sha256=image_digest,
        version=version,
        made=today_utc(),
    )
    out.write_bytes(found.to_json())
    for check in found.checks:
        typer.echo(f"{check.id}  {check.outcome:15}{check.detail}")
    if found.problems():
        typer.echo(f"{len(found.problems())} checks have not passed: no statement can be issued on this")
        raise typer.Exit(FAILED)


@app.command("issue")
def issue_command(
    product: Annotated[Path, typer.Option(help="The product definition (TOML).")],
    evidence: Annotated[list[Path], typer.Option(help="Firmware and publication evidence; given twice.")],
    archive: ArchiveOption,
    key: Annotated[
        str, typer.Option(help="The signatory's encrypted key file, or pkcs11:... for one in a token.")
    ],
    name: Annotated[str, typer.Option(help="Name of the person who signs.")],
    function: Annotated[str, typer.Option(help="Their function in the manufacturer's company.")],
    registry: Annotated[
        Path | None, typer.Option(help="The station's registry, where the batch was begun already.")
    ] = None,
) -> None:
    """Issue the statement of compliance of a product type and batch: show it, then have the named person sign it."""
    definition = load_product(product)
    pieces = [evidence_of.load_evidence(path) for path in evidence]
    store = Archive(archive)
    faults = _faults(registry, definition.batch)
    document = prepare(definition, pieces, store, today_utc(), batch_faults=faults)
    shown = document | {"signatory": document["signatory"] | {"signature": "not signed yet"}}
    typer.echo(statement_text(shown))
    for check in evidence_of.partly(pieces):
        typer.echo(f"holds only partly: {check.id}: {check.detail}")
    typer.echo("Open points for your lawyer (this is no legal advice):")
    for number, point in enumerate(OPEN_POINTS, 1):
        typer.echo(f"  {number}. {point}")
    typed = typer.prompt(f"{name}, {function}: to sign, type the batch number")
    if typed != definition.batch:
        raise StatementError(["the batch number was not typed; nothing was signed"])
    signer = _signatory_key(key)
    found = issue(document, Signatory(name, function, signer), store)
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


def _faults(registry: Path | None, batch: str) -> list[str]:
    if registry is None:
        return []
    if not registry.is_file():
        raise ValueError(f"there is no registry {registry}")
    book = Registry(registry)
    try:
        return batch_faults(book, batch)
    finally:
        book.close()


@app.command()
def verify(
    serial: Annotated[str, typer.Argument(help="The serial number on the unit's label.")],
    site: Annotated[Path, typer.Option(help="A copy of the manufacturer's published site.")],
    packing: Annotated[Path, typer.Option(help="The packing list that came with the delivery.")],
    trust: Annotated[
        list[Path], typer.Option(help="Public key of the signatory, compared with the maker once.")
    ],
    device_sha256: Annotated[
        str | None, typer.Option(help="statement_sha256 of the unit's own /public.json, to compare.")
    ] = None,
    as_document: JsonOption = False,
) -> None:
    """Check a unit's papers from its serial number: statement, signature, batch, support period, contact."""
    papers = Papers(site, packing, trusted_keys(trust), today_utc())
    answers = check_serial(serial, papers, device_sha256)
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
