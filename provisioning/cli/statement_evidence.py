"""`firstboot statement evidence`: run the tests of the legal requirements and sign the results."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.addresses import signer_place
from provisioning.cli.compliance_inputs import today_utc
from provisioning.cli.errors import InputError, RefusedError
from provisioning.cli.one_line import one_line
from provisioning.cli.options import JsonOption, PackagesOption
from provisioning.cli.output import print_report
from provisioning.cli.settings import with_settings
from provisioning.cli.settings_fields import RelativeText
from provisioning.cli.signing_time import warn_of_clock
from provisioning.compliance.evidence import Evidence
from provisioning.compliance.evidence_run import (
    TABLE,
    Software,
    make_evidence,
    signed_image,
    this_checkout,
)
from provisioning.compliance.installed_software import PACKAGE_BYTES
from provisioning.file_system import replace_file
from provisioning.keys.signers import open_signer
from provisioning.product.product import load_product


@dataclass(frozen=True, kw_only=True)
class EvidenceSettings:
    """The options of `statement evidence`: the image, the source tree, the runner's key, and what users install."""

    image: Annotated[
        Path,
        typer.Option("--image", metavar="FILE", help="The signed image that the units of the batch run."),
    ]
    key: Annotated[
        str,
        typer.Option("--key", metavar="KEY", help="The test runner's key: a PEM file or a pkcs11: URI."),
        RelativeText(signer_place),
    ]
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File for the signed evidence.")]
    version: Annotated[
        str | None,
        typer.Option(
            "--version",
            callback=one_line("version"),
            help="Expected version. An image of another version is refused before any test runs.",
        ),
    ] = None
    product: Annotated[
        Path | None,
        typer.Option(
            "--product",
            metavar="FILE",
            help="The product definition. Needed if it lists software that the user must install.",
        ),
    ] = None
    package: PackagesOption = field(default_factory=list)
    requirements: Annotated[
        str,
        typer.Option(
            "--requirements",
            metavar="PATH",
            help="Table of requirements and tests, in the source tree's commit.",
        ),
    ] = TABLE
    checkout: Annotated[
        Path, typer.Option("--checkout", metavar="DIR", help="The source tree that built the image.")
    ] = Path()
    is_json: JsonOption = False


@with_settings(EvidenceSettings, "statement.evidence")
def evidence(settings: EvidenceSettings) -> None:
    """Run the tests of the legal requirements on the firmware of an image, and sign what they show.

    The source tree must have no uncommitted changes, and must build the image's firmware byte for byte. Otherwise no
    test is run. Software that the user must install is searched for passwords before any test runs.

    Example: `firstboot statement evidence --image 12.img --key runner.pem --out firmware.cose`
    """
    warn_of_clock("It becomes the date of the evidence: check it.")
    data = _image(settings.image, settings.version)
    software = software_of(settings.product, settings.package)
    tree = this_checkout(settings.checkout.resolve())
    key = open_signer(settings.key)
    found = make_evidence(tree, data, key, today_utc(), settings.requirements, software)
    replace_file(settings.out, found.record)
    _report(found.evidence, settings.is_json)


def software_of(product: Path | None, packages: list[str]) -> Software:
    """Return what the user must install. Raises InputError for words that are not NAME=FILE, ProductError, OSError."""
    found: dict[str, bytes] = {}
    for words in packages:
        name, is_there, path = words.partition("=")
        if not (name and is_there and path):
            raise InputError(f"--package {words}: it must be NAME=FILE.")
        if name in found:
            raise InputError(f"--package names {name} twice.")
        if product is None:
            raise InputError("--package needs --product, which lists what the user must install.")
        if Path(path).stat().st_size > PACKAGE_BYTES:
            raise InputError(f"{path} has more than {PACKAGE_BYTES} bytes.")
        found[name] = Path(path).read_bytes()
    return Software(None if product is None else load_product(product), found)


def _image(path: Path, version: str | None) -> bytes:
    """Return a signed image. Raises InputError if it has another version than `version`, OSError."""
    data = path.read_bytes()
    contained = signed_image(data, str(path)).version_text
    if version not in (None, contained):
        raise InputError(f"{path} has version {contained}, not {version}.")
    return data


def _report(evidence: Evidence, is_json: bool) -> None:
    """Print the checks. Raises RefusedError if one has not passed."""
    checks = evidence.checks
    document = [{"id": one.id, "outcome": one.outcome, "detail": one.detail} for one in checks]
    print_report([f"{one.id}  {one.outcome:15}{one.detail}" for one in checks], document, is_json)
    problems = evidence.problems()
    if problems:
        raise RefusedError(
            [f"{len(problems)} checks have not passed: no statement can be issued on this evidence"]
        )
