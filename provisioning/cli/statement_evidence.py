"""`firstboot statement evidence`: run the tests of the legal requirements and sign the results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.compliance_inputs import today_utc
from provisioning.cli.errors import RefusedError
from provisioning.cli.one_line import one_line
from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_report
from provisioning.compliance.evidence_run import make_evidence, this_checkout
from provisioning.keys.signers import open_signer


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
    document = [{"id": one.id, "outcome": one.outcome, "detail": one.detail} for one in checks]
    print_report([f"{one.id}  {one.outcome:15}{one.detail}" for one in checks], document, is_json)
    problems = found.evidence.problems()
    if problems:
        raise RefusedError(
            [f"{len(problems)} checks have not passed: no statement can be issued on this evidence"]
        )
