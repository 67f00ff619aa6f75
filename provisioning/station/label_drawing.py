"""Draw a label from its template: the same dots for the file that is read back and for every printer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import segno
from PIL import Image, ImageDraw, ImageFont

from device.owner.setup_code import grouped
from provisioning.product.label_template import FRAME_MM, QUIET_MODULES
from provisioning.product.lettering import face
from provisioning.station.label_words import CODE, NETWORK, OPEN, SHORT, WARNED, Words

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
def _font(size: int, path: str = "") -> Any:
    return ImageFont.truetype(path or face(), size)


def _fitted(pen: ImageDraw.ImageDraw, text: str, size: int, width: int, smallest: int) -> Any:
    """Return the font at `size` dots, or smaller if the text would be wider than `width`. Raises TextTooLongError."""
    return _font(
        _fitting(lambda size: pen.textlength(text, font=_font(size)), size, width, smallest, len(text))
    )


def _fitting(length: Callable[[int], float], size: int, width: int, smallest: int, characters: int) -> int:
    """Return the greatest size up to `size` at which a text is at most `width` long. Raises TextTooLongError."""
    while length(size) > width:
        if size <= smallest:
            raise TextTooLongError(f"{characters} characters do not fit on the label in a readable size")
        size -= 1
    return size


class Line(NamedTuple):
    """A line of the lower quarter: words with places for values, which keep the label's own font and order."""

    text: str
    values: tuple[str, ...] = ()


class _Writer:
    """Writes lines in the language of a label."""

    def __init__(self, pen: ImageDraw.ImageDraw, words: Words) -> None:
        self._pen = pen
        self.words = words

    def length(self, line: Line, size: int) -> float:
        """Return how long a line is, in dots."""
        return sum(
            self._pen.textlength(text, font=font, **how) for text, font, how in self._pieces(line, size)
        )

    def write(self, line: Line, size: int, left: int, right: int, y: int) -> None:
        """Write a line from its edge on: from the right in a language that is written so."""
        x = float(right if self.words.is_right_to_left and line.values else left)
        for text, font, how in self._pieces(line, size):
            length = self._pen.textlength(text, font=font, **how)
            if self.words.is_right_to_left and line.values:
                x -= length
            self._pen.text((round(x), y), text, fill=INK, font=font, **how)
            if not (self.words.is_right_to_left and line.values):
                x += length

    def _pieces(self, line: Line, size: int) -> Iterator[tuple[str, Any, dict[str, Any]]]:
        """Return (text, font, how) of each piece in the order of reading."""
        if not self.words.is_right_to_left or not line.values:
            yield line.text.format(*line.values), _font(size, self.words.font if line.values else ""), {}
            return
        number = 0
        for text in re.split(r"(\{\d?\})", line.text):
            if re.fullmatch(r"\{\d?\}", text):
                yield line.values[int(text[1:-1] or number)], _font(size), {}
                number += 1
            elif text:
                yield text, _font(size, self.words.font), {"direction": "rtl"}


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


def _invitation(writer: _Writer, address: str, size: int, width: int, smallest: int) -> Line:
    """Return the text above the set-up code: the address to type, in as many words as the label has room for.

    With enough room it also prepares for the browser's warning, which the leaflet explains.
    """
    for text in (WARNED, OPEN, SHORT):
        line = Line(writer.words.said(text), (address,))
        if writer.length(line, max(smallest, round(size * 0.75))) <= width:
            return line
    return Line(writer.words.said(CODE), ("",))


def _draw_code(pen: ImageDraw.ImageDraw, label: Label) -> None:
    """Draw access point, set-up code and fingerprint across the lower quarter; a long fingerprint takes two lines."""
    template, writer = label.template, _Writer(pen, label.words)
    margin, smallest = template.dots(template.margin_mm), template.dots(SMALLEST_TEXT_MM)
    width = template.size[0] - 2 * margin
    quarter = template.height_mm - template.code_top_mm
    digits = label.fingerprint.hex().upper()
    groups = [digits[start : start + 4] for start in range(0, len(digits), 4)]
    lines = [f"Certificate SHA-256 {' '.join(groups)}"]  # as browsers name it
    if pen.textlength(lines[0], font=_font(smallest)) > width:
        lines = [f"Certificate SHA-256 {' '.join(groups[:8])}", " ".join(groups[8:])]
    rows = [
        (_invitation(writer, label.typed_address, template.dots(quarter * 0.15), width, smallest), 0.15),
        (Line(grouped(label.code)), 0.36),
        *((Line(line), 0.15 if len(lines) == 1 else 0.12) for line in lines),
    ]
    gap = 0.05
    if label.network:  # the first step comes first
        rows = [
            (Line(label.words.said(NETWORK), (label.network, label.passphrase)), 0.18),
            (rows[0][0], 0.13),
            (rows[1][0], 0.27),
            *((Line(line), 0.12) for line in lines),
        ]
        gap = 0.035
    y = template.code_top_mm
    for line, share in rows:
        size = _fitting(
            lambda size, line=line: writer.length(line, size),  # type: ignore[misc]
            template.dots(quarter * share),
            width,
            smallest,
            len(line.text.format(*line.values)),
        )
        writer.write(line, size, margin, margin + width, template.dots(y))
        y += quarter * (share + gap)
