"""The words of a label: in one language of the brand, complete, short enough, in characters that print."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageDraw

from provisioning.brand.errors import BrandError
from provisioning.brand.folder import load
from provisioning.brand.languages import SHIPPED, catalogue_of
from provisioning.product.label_template import STANDARD
from provisioning.product.lettering import face
from provisioning.station.label_drawing import Line, _invitation, _Writer
from provisioning.station.label_words import (
    CODE,
    DOMAIN,
    MOST,
    NETWORK,
    WARNED,
    Words,
    texts,
    words_in,
    words_of,
)
from provisioning.station.labels import print_label, read_back
from tests.unit.provisioning.station.label_sample import SAMPLE

PRODUCT = Path(__file__).parents[4] / "examples" / "product" / "product.toml"
NAMES = 'fr = "Fran\u00e7ais"\nar = "\u0627\u0644\u0639\u0631\u0628\u064a\u0629"\n'
HEAD = 'msgid ""\nmsgstr "Plural-Forms: nplurals=2; plural=(n > 1);\\n"\n'
FRENCH = {
    text: str(found)
    for text, found in catalogue_of(None, "fr", DOMAIN, texts()).entries.items()  # type: ignore[union-attr]
}
LABEL = dataclasses.replace(SAMPLE, network="fb-3f9a2c71", passphrase="2345-bbbb-cccc-dddd")
# Letters that every font has, written from the right: the order of the pieces is the subject, not their shape.
FROM_THE_RIGHT = Words({NETWORK: "Wi-Fi {0} key {1}", WARNED: "Open {} now"}, True)


def brand(folder: Path, label: str, catalogue: str = "") -> Path:
    """Return a brand folder with `[label]`, and with the maker's own French catalogue of the label."""
    made = folder / "brand"
    made.mkdir()
    (made / "brand.toml").write_text(f"[languages]\n{NAMES}[label]\n{label}", encoding="utf-8")
    if catalogue:
        own = made / "locale" / "fr" / "LC_MESSAGES" / f"{DOMAIN}.po"
        own.parent.mkdir(parents=True)
        own.write_text(HEAD + catalogue, encoding="utf-8")
    return made


def refused(folder: Path) -> str:
    with pytest.raises(BrandError) as caught:
        words_in(folder, load(folder))
    return str(caught.value)


@pytest.mark.parametrize("code", sorted(path.name for path in SHIPPED.iterdir() if path.is_dir()))
def test_a_shipped_catalogue_of_the_label_is_complete_and_short_enough(code: str) -> None:
    found = catalogue_of(None, code, DOMAIN, texts())
    assert found is not None and set(found.entries) == set(MOST)
    words = {text: re.sub(r"\{\d?\}", "", str(found.entries[text])) for text in MOST}
    assert {text for text, most in MOST.items() if len(words[text]) > most} == set()


def test_the_french_label_says_the_words_in_french_and_the_rest_as_before(tmp_path: Path) -> None:
    words = words_in(*_loaded(brand(tmp_path, 'language = "fr"')))
    french = dataclasses.replace(LABEL, words=words)
    print_label(french, tmp_path / "fr.png")
    print_label(LABEL, tmp_path / "en.png")
    read_back(french, tmp_path / "fr.png")
    with Image.open(tmp_path / "fr.png") as one, Image.open(tmp_path / "en.png") as other:
        changed = ImageChops.difference(one.convert("L"), other.convert("L")).getbbox()
    assert changed is not None and changed[1] >= STANDARD.dots(STANDARD.code_top_mm) - 2
    assert words.said(NETWORK) == "Wi-Fi {0}  Mot de passe {1}"


def _loaded(folder: Path) -> tuple[Path, Any]:
    return folder, load(folder)


def test_the_french_label_still_prepares_for_the_warning_of_the_browser() -> None:
    pen = ImageDraw.Draw(Image.new("RGB", STANDARD.size))
    french = dataclasses.replace(LABEL, words=Words(FRENCH))
    width = STANDARD.size[0] - 2 * STANDARD.dots(STANDARD.margin_mm)
    size = STANDARD.dots((STANDARD.height_mm - STANDARD.code_top_mm) * 0.15)
    for label in (LABEL, french):
        shown = _invitation(_Writer(pen, label.words), label.typed_address, size, width, STANDARD.dots(1.2))
        assert shown.text == label.words.said(WARNED)


