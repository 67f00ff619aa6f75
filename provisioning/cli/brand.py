"""`firstboot brand`: check the look and the languages of the owner's pages, and write the list of their texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from provisioning.brand import leaflet
from provisioning.brand.folder import FOLDER, Brand, brand_of, load
from provisioning.brand.languages import Language
from provisioning.brand.template import template
from provisioning.brand.texts import Text, texts
from provisioning.cli.commands import CommandGroup
from provisioning.cli.errors import InputError
from provisioning.cli.options import JsonOption, ProductOption
from provisioning.cli.output import print_report
from provisioning.file_system import replace_file
from provisioning.product.product import Product, load_product
from provisioning.product.record import day_of
from provisioning.station import label_words

HELP = """Check the look and the languages of the owner's pages, and write the list of their texts.

A brand is the folder `brand` beside a product definition. `firmware build --product` freezes it into the image.

Example: `firstboot brand check brand`
"""

app = CommandGroup(HELP)


@app.command("check")
def check_command(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="The brand folder, with brand.toml.", exists=True, file_okay=False
        ),
    ],
    missing: Annotated[
        bool, typer.Option("--missing", help="Also list the texts that each language leaves in English.")
    ] = False,
    is_json: JsonOption = False,
) -> None:
    """Check a brand folder as a build does, and print how complete each language is.

    For a text that a language lacks, the pages show the English one.

    Example: `firstboot brand check brand --missing`
    """
    found, known = load(folder), texts()
    label_words.words_in(folder, found)
    rows = [_row(language, known) for language in found.languages]
    lines = [f"{folder}: colours and logo are in order. The pages have {len(known)} texts in English."]
    for row in rows:
        lines.append(f"{row['code']:10}{row['name']}: {row['translated']} of {len(known)} texts")
        if row["others"]:
            lines.append(
                f"{'':10}{len(row['others'])} texts that no page has: an application's, or out of date"
            )
        if missing:
            lines += [f"{'':10}missing: {text}" for text in row["missing"]]
    lines.append(f"The label is in the language {found.label_language}.")
    print_report(
        lines, {"texts": len(known), "languages": rows, "label_language": found.label_language}, is_json
    )


def _row(language: Language, known: dict[str, Text]) -> dict[str, Any]:
    absent = language.missing(known)
    return {
        "code": language.code,
        "name": language.name,
        "direction": "rtl" if language.is_right_to_left else "ltr",
        "translated": len(known) - len(absent),
        "missing": absent,
        "others": language.others(known),
    }


@app.command("texts")
def texts_command(
    to: Annotated[
        Path,
        typer.Option("--to", metavar="FILE", help="Write the template (POT) to this file.", dir_okay=False),
    ],
    of_leaflet: Annotated[
        bool, typer.Option("--leaflet", help="The texts of the leaflet in the box, not those of the pages.")
    ] = False,
    of_label: Annotated[bool, typer.Option("--label", help="The texts of the label.")] = False,
    is_json: JsonOption = False,
) -> None:
    """Write every text of the pages as a gettext template, from which `msginit` or an editor begins a catalogue.

    Example: `firstboot brand texts --to owner.pot`
    """
    if of_leaflet and of_label:
        raise InputError("Give --leaflet or --label, not both.")
    known = leaflet.texts() if of_leaflet else label_words.texts() if of_label else texts()
    replace_file(to, template(known).encode())
    print_report([f"{to}: {len(known)} texts"], {"file": str(to), "texts": len(known)}, is_json)


@app.command("leaflet")
def leaflet_command(
    product: ProductOption,
    to: Annotated[
        Path,
        typer.Option("--to", metavar="FILE", help="Write the leaflet (HTML) to this file.", dir_okay=False),
    ],
    is_json: JsonOption = False,
) -> None:
    """Write the leaflet that goes into each box: from the label to a working device, in every language of the brand.

    It is the same for every unit. Open it in a browser and print it on A5, or give it to your printer.

    Example: `firstboot brand leaflet --product product.toml --to leaflet.html`
    """
    found = brand_of(product) or Brand()
    folder = product.absolute().parent / FOLDER
    facts = _facts(load_product(product))
    pages = leaflet.pages(facts, found.languages, folder)
    replace_file(to, leaflet.html(facts, pages, found.colours).encode())
    codes = [page.code for page in pages]
    lines = [f"{to}: {', '.join(codes)}"]
    absent = {language.code: leaflet.missing(folder, language) for language in found.languages}
    lines += [f"{code}: {len(left)} texts are in English" for code, left in absent.items() if left]
    print_report(lines, {"file": str(to), "languages": codes, "missing": absent}, is_json)


def _facts(product: Product) -> leaflet.Facts:
    contact = product.contact
    return leaflet.Facts(
        product.brand,
        product.model,
        day_of(product.support.end_date),
        contact.report,
        contact.acknowledgement,
        contact.status_updates,
        product.has_access_point,
    )
