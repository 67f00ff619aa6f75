"""Labels: their content, their readers, and the read-back before a unit is locked."""

from __future__ import annotations

import dataclasses
import re
import string
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageDraw

from device.owner.setup_code import grouped
from provisioning.product.label_template import (
    LARGEST_QR_MODULES,
    QUIET_MODULES,
    STANDARD,
    Template,
    TemplateError,
    parse_template,
)
from provisioning.product.sections import ADDRESS_CHARS
from provisioning.station import label_drawing
from provisioning.station.label_drawing import WARNING, qr_place
from provisioning.station.label_forms import label_as
from provisioning.station.label_words import Words
from provisioning.station.labels import (
    LabelError,
    LabelReaderError,
    code_on_label,
    print_label,
    read_back,
)
from provisioning.station.setup_code import generate_code
from tests.unit.provisioning.station.label_sample import SAMPLE


@pytest.fixture
def without_zxing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zxingcpp", None)


def test_a_label_of_a_unit_with_a_radio_shows_its_access_point_and_repr_hides_it(tmp_path: Path) -> None:
    wifi = dataclasses.replace(SAMPLE, network="fb-3f9a2c71", passphrase="aaaa-bbbb-cccc-dddd")
    assert "aaaa" not in repr(wifi)
    print_label(wifi, tmp_path / "wifi.png")
    print_label(SAMPLE, tmp_path / "plain.png")
    read_back(wifi, tmp_path / "wifi.png")
    with Image.open(tmp_path / "wifi.png") as one, Image.open(tmp_path / "plain.png") as other:
        changed = ImageChops.difference(one.convert("L"), other.convert("L")).getbbox()
    assert changed is not None and changed[1] >= STANDARD.dots(STANDARD.code_top_mm) - 2


def test_a_label_is_read_back_by_its_qr_code(tmp_path: Path) -> None:
    pytest.importorskip("zxingcpp", reason="zxing-cpp is not installed: labels cannot be decoded here")
    print_label(SAMPLE, tmp_path / "label.png")
    assert read_back(SAMPLE, tmp_path / "label.png") == "zxing-cpp"
    assert code_on_label(tmp_path / "label.png") == SAMPLE.code


def test_without_a_decoder_every_module_is_compared(tmp_path: Path, without_zxing: None) -> None:
    print_label(SAMPLE, tmp_path / "label.png")
    assert read_back(SAMPLE, tmp_path / "label.png") == "modules"
    with pytest.raises(LabelReaderError):  # the label is unknown, which differs from a label without a code
        code_on_label(tmp_path / "label.png")


def test_a_person_types_the_address_without_the_path_to_set_up() -> None:
    assert SAMPLE.typed_address == "https://fb-3f9a2c71.local"
    other = dataclasses.replace(SAMPLE, address="https://fb-3f9a2c71.local/begin")
    assert other.typed_address == other.address


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (
            1240,
            "Open https://a.local in a browser. It will warn you: see the leaflet. Enter this set-up code:",
        ),
        (800, "Open https://a.local in a browser and enter this set-up code:"),
        (500, "https://a.local  Set-up code:"),
        (100, "Set-up code"),
    ],
)
def test_the_typed_address_is_above_the_code_in_as_many_words_as_there_is_room(
    width: int, expected: str
) -> None:
    pen = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    writer = label_drawing._Writer(pen, Words())
    line = label_drawing._invitation(writer, "https://a.local", 30, width, 14)
    assert line.text.format(*line.values) == expected


