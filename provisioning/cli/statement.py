"""`firstboot statement`: issue and keep statements of compliance, check a unit by its serial number."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from device.codec.cose import ALG_ESP256
from provisioning.cli.commands import CommandGroup
from provisioning.cli.errors import RefusedError
from provisioning.cli.one_line import one_line
from provisioning.cli.options import ArchiveOption, FilesOption, JsonOption, RegistryOption
from provisioning.cli.output import print_json, print_line
from provisioning.cli.registry_access import opened
from provisioning.cli.release_sign import signer_from_file
from provisioning.cli.settings import RelativeText, with_settings
from provisioning.compliance import evidence as evidence_of
from provisioning.compliance.archive import Archive
from provisioning.compliance.check import Delivery, as_json, check_serial
from provisioning.compliance.evidence_run import make_evidence, this_checkout
from provisioning.compliance.faults import batch_faults
from provisioning.compliance.forms import statement_text
from provisioning.compliance.issue import Signatory, issue, open_key, prepare
from provisioning.compliance.signed_evidence import read_evidence
from provisioning.compliance.statement import OPEN_POINTS, StatementError
from provisioning.compliance.withdrawals import sign_list
from provisioning.keys.key_id import AnchorKey, key_id
from provisioning.keys.key_ring import ROLES
from provisioning.keys.public_keys import parse as parse_public
from provisioning.keys.signer import Signer
from provisioning.keys.signers import PKCS11_SCHEME, open_signer
from provisioning.product.product import load_product
from provisioning.registry.registry import Registry

HELP = """Issue and keep statements of compliance, and check a unit by its serial number.

The manufacturer makes the statement: a named person reads it and signs it with a key that only they can open. Firstboot
checks, prints and keeps statements. It never signs by itself, and it is not legal advice.

Example: `firstboot statement list --archive archive`
"""

app = CommandGroup(HELP)


def today_utc() -> dt.date:
    """Return the day in UTC: the same on every machine that checks a document."""
    return dt.datetime.now(dt.UTC).date()


def trusted_keys(paths: list[Path], role: str = "signatory") -> list[AnchorKey]:
    """Return a role's keys from public key files. Raises PublicKeyError, OSError."""
    found = []
    for path in paths:
        for key in parse_public(path.read_bytes()):
            found.append(AnchorKey(key.key_id or key_id(key.public), key.algorithm, ROLES[role], key.public))
    return found


def open_points() -> None:
    """Print what a lawyer should look at."""
    print_line("Open points for your lawyer (this is not legal advice):")
    for number, point in enumerate(OPEN_POINTS, 1):
        print_line(f"  {number}. {point}")


@app.command()
def evidence(
    image: Annotated[
        Path,
        typer.Option("--image", metavar="FILE", help="The signed image that the units of the batch run."),
    ],
    version: Annotated[
        str, typer.Option("--version", callback=one_line("version"), help="Version of that image.")
    ],
    key: Annotated[
        str, typer.Option("--key", metavar="KEY", help="The test runner's key: a PEM file or a pkcs11: URI.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File for the signed evidence.")],
    requirements: Annotated[
        Path | None,
        typer.Option(
            "--requirements",
            metavar="FILE",
            help="Table of requirements and tests. Default: docs/requirements.md.",
        ),
    ] = None,
    checkout: Annotated[
        Path, typer.Option("--checkout", metavar="DIR", help="The source tree that built the image.")
    ] = Path(),
    is_json: JsonOption = False,
) -> None:
    """Run the tests of the legal requirements on the firmware of an image, and sign what they show.

    The source tree must have no uncommitted changes, and must build the image's firmware byte for byte. Otherwise no
    test is run.

    Example: `firstboot statement evidence --image 12.img --version 1.2.0 --key runner.pem --out firmware.cose`
    """
    table = None if requirements is None else requirements.read_text(encoding="utf-8")
    tree = this_checkout(checkout.resolve())
    found = make_evidence(tree, image.read_bytes(), version, open_signer(key), today_utc(), table)
    out.write_bytes(found.record)
    checks = found.evidence.checks
    if is_json:
        print_json([{"id": one.id, "outcome": one.outcome, "detail": one.detail} for one in checks])
    else:
        for check in checks:
            print_line(f"{check.id}  {check.outcome:15}{check.detail}")
    problems = found.evidence.problems()
    if problems:
        raise RefusedError(
            [f"{len(problems)} checks have not passed: no statement can be issued on this evidence"]
        )


