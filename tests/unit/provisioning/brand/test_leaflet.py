"""The leaflet in the box: the same for every unit, complete in each shipped language, and it leads to the reset."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from provisioning.brand import leaflet
from provisioning.brand.errors import BrandError
from provisioning.brand.folder import load
from provisioning.brand.languages import SHIPPED, file_of
from provisioning.cli.brand import app

ROOT = Path(__file__).parents[4]
PRODUCT = ROOT / "examples" / "product" / "product.toml"
BRAND = PRODUCT.parent / "brand"
FACTS = leaflet.Facts(
    "Example Brand",
    "TS-1",
    22_644,  # 31 December 2031
    "mailto:security@example.com",
    "within 3 working days",
    "every 14 days until resolved",
    True,
)
LANGUAGES = load(BRAND).languages


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.code)
def test_a_shipped_leaflet_is_complete(language: object) -> None:
    assert leaflet.missing(None, language) == []  # type: ignore[arg-type]


def test_every_shipped_language_has_a_leaflet() -> None:
    for folder in (path for path in SHIPPED.iterdir() if path.is_dir()):
        assert file_of(SHIPPED, folder.name, leaflet.DOMAIN).is_file(), folder.name


@pytest.mark.parametrize("has_radio", [True, False])
def test_the_warning_of_the_browser_comes_before_the_code(has_radio: bool) -> None:
    for page in leaflet.pages(FACTS._replace(has_access_point=has_radio), LANGUAGES, None):
        warned = next(number for number, step in enumerate(page.steps) if len(step) == 3)
        assert "SHA-256" in page.steps[warned][1] and "15" in page.steps[warned + 1][0]


def test_a_product_without_a_radio_has_no_step_about_wi_fi() -> None:
    for page in leaflet.pages(FACTS._replace(has_access_point=False), LANGUAGES, None):
        assert "Wi-Fi" not in repr(page)
    assert all("Wi-Fi" in repr(page) for page in leaflet.pages(FACTS, LANGUAGES, None))


@pytest.mark.parametrize("has_radio", [True, False])
def test_a_browsers_own_error_page_is_answered_with_the_form_once_more(has_radio: bool) -> None:
    for page in leaflet.pages(FACTS._replace(has_access_point=has_radio), LANGUAGES, None):
        typed = next(step for step in page.steps if "15" in step[0])
        assert len(typed) == 2
        if page.code == "en":
            assert "load the page again" in typed[1] and "send the form again, agree" in typed[1]


def test_a_lost_password_and_a_sale_lead_to_the_reset() -> None:
    english = leaflet.pages(FACTS, (), None)[0]
    assert "for five seconds while you connect it to power" in english.changes[0]
    assert "sell or give away" in english.changes[1] and "reset it" in english.changes[1]


def test_what_the_law_wants_in_english_is_on_the_page_of_every_language() -> None:
    found = leaflet.html(FACTS, leaflet.pages(FACTS, LANGUAGES, None), {})
    articles = re.findall(r'<article lang="(\w+)".*?</article>', found, re.S)
    texts = re.findall(r"<article.*?</article>", found, re.S)
    assert articles == ["en", "ar", "fr"]
    for text in texts:
        assert "We will provide security updates for TS-1 until 31 December 2031." in text
        assert "security@example.com" in text and "We confirm your report within 3 working days." in text
    assert '<article lang="ar" dir="rtl">' in found and "31 ديسمبر 2031" in found


def test_a_leaflet_loads_nothing_and_escapes_its_values() -> None:
    hostile = FACTS._replace(model="<script>x</script>", brand="A&B")
    found = leaflet.html(hostile, leaflet.pages(hostile, LANGUAGES, None), {})
    assert "<script" not in found and "A&amp;B" in found
    assert not re.search(r"(src|href)=|url\(|@import", found)


def test_a_makers_text_comes_before_the_shipped_one_and_is_checked(tmp_path: Path) -> None:
    brand = Path(shutil.copytree(BRAND, tmp_path / "brand"))
    own = file_of(brand / "locale", "fr", leaflet.DOMAIN)
    head = 'msgid ""\nmsgstr "Plural-Forms: nplurals=2; plural=(n > 1);\\n"\n\n'
    own.write_text(head + f'msgid "{leaflet.POWER}"\nmsgstr "Mettez la pile."\n')
    french = leaflet.pages(FACTS, load(brand).languages, brand)[-1]
    assert french.steps[0] == ("Mettez la pile.",) and french.title == "Configurer votre appareil"
    own.write_text(head + f'msgid "{leaflet.POWER}"\nmsgstr "<b>Mettez</b>"\n')
    with pytest.raises(BrandError, match="markup"):
        leaflet.pages(FACTS, load(brand).languages, brand)


def test_the_command_writes_the_leaflet_of_a_product_with_its_colours(tmp_path: Path) -> None:
    to = tmp_path / "leaflet.html"
    result = CliRunner().invoke(app, ["leaflet", "--product", str(PRODUCT), "--to", str(to)])
    assert result.exit_code == 0 and "en, ar, fr" in result.output and "in English" not in result.output
    assert "#1f6b45" in to.read_text(encoding="utf-8")


def test_a_language_without_a_leaflet_is_named(tmp_path: Path) -> None:
    product = Path(shutil.copytree(PRODUCT.parent, tmp_path / "product")) / "product.toml"
    brand = product.parent / "brand"
    (brand / "brand.toml").write_text('[languages]\ncy = "Cymraeg"\n')
    own = file_of(brand / "locale", "cy")
    own.parent.mkdir(parents=True)
    own.write_text(
        'msgid ""\nmsgstr "Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\nmsgid "Save"\nmsgstr "Cadw"\n'
    )
    to = tmp_path / "leaflet.html"
    result = CliRunner().invoke(app, ["leaflet", "--product", str(product), "--to", str(to)])
    assert result.exit_code == 0 and f"cy: {len(leaflet.ALL)} texts are in English" in result.output
