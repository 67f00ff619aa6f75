"""`firstboot advisory`: tell the public about a security issue, for people and for programs (CSAF 2.0, VEX)."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.commands import CommandGroup
from provisioning.cli.errors import InputError
from provisioning.cli.one_line import one_line
from provisioning.cli.openpgp import OpenPgpKeyOption, signing_of
from provisioning.cli.options import ByOption, FilesOption, JsonOption, ProductOption, ReasonOption
from provisioning.cli.output import print_line, print_report
from provisioning.cli.report_access import CaseArgument, CasesOption, SeenOption, opened, text_from
from provisioning.cli.report_decide import seen_version
from provisioning.cli.settings import with_settings
from provisioning.cli.site import BaseOption
from provisioning.counted import counted
from provisioning.csaf_names import FOLDER
from provisioning.disclosure import csaf, csaf_draft, desk, provider
from provisioning.disclosure.advisory import LONGEST, Advisory, Justification, Text, advisory_of, public
from provisioning.disclosure.advisory import write as write_text
from provisioning.disclosure.csaf import Publisher
from provisioning.disclosure.desk import Decision
from provisioning.file_system import replace_file
from provisioning.product.product import Product, load_product
from provisioning.product.public_texts import is_site_address

HELP = """Tell the public about a security issue, for people and for programs (CSAF 2.0, VEX).

`write` records the text in the case, `show` prints the draft, and `build` makes pages, feed and CSAF documents of every
case whose embargo has ended (`firstboot report publish`, or `firstboot report embargo --lift`). Give the built folder
to `firstboot site build --advisories`.

Example: `firstboot advisory show SR-2026-0001 --cases reports.db --product product.toml --base-url https://example.com/`
"""

app = CommandGroup(HELP)


class Version(StrEnum):
    """The versions of CSAF that a document can have."""

    CURRENT = csaf.VERSION
    DRAFT = csaf_draft.VERSION


@dataclasses.dataclass(frozen=True)
class WriteSettings:
    """The options of `firstboot advisory write`."""

    case: CaseArgument
    cases: CasesOption
    by: ByOption
    reason: ReasonOption
    description: Annotated[
        str, typer.Option("--description", metavar="FILE", help="What the problem is: a text file, or -.")
    ]
    action: Annotated[
        str,
        typer.Option(
            "--action", metavar="FILE", help="What an owner of the product does: a text file, or -."
        ),
    ]
    cve: Annotated[
        str | None,
        typer.Option(
            "--cve", metavar="CVE", callback=one_line("version"), help="Its CVE number, if it has one."
        ),
    ] = None
    not_affected: Annotated[
        Justification | None,
        typer.Option("--not-affected", help="The product is not affected, and why: makes a VEX document."),
    ] = None
    seen: SeenOption = None
    files: FilesOption = None
    is_json: JsonOption = False


@app.command("write")
@with_settings(WriteSettings, "advisory.write")
def write(settings: WriteSettings) -> None:
    """Record the text for the public in a triaged case; --reason names the change. Nothing is published by it.

    A later text replaces the earlier one. If the case is public, it becomes the next revision of the advisory.

    Example: `firstboot advisory write SR-2026-0001 --cases reports.db --by "E. E." --reason "first text" --description
    what.txt --action action.txt --cve CVE-2026-12345`
    """
    if settings.description == settings.action:
        raise InputError("--description and --action are two texts.")
    text = Text(
        text_from(settings.description, LONGEST),
        text_from(settings.action, LONGEST),
        settings.cve or "",
        settings.not_affected.value if settings.not_affected else "",
    )
    with opened(settings.cases, settings.files) as store:
        version = seen_version(store, settings.case, settings.seen)
        found = write_text(store, settings.case, text, Decision(settings.by, version, reason=settings.reason))
    _report(found, settings.is_json)


def _report(found: Advisory, is_json: bool) -> None:
    newest = found.revisions[-1].number if found.revisions else 0
    document = {
        "case": found.case.code,
        "version": found.case.version,
        "advisory": found.id,
        "revision": newest,
        "is_public": bool(found.revisions),
    }
    state = f"public, revision {newest}" if newest else "a draft: the case is under embargo"
    print_report([f"advisory {found.id} is {state}"], document, is_json)


@app.command("show")
def show(
    case: CaseArgument,
    cases: CasesOption,
    product: ProductOption,
    base_url: BaseOption,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Write the document to this file instead.")
    ] = None,
    version: Annotated[
        Version, typer.Option("--csaf", help="The version of CSAF. 2.1 is a draft of OASIS.")
    ] = Version.CURRENT,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Print the CSAF document of a case as it is now. Under embargo it is a draft, marked TLP:RED.

    Example: `firstboot advisory show SR-2026-0001 --cases reports.db --product product.toml --base-url
    https://example.com/`
    """
    definition = load_product(product)
    publisher = _publisher(definition, base_url)
    with opened(cases, files) as store:
        found = advisory_of(desk.load(store, case))
    written = csaf.written if version is Version.CURRENT else csaf_draft.written
    data = written(found, definition, publisher, f"{base_url}{FOLDER}/")
    if to is None:
        print_line(data.decode().rstrip("\n"))
        return
    replace_file(to, data)
    document = {"advisory": found.id, "file": str(to), "is_public": bool(found.revisions)}
    print_report([f"wrote {found.id} to {to}"], document, is_json)


@app.command("build")
def build(
    cases: CasesOption,
    product: ProductOption,
    base_url: BaseOption,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the files. Replaced as a whole.")
    ],
    openpgp_key: OpenPgpKeyOption = None,
    openpgp_earlier: Annotated[
        list[Path] | None,
        typer.Option(
            "--openpgp-earlier",
            metavar="FILE",
            help="An earlier public key that stays listed. Those in the folder stay without it.",
        ),
    ] = None,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Make pages, feed (RSS) and CSAF documents of every public advisory. A case under embargo is in none of them.

    An advisory that was published before stays: if the store does not have it, the build is refused. With an OpenPGP
    key you are a trusted provider of CSAF. Its passphrase comes from FIRSTBOOT_OPENPGP_PASSPHRASE, the file that
    FIRSTBOOT_OPENPGP_PASSPHRASE_FILE names, or the terminal.

    Example: `firstboot advisory build --cases reports.db --product product.toml --base-url https://example.com/ --out
    public`
    """
    definition = load_product(product)
    publisher = _publisher(definition, base_url)
    with opened(cases, files) as store:
        found, now_s = desk.load_all(store), store.now()
    signing = signing_of(openpgp_key, openpgp_earlier or [], now_s)
    advisories = public(found.values())
    drafts = sum(bool(each.advisories) for each in found.values()) - len(advisories)
    count = provider.build(provider.Site(advisories, definition, publisher, now_s, signing), out)
    key = "" if signing is None else signing.signer.public.fingerprint
    lines = [
        f"wrote {counted(len(advisories), 'advisory', 'advisories')} in {counted(count, 'file')} to {out};"
        f" {counted(drafts, 'draft')} left out",
        f"Signed with the OpenPGP key {key}."
        if key
        else "The documents have no OpenPGP signature: a program checks their SHA-512 and the site's certificate.",
    ]
    document = {"folder": str(out), "advisories": [one.id for one in advisories], "drafts": drafts}
    print_report(lines, {**document, "openpgp_key": key}, is_json)


def _publisher(product: Product, base_url: str) -> Publisher:
    if not is_site_address(base_url):
        raise InputError("--base-url must be an https address that ends with /.")
    return Publisher(product.manufacturer.name, base_url, product.contact.report)