@dataclass(frozen=True, kw_only=True)
class IssueSettings:
    """What a statement is about, the evidence for it, and who signs it."""

    product: Annotated[Path, typer.Option("--product", metavar="FILE", help="The product definition (TOML).")]
    evidence: Annotated[
        list[Path],
        typer.Option(
            "--evidence", metavar="FILE", help="Firmware evidence and publication evidence. Give it twice."
        ),
    ]
    archive: Annotated[
        Path,
        typer.Option("--archive", metavar="DIR", help="Folder with the issued statements of compliance."),
    ]
    key: Annotated[
        str,
        typer.Option("--key", metavar="KEY", help="The signatory's encrypted key file, or a pkcs11: URI."),
        RelativeText(signer_from_file),
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
    registry: Annotated[
        Path | None,
        typer.Option("--registry", metavar="FILE", help="The station's registry, if the batch has started."),
    ] = None


@app.command("issue")
@with_settings(IssueSettings, "statement.issue")
def issue_command(settings: IssueSettings) -> None:
    """Issue the statement of compliance of a product type and batch: show it, then let the named person sign it.

    Example: `firstboot statement issue --product product.toml --evidence firmware.cose --evidence publication.cose
    --archive archive --key erika.pem --name "Erika Example" --function "Head of quality" --runner runner.pub`
    """
    definition = load_product(settings.product)
    runners = trusted_keys(settings.runner)
    pieces = [read_evidence(path.read_bytes(), runners, path.name) for path in settings.evidence]
    store = Archive(settings.archive)
    faults = _faults(settings.registry, definition.batch)
    image = settings.image
    digest = None if image is None else hashlib.sha256(image.read_bytes()).hexdigest()
    document = prepare(definition, pieces, store, today_utc(), batch_faults=faults, image_sha256=digest)
    shown = document | {"signatory": document["signatory"] | {"signature": "not signed yet"}}
    print_line(statement_text(shown))
    for check in evidence_of.partly(each.evidence for each in pieces):
        print_line(f"only partly shown: {check.id}: {check.detail}")
    open_points()
    typed = typer.prompt(f"{settings.name}, {settings.function}: to sign, type the batch number")
    if typed != definition.batch:
        raise StatementError(["the batch number was not typed; nothing was signed"])
    signatory = Signatory(settings.name, settings.function, _signatory_key(settings.key))
    found = issue(document, signatory, store, pieces)
    print_line(
        f"Issued {found.id}, SHA-256 {found.sha256}. It is kept in {found.folder} until {found.retain_until}."
    )
    print_line(
        "Next: publish it with `firstboot site build` before units leave. Importers look for it there."
    )


def _signatory_key(key: str) -> Signer:
    """Return the signatory's signer, opened by a person: no PIN or passphrase comes from the environment (SC-03)."""
    if not key.startswith(PKCS11_SCHEME):
        return open_key(Path(key), typer.prompt("Passphrase", hide_input=True))
    from provisioning.keys.pkcs11_signer import Pkcs11Signer

    pin = str(typer.prompt("PIN of the token", hide_input=True))
    signer = Pkcs11Signer(key, lambda: pin)
    if signer.algorithm != ALG_ESP256:
        raise StatementError(["the signatory's key is not a P-256 key"])
    return signer


@contextmanager
def opened_if_given(path: Path | None) -> Iterator[Registry | None]:
    """The registry in a file, or None without one. Raises RegistryError if the file does not exist."""
    if path is None:
        yield None
        return
    with opened(str(path), None) as registry:
        yield registry


def _faults(path: Path | None, batch: str) -> list[str]:
    with opened_if_given(path) as registry:
        return [] if registry is None else batch_faults(registry, batch)


@app.command()
def verify(
    serial: Annotated[str, typer.Argument(metavar="SERIAL", help="The serial number on the unit's label.")],
    site: Annotated[
        Path, typer.Option("--site", metavar="DIR", help="Copy of the manufacturer's published site.")
    ],
    packing: Annotated[
        Path,
        typer.Option("--packing", metavar="FILE", help="The packing list that came with the delivery."),
    ],
    trust: Annotated[
        list[Path],
        typer.Option(
            "--trust",
            metavar="FILE",
            help="Public key of the signatory. Compare it once with the manufacturer.",
        ),
    ],
    station: Annotated[
        list[Path],
        typer.Option(
            "--station",
            metavar="FILE",
            help="Public key of the station that shipped the unit. Compare it once with the manufacturer.",
        ),
    ],
    registry: Annotated[
        Path | None,
        typer.Option(
            "--registry",
            metavar="FILE",
            help="The maker's registry, instead of the site's list of withdrawn units.",
        ),
    ] = None,
    device_sha256: Annotated[
        str | None,
        typer.Option("--device-sha256", metavar="HEX", help="statement_sha256 of the unit's /public.json."),
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Check a unit by its serial number: packing line, statement, files, support period, contact, withdrawal.

    Example: `firstboot statement verify FB1-000001 --site site --packing packing.jsonl --trust erika.pub --station
    packing.station.pub`
    """
    with opened_if_given(registry) as known:
        delivery = Delivery(site, packing, trusted_keys(trust), today_utc(), trusted_keys(station), known)
        answers = check_serial(serial, delivery, device_sha256)
    if is_json:
        typer.echo(as_json(serial, answers))
    else:
        for answer in answers:
            print_line(f"{'ok ' if answer.is_yes else 'NO '} {answer.question}: {answer.sentence}")
    failed = sum(not answer.is_yes for answer in answers)
    if failed:
        raise RefusedError([f"{failed} of {len(answers)} checks failed"])


@app.command("sign-withdrawals")
def sign_withdrawals(registry: RegistryOption, archive: ArchiveOption, files: FilesOption = None) -> None:
    """Sign the list of units that were withdrawn or quarantined after they shipped, for importers and shops.

    Run it after every withdrawal and every week: `firstboot statement verify` refuses a list older than 30 days.

    Example: `firstboot statement sign-withdrawals --registry registry.db --archive archive`
    """
    with opened(registry, files) as known:
        path, count = sign_list(known, archive, today_utc())
    print_line(f"Wrote {path} with {count} units. Next: publish it with `firstboot site build`.")


@app.command("list")
def list_command(archive: ArchiveOption, is_json: JsonOption = False) -> None:
    """List the statements of an archive, and check that each is unchanged.

    Example: `firstboot statement list --archive archive`
    """
    store = Archive(archive)
    count = store.verify()
    found = store.statements()
    if is_json:
        facts = ("id", "model", "batch", "retain_until", "sha256")
        print_json([{name: str(getattr(each, name)) for name in facts} for each in found])
        return
    for each in found:
        print_line(
            f"{each.id}  {each.model}  batch {each.batch}  kept until {each.retain_until}  {each.sha256}"
        )
    print_line(f"{count} statements, all as they were issued")


@app.command()
def dispose(
    statement: Annotated[str, typer.Argument(metavar="ID", help="Id of the statement.")],
    archive: ArchiveOption,
) -> None:
    """Delete a statement whose retention has ended. Before that it is refused.

    Example: `firstboot statement dispose FB-1-B1-1 --archive archive`
    """
    Archive(archive).dispose(statement, today_utc())
    print_line(f"Deleted {statement}.")


app.moved("draw-key", "firstboot keys generate signatory")
