"""Draw a label from its template: the same dots for the file that is read back and for every printer."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import segno
from PIL import Image, ImageDraw, ImageFont

from device.owner.setup_code import grouped
from provisioning.product.label_template import FRAME_MM, QUIET_MODULES
from provisioning.product.lettering import face

if TYPE_CHECKING:
    from provisioning.station.labels import Label

INK, PAPER, WARNING = "black", "white", "#b00020"
SMALLEST_TEXT_MM: Final = 1.2
NOT_FOR_SALE: Final = "NOT FOR SALE"


class TextTooLongError(ValueError):
    """A text does not fit on its line of the label. The message leaves the text out."""


def draw(label: Label) -> Image.Image:
    """Return the label in its template's size and resolution; secret, because it shows the code.

    Raises TextTooLongError.
    """
    image = Image.new("RGB", label.template.size, PAPER)
    pen = ImageDraw.Draw(image)
    left, top, matrix = qr_place(label)
    module = label.template.module
    for row, modules in enumerate(matrix):
        for column, is_dark in enumerate(modules):
            if is_dark:
                x, y = left + column * module, top + row * module
                pen.rectangle((x, y, x + module - 1, y + module - 1), fill=INK)
    _draw_facts(pen, label, left - QUIET_MODULES * module)
    _draw_code(pen, label)
    width, height = label.template.size
    pen.rectangle((2, 2, width - 3, height - 3), outline=INK, width=3)
    return image


def qr_place(label: Label) -> tuple[int, int, list[bytearray]]:
    """Return (left, top, rows of modules) of the QR code in dots, without its quiet zone."""
    template = label.template
    matrix: Any = segno.make_qr(label.qr_text, error="m", boost_error=False).matrix
    quiet = QUIET_MODULES * template.module
    margin = template.dots(FRAME_MM)  # clear of the frame, including the quiet zone
    left = template.size[0] - margin - quiet - len(matrix) * template.module
    return left, margin + quiet, list(matrix)


@lru_cache(64)  # loading a font takes longer than drawing with it
def _font(size: int) -> Any:
    return ImageFont.truetype(face(), size)


def _fitted(pen: ImageDraw.ImageDraw, text: str, size: int, width: int, smallest: int) -> Any:
    """Return the font at `size` dots, or smaller if the text would be wider than `width`. Raises TextTooLongError."""
    while pen.textlength(text, font=_font(size)) > width:
        if size <= smallest:
            raise TextTooLongError(f"{len(text)} characters do not fit on the label in a readable size")
        size -= 1
    return _font(size)


def _draw_facts(pen: ImageDraw.ImageDraw, label: Label, right: int) -> None:
    template = label.template
    margin, smallest = template.dots(template.margin_mm), template.dots(SMALLEST_TEXT_MM)
    y = margin
    for line in template.lines:
        text, height = line.text.format(**label.texts), template.dots(line.height_mm)
        pen.text((margin, y), text, fill=INK, font=_fitted(pen, text, height, right - margin, smallest))
        y += height + template.dots(line.gap_mm)
    if label.is_development:
        bottom = template.dots(template.code_top_mm) - template.dots(0.7)
        y = min(y + template.dots(0.7), bottom - template.dots(4))
        pen.rectangle((margin, y, right, bottom), fill=WARNING)
        font = _fitted(
            pen, NOT_FOR_SALE, round((bottom - y) * 0.7), right - margin - template.dots(2.5), smallest
        )
        pen.text(((margin + right) // 2, (y + bottom) // 2), NOT_FOR_SALE, fill=PAPER, font=font, anchor="mm")


def _invitation(pen: ImageDraw.ImageDraw, address: str, size: int, width: int, smallest: int) -> str:
    """Return the text above the set-up code: the address to type, in as many words as the label has room for.

    With enough room it also prepares for the browser's warning, which the leaflet explains.
    """
    for text in (
        f"Open {address} in a browser. It will warn you: see the leaflet. Enter this set-up code:",
        f"Open {address} in a browser and enter this set-up code:",
        f"{address}  Set-up code:",
    ):
        if pen.textlength(text, font=_font(max(smallest, round(size * 0.75)))) <= width:
            return text
    return "Set-up code"


def _draw_code(pen: ImageDraw.ImageDraw, label: Label) -> None:
    """Draw access point, set-up code and fingerprint across the lower quarter; a long fingerprint takes two lines."""
    template = label.template
    margin, smallest = template.dots(template.margin_mm), template.dots(SMALLEST_TEXT_MM)
    width = template.size[0] - 2 * margin
    quarter = template.height_mm - template.code_top_mm
    digits = label.fingerprint.hex().upper()
    groups = [digits[start : start + 4] for start in range(0, len(digits), 4)]
    lines = [f"Certificate SHA-256 {' '.join(groups)}"]
    if pen.textlength(lines[0], font=_font(smallest)) > width:
        lines = [f"Certificate SHA-256 {' '.join(groups[:8])}", " ".join(groups[8:])]
    rows = [
        (_invitation(pen, label.typed_address, template.dots(quarter * 0.15), width, smallest), 0.15),
        (grouped(label.code), 0.36),
        *((line, 0.15 if len(lines) == 1 else 0.12) for line in lines),
    ]
    gap = 0.05
    if label.network:  # the first step comes first
        rows = [
            (f"Wi-Fi {label.network}  Passphrase {label.passphrase}", 0.18),
            (rows[0][0], 0.13),
            (rows[1][0], 0.27),
            *((line, 0.12) for line in lines),
        ]
        gap = 0.035
    y = template.code_top_mm
    for text, share in rows:
        font = _fitted(pen, text, template.dots(quarter * share), width, smallest)
        pen.text((margin, template.dots(y)), text, fill=INK, font=font)
        y += quarter * (share + gap)
