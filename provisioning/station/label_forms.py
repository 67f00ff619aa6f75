"""A label for printers: the image that was read back, dot by dot, as PDF or ZPL.

Rules:
1. The printed label is the one that was read back before the lock: PDF and ZPL carry the dots of the PNG. No font or
   QR generator of the printer is used.
2. A PDF has the label's size in millimetres, so it prints to scale, in colour.
3. ZPL is one graphic field (^GFA) in black and white, with ZPL's own run-length compression.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

from PIL import Image

from provisioning.station.labels import LabelError

FORMS: Final = ("png", "pdf", "zpl")
POINTS_PER_INCH: Final = 72
MAX_DOTS: Final = 8000
_RUNS: Final = [("z", 400)] + [(chr(ord("g") + n - 1), 20 * n) for n in range(19, 0, -1)] + [
    (chr(ord("G") + n - 1), n) for n in range(19, 0, -1)
]  # fmt: skip


def label_as(path: Path, form: str) -> bytes:
    """Return the label's file in one of FORMS. The bytes are secret. Raises LabelError, OSError."""
    if form == "png":
        return path.read_bytes()
    makers = {"pdf": to_pdf, "zpl": to_zpl}
    if form not in makers:
        raise LabelError(f"unknown form {form!r}; use one of {', '.join(FORMS)}")
    with Image.open(path) as image:
        image.load()
        if max(image.size) > MAX_DOTS:
            raise LabelError(f"the label has more than {MAX_DOTS} dots on a side")
        return makers[form](image)


def to_pdf(image: Image.Image) -> bytes:
    """Return one page of the label's own size. The dots are stored without loss."""
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    dpi = _dpi(image)
    size = tuple(length / dpi * POINTS_PER_INCH for length in image.size)
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=size, invariant=1, pageCompression=1)
    canvas.setTitle("Label")
    canvas.drawImage(ImageReader(image.convert("RGB")), 0, 0, *size)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def to_zpl(image: Image.Image) -> bytes:
    """Return the label as ZPL II for a printer of the label's own resolution. Every dot that is not white is printed.

    Every dot that is not white is printed.
    """
    dark = image.convert("L").point(lambda level: 255 if level < 192 else 0, mode="1")
    width, height = dark.size
    row_bytes = (width + 7) // 8
    data = dark.tobytes()
    rows = [data[at : at + row_bytes].hex().upper() for at in range(0, len(data), row_bytes)]
    total = row_bytes * height
    head = f"^XA^PW{width}^LL{height}^LH0,0^FO0,0^GFA,{total},{total},{row_bytes},"
    return (head + _compress(rows) + "^FS^PQ1^XZ\n").encode("ascii")


def _compress(rows: list[str]) -> str:
    """Compress rows: ":" repeats a row, "," fills it up with white and "!" with black, letters repeat a digit."""
    out, before = [], None
    for row in rows:
        out.append(":" if row == before else _compress_row(row))
        before = row
    return "".join(out)


def _compress_row(row: str) -> str:
    for digit, sign in (("0", ","), ("F", "!")):
        kept = row.rstrip(digit)
        if len(kept) % 2:  # a fill begins at a whole byte
            kept += digit
        if len(kept) < len(row):
            return _run_lengths(kept) + sign
    return _run_lengths(row)


def _run_lengths(text: str) -> str:
    out, at = [], 0
    while at < len(text):
        count = len(text) - at - len(text[at:].lstrip(text[at]))
        at += count
        digit = text[at - 1]
        if count == 1:
            out.append(digit)
            continue
        for sign, worth in _RUNS:
            while count >= worth:
                out.append(sign)
                count -= worth
        out.append(digit)
    return "".join(out)


def _dpi(image: Image.Image) -> float:
    found = image.info.get("dpi", (0, 0))[0]
    if not 100 <= found <= 1200:
        raise LabelError("the label's file does not say its resolution")
    return float(round(found))
