"""`firstboot report drill`: rehearse security reports in virtual time."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.errors import InputError, RefusedError
from provisioning.cli.openpgp import OpenPgpKeyOption, signing_of
from provisioning.cli.options import JsonOption, ProductOption
from provisioning.cli.output import print_report
from provisioning.disclosure import drill
from provisioning.disclosure.promise import DEFAULT_ZONE, Promise
from provisioning.product.product import load_product


def run_drill(
    product: ProductOption,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="A new folder for the store of the drill.")],
    zone: Annotated[
        str, typer.Option("--time-zone", metavar="ZONE", help="The maker's time zone.")
    ] = DEFAULT_ZONE,
    openpgp_key: OpenPgpKeyOption = None,
    is_json: JsonOption = False,
) -> None:
    """Rehearse 40 days of security reports with your published times. Ends with exit code 1 if a check fails.

    Three reporters write: one answers, one does not, one is anonymous. Mail goes over SMTP and IMAP on this machine.
    The advisories' pages and feeds are built and checked each day; the last ones stay in the folder. With your OpenPGP
    key the documents are signed, as `firstboot advisory build` does it.

    Example: `firstboot report drill --product product.toml --to drill`
    """
    definition = load_product(product)
    promise = Promise.of(definition.contact, definition.manufacturer.name, zone, ())
    if to.exists():
        raise InputError(f"--to: {to} exists already; name a new folder.")
    start_s = int(time.time())
    signing = signing_of(openpgp_key, [], start_s + drill.DAYS * 86400)
    to.mkdir(parents=True)
    found = drill.run(to, definition, promise, start_s, signing)
    print_report(found.lines, dataclasses.asdict(found), is_json)
    if found.problems:
        raise RefusedError(found.problems, "The drill failed:")