def test_a_brand_without_a_word_about_the_label_has_it_in_english(tmp_path: Path) -> None:
    assert words_of(PRODUCT) == Words() == words_in(*_loaded(brand(tmp_path, "")))
    assert Words().said(CODE) == "Set-up code"


def test_the_brand_beside_a_product_decides(tmp_path: Path) -> None:
    shutil.copy(PRODUCT, tmp_path / "product.toml")
    assert words_of(tmp_path / "product.toml") == Words()
    brand(tmp_path, 'language = "fr"')
    assert words_of(tmp_path / "product.toml").entries == FRENCH


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ('language = "de"', "not 'de'"),
        ("language = 3", "not 3"),
        ('tongue = "fr"', "entries language and font"),
        ('language = "fr"\nfont = "../font.ttf"', "same folder"),
        ('language = "fr"\nfont = "absent.ttf"', "is not a file"),
        ('language = "fr"\nfont = "brand.toml"', "not a TrueType font"),
        ('language = "ar"', "lacks U+"),
    ],
)
def test_a_language_or_a_font_that_does_not_print_is_refused(tmp_path: Path, label: str, said: str) -> None:
    assert said in refused(brand(tmp_path, label))


def test_a_font_without_the_letters_of_the_language_is_refused(tmp_path: Path) -> None:
    made = brand(tmp_path, 'language = "ar"\nfont = "vera.ttf"')
    shutil.copy(face(), made / "vera.ttf")
    assert "lacks U+0" in refused(made) and "choose another font" in refused(made)
    (made / "brand.toml").write_text((made / "brand.toml").read_text().replace('"ar"', '"fr"', 1))
    assert words_in(made, load(made)).font == str(made / "vera.ttf")


@pytest.mark.parametrize("text", MOST)
def test_a_text_that_is_too_long_for_a_label_is_refused(tmp_path: Path, text: str) -> None:
    longer = text + "." * (MOST[text] + 1 - len(text.replace("{}", "").replace("{0}", "").replace("{1}", "")))
    folder = brand(tmp_path, 'language = "fr"', f'\nmsgid "{text}"\nmsgstr "{longer}"\n')
    assert f"at most {MOST[text]} fit" in refused(folder)
    own = folder / "locale" / "fr" / "LC_MESSAGES" / f"{DOMAIN}.po"
    own.write_text(own.read_text().replace(longer, longer[:-1]))
    assert words_in(folder, load(folder)).said(text) == longer[:-1]


def test_a_language_without_every_text_of_the_label_is_refused(tmp_path: Path) -> None:
    folder = brand(tmp_path, 'language = "cy"')
    (folder / "brand.toml").write_text('[languages]\ncy = "Cymraeg"\n[label]\nlanguage = "cy"\n')
    for name in ("owner", DOMAIN):
        own = folder / "locale" / "cy" / "LC_MESSAGES" / f"{name}.po"
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text(HEAD + f'\nmsgid "{CODE}"\nmsgstr "Cod"\n')
    assert f"lacks the label's text {NETWORK!r}" in refused(folder) and repr(CODE) not in refused(folder)


def test_from_the_right_each_value_keeps_the_order_of_its_characters_and_the_labels_own_font() -> None:
    pen = ImageDraw.Draw(Image.new("RGB", STANDARD.size))
    line = Line(FROM_THE_RIGHT.said(NETWORK), ("fb-3f9a2c71", "2345-bbbb"))
    pieces = list(_Writer(pen, FROM_THE_RIGHT)._pieces(line, 30))
    assert [text for text, _, _ in pieces] == ["Wi-Fi ", "fb-3f9a2c71", " key ", "2345-bbbb"]
    assert [how for _, _, how in pieces] == [{"direction": "rtl"}, {}, {"direction": "rtl"}, {}]
    assert pieces[1][1].path == pieces[3][1].path == face()


def test_from_the_right_a_line_begins_at_the_right_edge() -> None:
    image = Image.new("L", (900, 60), 255)
    pen = ImageDraw.Draw(image)
    writer = _Writer(pen, FROM_THE_RIGHT)
    line = Line(FROM_THE_RIGHT.said(NETWORK), ("fb-1", "2345"))
    writer.write(line, 30, 10, 890, 5)
    left, _, right, _ = ImageChops.invert(image).getbbox() or (0, 0, 0, 0)
    assert 880 <= right <= 890 and abs(890 - left - writer.length(line, 30)) <= 6
