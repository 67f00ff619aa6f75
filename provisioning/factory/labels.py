"""The label of a unit: the one place where its set-up code is after the lock.

Rules:
1. A label file has mode 0600 from its first byte on; its name is the serial number, which is public.
2. The QR code holds an https address; code and fingerprint stand in the fragment, which browsers send to no one.
3. A label is read back from its file before the unit is locked: decoded with zxing-cpp where that is installed,
   otherwise every module of the QR code is compared with what it should be. The result says which.
4. Units made with development keys carry NOT FOR SALE across the label.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import segno
from PIL import Image, ImageDraw, ImageFont

from device.setup_code import grouped

SIZE: Final = (1240, 700)  # pixels: 105 mm x 59 mm at 300 dpi
DPI: Final = (300, 300)
MARGIN: Final = 40
MODULE: Final = 8  # pixels of one QR module
QUIET_MODULES: Final = 4
INK, PAPER, WARNING = "black", "white", "#b00020"


class LabelError(Exception):
    """A label could not be read back as it should be; the text holds no code."""


@dataclass(frozen=True)
class Label:
    """What a label shows; repr leaves the code out. `fingerprint`: SHA-256 of the web certificate."""

    brand: str
    model: str
    batch: str
    serial: str
    manufacturer: str
    support_end: str
    address: str
    fingerprint: bytes
    is_development: bool
    code: str = field(repr=False)

    @property
    def qr_text(self) -> str:
        """Address of the set-up page with code and certificate fingerprint in the fragment. Secret."""
        return f"{self.address}#code={self.code}&sha256={self.fingerprint.hex()}"


def print_label(label: Label, path: Path) -> bytes:
    """Draw the label into `path` (PNG, mode 0600), replacing an older one; the bytes written."""
    buffer = io.BytesIO()
    _draw(label).save(buffer, format="PNG", dpi=DPI)
    data = buffer.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    os.replace(draft, path)
    return data


def read_back(label: Label, path: Path) -> str:
    """Compare the label's file with what it should say; how that was done ("zxing-cpp" or "modules").

    Raises LabelError.
    """
    if path.stat().st_mode & 0o077:
        raise LabelError("the label's file can be read by others")
    with Image.open(path) as image:
        image.load()
        if image.size != SIZE:
            raise LabelError("the label has another size")
        try:
            import zxingcpp
        except ImportError:
            _compare_modules(label, image)
            return "modules"
        texts = [found.text for found in zxingcpp.read_barcodes(image)]
    if texts != [label.qr_text]:
        raise LabelError(f"{len(texts)} codes read back, not the one that was printed")
    return "zxing-cpp"


@dataclass(frozen=True)
class LabelText:
    """What the QR code of a label says: address of the set-up page, certificate's SHA-256 in hex. repr has no code."""

    address: str
    fingerprint: str
    code: str = field(repr=False)


def parse_qr(text: str) -> LabelText:
    """Take the text of a label's QR code apart. Raises LabelError where it is none of ours."""
    address, _, fragment = text.partition("#")
    parts = dict(part.partition("=")[::2] for part in fragment.split("&"))
    code, fingerprint = parts.get("code", ""), parts.get("sha256", "").lower()
    is_digest = len(fingerprint) == 64 and not set(fingerprint) - set("0123456789abcdef")
    if not address.startswith("https://") or not code or not is_digest:
        raise LabelError("the QR code is not one of a device's label")
    return LabelText(address, fingerprint, code)


def read_label(path: Path) -> LabelText:
    """Read a label from a picture of it, a photograph too. Raises LabelError, OSError."""
    try:
        import zxingcpp
    except ImportError:
        raise LabelError("zxing-cpp is not installed, so no label can be read") from None
    with Image.open(path) as image:
        texts = [found.text for found in zxingcpp.read_barcodes(image)]
    if len(texts) != 1:
        raise LabelError(f"the picture shows {len(texts)} codes that can be read; one was expected")
    return parse_qr(texts[0])


def code_on_label(path: Path) -> str | None:
    """The code that the label's QR shows, None where it cannot be read here. Secret."""
    try:
        return read_label(path).code
    except LabelError:
        return None


def _compare_modules(label: Label, image: Image.Image) -> None:
    left, top, matrix = _qr_place(label)
    grey = image.convert("L")
    for row, modules in enumerate(matrix):
        for column, is_dark in enumerate(modules):
            place = (left + column * MODULE + MODULE // 2, top + row * MODULE + MODULE // 2)
            level = grey.getpixel(place)
            if not isinstance(level, int) or (level < 128) != bool(is_dark):
                raise LabelError("the QR code in the file is not the one that was drawn")


def _qr_place(label: Label) -> tuple[int, int, list[bytearray]]:
    """(left, top, rows of modules) of the QR code, quiet zone outside."""
    matrix: Any = segno.make_qr(label.qr_text, error="m", boost_error=False).matrix
    side = len(matrix) * MODULE
    return SIZE[0] - MARGIN - QUIET_MODULES * MODULE - side, MARGIN + QUIET_MODULES * MODULE, list(matrix)


def _draw(label: Label) -> Image.Image:
    image = Image.new("RGB", SIZE, PAPER)
    pen = ImageDraw.Draw(image)
    left, top, matrix = _qr_place(label)
    for row, modules in enumerate(matrix):
        for column, is_dark in enumerate(modules):
            if is_dark:
                x, y = left + column * MODULE, top + row * MODULE
                pen.rectangle((x, y, x + MODULE - 1, y + MODULE - 1), fill=INK)
    _draw_facts(pen, label, left - QUIET_MODULES * MODULE - MARGIN)
    _draw_code(pen, label)
    pen.rectangle((2, 2, SIZE[0] - 3, SIZE[1] - 3), outline=INK, width=3)
    return image


def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def _fitted(pen: ImageDraw.ImageDraw, text: str, size: int, width: int) -> Any:
    """The default font at `size`, smaller where the text would be wider than `width` pixels."""
    while size > 14 and pen.textlength(text, font=_font(size)) > width:
        size -= 1
    return _font(size)


def _draw_facts(pen: ImageDraw.ImageDraw, label: Label, right: int) -> None:
    width = right - MARGIN
    y = MARGIN
    for text, size in (
        (f"{label.brand} {label.model}", 54),
        (label.manufacturer, 26),
        (f"Model {label.model}", 32),
        (f"Batch {label.batch}", 32),
        (f"Serial {label.serial}", 32),
        (f"Security updates until {label.support_end}", 32),
    ):
        pen.text((MARGIN, y), text, fill=INK, font=_fitted(pen, text, size, width))
        y += size + (24 if size == 54 else 16)
    if label.is_development:
        pen.rectangle((MARGIN, y + 8, right, y + 92), fill=WARNING)
        text = "NOT FOR SALE"
        font = _fitted(pen, text, 60, width - 30)
        pen.text(((MARGIN + right) // 2, y + 50), text, fill=PAPER, font=font, anchor="mm")


def _draw_code(pen: ImageDraw.ImageDraw, label: Label) -> None:
    width = SIZE[0] - 2 * MARGIN
    digits = label.fingerprint.hex().upper()
    spaced = " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))
    code = grouped(label.code)
    pen.text((MARGIN, 516), "Set-up code", fill=INK, font=_font(26))
    pen.text((MARGIN, 544), code, fill=INK, font=_fitted(pen, code, 66, width))
    caption = "Certificate SHA-256"
    pen.text(
        (MARGIN, 630), f"{caption} {spaced}", fill=INK, font=_fitted(pen, f"{caption} {spaced}", 26, width)
    )
