"""Labels: what they show, to whom, and that they are read back before a unit is locked."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
from PIL import Image

from device.setup_code import grouped
from provisioning.factory import labels
from provisioning.factory.labels import Label, LabelError, code_on_label, print_label, read_back
from provisioning.factory.product import ADDRESS_CHARS
from provisioning.factory.setup_code import draw_code

LABEL = Label(
    brand="Example Brand",
    model="FB-1",
    batch="2026-001",
    serial="FB1-000001",
    manufacturer="Example Devices Ltd",
    support_end="31 December 2031",
    address="https://fb-3f9a2c71.local/setup",
    fingerprint=bytes(range(32)),
    is_development=False,
    code=draw_code(),
)


@pytest.fixture
def without_zxing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zxingcpp", None)


def test_a_label_is_read_back_by_its_qr_code(tmp_path: Path) -> None:
    pytest.importorskip("zxingcpp", reason="zxing-cpp is not installed: labels cannot be decoded here")
    print_label(LABEL, tmp_path / "label.png")
    assert read_back(LABEL, tmp_path / "label.png") == "zxing-cpp"
    assert code_on_label(tmp_path / "label.png") == LABEL.code


def test_without_a_decoder_every_module_is_compared(tmp_path: Path, without_zxing: None) -> None:
    print_label(LABEL, tmp_path / "label.png")
    assert read_back(LABEL, tmp_path / "label.png") == "modules"
    assert code_on_label(tmp_path / "label.png") is None


@pytest.mark.parametrize("decoder", ["zxing-cpp", "modules"])
def test_a_label_of_another_code_is_refused(
    decoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if decoder == "modules":
        monkeypatch.setitem(sys.modules, "zxingcpp", None)
    print_label(dataclasses.replace(LABEL, code=draw_code()), tmp_path / "label.png")
    with pytest.raises(LabelError) as caught:
        read_back(LABEL, tmp_path / "label.png")
    assert LABEL.code not in str(caught.value)


def test_a_smudged_module_is_noticed_without_a_decoder(tmp_path: Path, without_zxing: None) -> None:
    path = tmp_path / "label.png"
    print_label(LABEL, path)
    left, top, matrix = labels._qr_place(LABEL)
    with Image.open(path) as image:
        image.load()
    shade = "white" if matrix[0][0] else "black"
    image.paste(shade, (left, top, left + labels.MODULE, top + labels.MODULE))
    image.save(path)
    with pytest.raises(LabelError):
        read_back(LABEL, path)


def test_a_label_that_others_can_read_is_refused(tmp_path: Path) -> None:
    print_label(LABEL, tmp_path / "label.png")
    (tmp_path / "label.png").chmod(0o644)
    with pytest.raises(LabelError, match="read by others"):
        read_back(LABEL, tmp_path / "label.png")


def test_a_label_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "labels" / "label.png"
    print_label(LABEL, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0
    assert [entry.name for entry in path.parent.iterdir()] == ["label.png"]


def test_code_and_fingerprint_stand_in_the_fragment_only() -> None:
    address, _, fragment = LABEL.qr_text.partition("#")
    assert address == LABEL.address
    assert LABEL.code in fragment and LABEL.fingerprint.hex() in fragment


def test_a_development_label_says_not_for_sale_in_red(tmp_path: Path) -> None:
    print_label(dataclasses.replace(LABEL, is_development=True), tmp_path / "label.png")
    print_label(LABEL, tmp_path / "plain.png")
    red = tuple(bytes.fromhex(labels.WARNING[1:]))
    counts = []
    for name in ("label.png", "plain.png"):
        with Image.open(tmp_path / name) as image:
            counts.append(sum(count for count, colour in image.getcolors(1 << 24) or [] if colour == red))
    assert counts[0] > 20_000 and counts[1] == 0


def test_the_printed_texts_are_those_of_the_unit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    printed: list[str] = []
    real = labels.ImageDraw.ImageDraw.text

    def note(self: object, place: object, text: str, **options: object) -> None:
        printed.append(text)
        real(self, place, text, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(labels.ImageDraw.ImageDraw, "text", note)
    print_label(LABEL, tmp_path / "label.png")
    shown = "\n".join(printed)
    for fact in (LABEL.brand, LABEL.model, LABEL.batch, LABEL.serial, LABEL.manufacturer, LABEL.support_end):
        assert fact in shown
    assert grouped(LABEL.code) in printed
    assert "0001 0203 0405" in shown  # the fingerprint, in groups


@pytest.mark.parametrize("text", ["W" * 120, "\u4e2d" * 60])
def test_long_texts_stay_on_the_label(text: str, tmp_path: Path) -> None:
    long = dataclasses.replace(LABEL, brand=text, manufacturer=text, address="https://" + "a" * 72)
    print_label(long, tmp_path / "label.png")
    assert read_back(long, tmp_path / "label.png") in ("zxing-cpp", "modules")


def test_the_longest_allowed_address_leaves_room_for_the_code_line() -> None:
    long = dataclasses.replace(
        LABEL, address="https://" + "a" * (ADDRESS_CHARS + 6 - 8)
    )  # "{name}" becomes 11
    _, top, matrix = labels._qr_place(long)
    assert top + (len(matrix) + labels.QUIET_MODULES) * labels.MODULE < 544  # where the code line begins


def test_repr_shows_no_code() -> None:
    assert LABEL.code not in repr(LABEL)