@pytest.mark.parametrize("decoder", ["zxing-cpp", "modules"])
def test_a_label_of_another_code_is_refused(
    decoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if decoder == "modules":
        monkeypatch.setitem(sys.modules, "zxingcpp", None)
    print_label(dataclasses.replace(SAMPLE, code=generate_code()), tmp_path / "label.png")
    with pytest.raises(LabelError) as caught:
        read_back(SAMPLE, tmp_path / "label.png")
    assert SAMPLE.code not in str(caught.value)


def test_a_smudged_module_is_noticed_without_a_decoder(tmp_path: Path, without_zxing: None) -> None:
    path = tmp_path / "label.png"
    print_label(SAMPLE, path)
    left, top, matrix = qr_place(SAMPLE)
    module = SAMPLE.template.module
    with Image.open(path) as image:
        image.load()
    shade = "white" if matrix[0][0] else "black"
    image.paste(shade, (left, top, left + module, top + module))
    image.save(path)
    with pytest.raises(LabelError):
        read_back(SAMPLE, path)


def test_a_label_that_others_can_read_is_refused(tmp_path: Path) -> None:
    print_label(SAMPLE, tmp_path / "label.png")
    (tmp_path / "label.png").chmod(0o644)
    with pytest.raises(LabelError, match="read by others"):
        read_back(SAMPLE, tmp_path / "label.png")


def test_a_label_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "labels" / "label.png"
    print_label(SAMPLE, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0
    assert [entry.name for entry in path.parent.iterdir()] == ["label.png"]


def test_code_and_fingerprint_stand_in_the_fragment_only() -> None:
    address, _, fragment = SAMPLE.qr_text.partition("#")
    assert address == SAMPLE.address
    assert SAMPLE.code in fragment and SAMPLE.fingerprint.hex() in fragment


def test_a_development_label_says_not_for_sale_in_red(tmp_path: Path) -> None:
    print_label(dataclasses.replace(SAMPLE, is_development=True), tmp_path / "label.png")
    print_label(SAMPLE, tmp_path / "plain.png")
    red = tuple(bytes.fromhex(WARNING[1:]))
    counts = []
    for name in ("label.png", "plain.png"):
        with Image.open(tmp_path / name) as image:
            counts.append(sum(count for count, colour in image.getcolors(1 << 24) or [] if colour == red))
    assert counts[0] > 20_000 and counts[1] == 0


def test_the_printed_texts_are_those_of_the_unit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    printed: list[str] = []
    real = label_drawing.ImageDraw.ImageDraw.text

    def note(self: object, place: object, text: str, **options: object) -> None:
        printed.append(text)
        real(self, place, text, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(label_drawing.ImageDraw.ImageDraw, "text", note)
    print_label(SAMPLE, tmp_path / "label.png")
    shown = "\n".join(printed)
    for fact in (
        SAMPLE.brand,
        SAMPLE.model,
        SAMPLE.batch,
        SAMPLE.serial,
        SAMPLE.manufacturer,
        SAMPLE.support_end,
    ):
        assert fact in shown
    assert grouped(SAMPLE.code) in printed
    assert "0001 0203 0405" in shown  # the fingerprint, in groups


@pytest.mark.parametrize(
    "text", ["W" * 40, "\u4e2d" * 40, "An ordinary company name of some length, Limited"]
)
def test_long_texts_stay_on_the_label(text: str, tmp_path: Path) -> None:
    long = dataclasses.replace(SAMPLE, brand=text, manufacturer=text, address="https://" + "a" * 72)
    print_label(long, tmp_path / "label.png")
    assert read_back(long, tmp_path / "label.png") in ("zxing-cpp", "modules")


def test_a_text_that_has_no_room_is_refused_and_not_cut(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="do not fit"):
        print_label(dataclasses.replace(SAMPLE, model="W" * 120), tmp_path / "label.png")
    assert not (tmp_path / "label.png").exists()


def test_the_longest_allowed_address_leaves_room_for_the_code_line() -> None:
    long = dataclasses.replace(
        SAMPLE, address="https://" + "a" * (ADDRESS_CHARS + 6 - 8)
    )  # "{name}" becomes 11
    _, top, matrix = qr_place(long)
    template = long.template
    bottom = top + (len(matrix) + QUIET_MODULES) * template.module
    assert len(matrix) <= LARGEST_QR_MODULES and bottom <= template.dots(template.code_top_mm)


def test_repr_shows_no_code() -> None:
    assert SAMPLE.code not in repr(SAMPLE)


# Templates ------------------------------------------------------------------------------------------------

SMALL = """\
[label]
width_mm = 60
height_mm = 40
dpi = 203
margin_mm = 2
module_mm = 0.45
[[lines]]
text = "{brand} {model}"
height_mm = 3
[[lines]]
text = "Batch {batch}  Serial {serial}"
height_mm = 2
[[lines]]
text = "Updates until {support_end}"
height_mm = 2
"""


def test_a_label_by_another_template_has_its_size_and_is_read_back(tmp_path: Path) -> None:
    small = dataclasses.replace(SAMPLE, template=parse_template(SMALL))
    print_label(small, tmp_path / "label.png")
    with Image.open(tmp_path / "label.png") as image:
        assert image.size == (480, 320) and round(image.info["dpi"][0]) == 203
    assert read_back(small, tmp_path / "label.png") in ("zxing-cpp", "modules")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("width_mm = 60", "width_mm = true", "[label] width_mm"),
        ("width_mm = 60", "width_mm = 24", "the QR code needs"),
        ("dpi = 203", "dpi = 72", "[label] dpi"),
        ("module_mm = 0.45", "module_mm = 0.25", "three are needed"),
        ("{serial}", "{code}", "no other field"),
        ("{serial}", "{serial!r}", "no other field"),
        ("{serial}", "{serial:>99}", "no other field"),
        ("{serial}", "{serial", "no other field"),
        ("{serial}", "", "text must be a text of one line"),
        ("Updates until {support_end}", "Hello", "must show {support_end}"),
        ("height_mm = 3", "height_mm = 28", "[[lines]] need"),
        ("[label]", "[labels]", "[labels] is not known"),
        ("[label]", "[label", "line 1"),
    ],
)
def test_a_template_that_cannot_be_read_later_is_refused_now(old: str, new: str, problem: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse_template(SMALL.replace(old, new, 1))
    assert any(problem in each for each in caught.value.problems), caught.value.problems


# Forms for printers ---------------------------------------------------------------------------------------


def unpacked(zpl: bytes) -> Image.Image:
    """Return a printer's picture of our ZPL: the graphic field, by Zebra's description of its compression."""
    found = re.fullmatch(
        r"\^XA\^PW(\d+)\^LL(\d+)\^LH0,0\^FO0,0\^GFA,(\d+),(\d+),(\d+),(.*)\^FS\^PQ1\^XZ\n",
        zpl.decode("ascii"),
    )
    assert found is not None
    width, height, total, row_digits = int(found[1]), int(found[2]), int(found[3]), 2 * int(found[5])
    rows: list[str] = []
    row, count = "", 0
    for sign in found[6]:
        if sign == ":":
            rows.append(rows[-1])
        elif sign in ",!":
            rows.append(row + ("0" if sign == "," else "F") * (row_digits - len(row)))
            row = ""
        elif sign in string.ascii_lowercase[6:]:
            count += 20 * (ord(sign) - ord("f"))
        elif sign in string.ascii_uppercase[6:]:
            count += ord(sign) - ord("F")
        else:
            row, count = row + sign * (count or 1), 0
            if len(row) == row_digits:
                rows.append(row)
                row = ""
    assert not row and len(rows) == height and total == height * row_digits // 2
    picture = Image.frombytes("1", (row_digits * 4, height), bytes.fromhex("".join(rows)))
    return ImageChops.invert(picture.convert("L")).crop((0, 0, width, height))


def rendered(pdf: bytes, dpi: int) -> Image.Image:
    pdfium = pytest.importorskip("pypdfium2", reason="pypdfium2 is not installed: no PDF is rendered")
    with pdfium.PdfDocument(pdf) as pages:
        assert len(pages) == 1
        return pages[0].render(scale=dpi / 72).to_pil()


def scanned(image: Image.Image) -> list[str]:
    zxing = pytest.importorskip(
        "zxingcpp", reason="zxing-cpp is not installed: labels cannot be decoded here"
    )
    return [found.text for found in zxing.read_barcodes(image)]


@pytest.mark.parametrize("template", [STANDARD, parse_template(SMALL)], ids=["standard", "small"])
def test_a_scanner_reads_the_pdf_at_print_resolution(template: Template, tmp_path: Path) -> None:
    label = dataclasses.replace(SAMPLE, template=template)
    print_label(label, tmp_path / "label.png")
    page = rendered(label_as(tmp_path / "label.png", "pdf"), template.dpi)
    assert abs(page.size[0] - template.size[0]) <= 1 and abs(page.size[1] - template.size[1]) <= 1
    assert scanned(page) == [label.qr_text]


@pytest.mark.parametrize("template", [STANDARD, parse_template(SMALL)], ids=["standard", "small"])
def test_a_scanner_reads_what_the_zpl_prints(template: Template, tmp_path: Path) -> None:
    label = dataclasses.replace(SAMPLE, template=template)
    print_label(label, tmp_path / "label.png")
    picture = unpacked(label_as(tmp_path / "label.png", "zpl"))
    assert picture.size == template.size
    assert scanned(picture) == [label.qr_text]


def test_the_zpl_prints_every_dot_of_the_label(tmp_path: Path) -> None:
    development = dataclasses.replace(SAMPLE, is_development=True)
    print_label(development, tmp_path / "label.png")
    with Image.open(tmp_path / "label.png") as image:
        expected = image.convert("L").point(lambda level: 0 if level < 192 else 255)
    assert (
        ImageChops.difference(unpacked(label_as(tmp_path / "label.png", "zpl")), expected).getbbox() is None
    )


def test_the_pdf_holds_the_labels_own_dots(tmp_path: Path) -> None:
    pdfium = pytest.importorskip("pypdfium2", reason="pypdfium2 is not installed: no PDF is read")
    print_label(SAMPLE, tmp_path / "label.png")
    with pdfium.PdfDocument(label_as(tmp_path / "label.png", "pdf")) as pages:
        stored = next(iter(pages[0].get_objects())).get_bitmap().to_pil().convert("RGB")
    with Image.open(tmp_path / "label.png") as image:
        assert ImageChops.difference(stored, image.convert("RGB")).getbbox() is None


def test_a_picture_without_a_resolution_is_no_label(tmp_path: Path) -> None:
    Image.new("RGB", (100, 100)).save(tmp_path / "plain.png")
    with pytest.raises(LabelError, match="resolution"):
        label_as(tmp_path / "plain.png", "pdf")
    with pytest.raises(LabelError, match="unknown form"):
        label_as(tmp_path / "plain.png", "docx")
