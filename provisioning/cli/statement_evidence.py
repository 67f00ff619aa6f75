"""`firstboot statement evidence`: run the tests of the legal requirements and sign the results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.compliance_inputs import today_utc
from provisioning.cli.errors import InputError, RefusedError
from provisioning.cli.one_line import one_line
from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_report
from provisioning.cli.signing_time import warn_of_clock
from provisioning.compliance.evidence import Evidence
from provisioning.compliance.evidence_run import TABLE, make_evidence, signed_image, this_checkout
from provisioning.file_system import replace_file
from provisioning.keys.signers import open_signer

VersionOption = Annotated[
    str | None,
    typer.Option(
        "--version",
        callback=one_line("version"),
        help="Expected version. An image of another version is refused before any test runs.",
    ),
]


def evidence(
    image: Annotated[
        Path,
        typer.Option("--image", metavar="FILE", help="The signed image that the units of the batch run."),
    ],
    key: Annotated[
        str, typer.Option("--key", metavar="KEY", help="The test runner's key: a PEM file or a pkcs11: URI.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File for the signed evidence.")],
    version: VersionOption = None,
    requirements: Annotated[
        str,
        typer.Option(
            "--requirements",
            metavar="PATH",
            help="Table of requirements and tests, in the source tree's commit.",
        ),
    ] = TABLE,
    checkout: Annotated[
        Path, typer.Option("--checkout", metavar="DIR", help="The source tree that built the image.")
    ] = Path(),
    is_json: JsonOption = False,
) -> None:
    """Run the tests of the legal requirements on the firmware of an image, and sign what they show.

    The source tree must have no uncommitted changes, and must build the image's firmware byte for byte. Otherwise no
    test is run.

    Example: `firstboot statement evidence --image 12.img --key runner.pem --out firmware.cose`
    """
    warn_of_clock("It becomes the date of the evidence: check it.")
    data = _image(image, version)
    tree = this_checkout(checkout.resolve())
    found = make_evidence(tree, data, open_signer(key), today_utc(), requirements)
    replace_file(out, found.record)
    _report(found.evidence, is_json)


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
