"""The label of a unit: after the lock its set-up code is nowhere else.

Rules:
1. A label file has mode 0600 from its first byte on; its name is the serial number, which is public.
2. The QR code holds an https address. Code and fingerprint are in the fragment, which browsers do not send.
3. A label is read back from its file before the unit is locked: decoded with zxing-cpp if that is installed,
   otherwise by comparing every module of the QR code with its expected value. The result names the method.
4. Labels of units made with development keys show NOT FOR SALE, whatever the template has.
5. The PNG is the label: a PDF or ZPL for a printer is made from its dots (`label_forms.py`).
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image

from device.limits import SETUP_CODE_CHARS
from device.records.support import long_date_text
from provisioning.file_system import PRIVATE, replace_file
from provisioning.product.label_template import FIELDS, STANDARD, Template
from provisioning.product.record import day_of
from provisioning.station.label_drawing import TextTooLongError, draw, qr_place
from provisioning.station.label_words import Words

if TYPE_CHECKING:
    from provisioning.product.product import Product

SERIAL_DIGITS: Final = 6
PNG_LEVEL: Final = 1  # a fifth larger than at zlib's default level, in half the time


class LabelError(Exception):
    """The label does not read back as it was drawn. The text holds no code."""


class LabelReaderError(LabelError):
    """Labels cannot be read on this machine; this says nothing about the label itself."""


@dataclass(frozen=True)
class Label:
    """The content of a label; repr leaves code and passphrase out. `fingerprint`: SHA-256 of the web certificate."""

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
    template: Template = STANDARD
    network: str = ""  # name of the unit's access point, "" for a unit without a radio
    passphrase: str = field(default="", repr=False)
    words: Words = field(default_factory=Words)

    @property
    def texts(self) -> dict[str, str]:
        """Return the texts that a template's lines may use, by name."""
        return {name: getattr(self, name) for name in FIELDS}

    @property
    def typed_address(self) -> str:
        """Return what a person types: the address, without the path if its start page leads to set-up."""
        return self.address.removesuffix("/setup")

    @property
    def qr_text(self) -> str:
        """Return the address of the set-up page with code and certificate fingerprint in the fragment. Secret."""
        return f"{self.address}#code={self.code}&sha256={self.fingerprint.hex()}"


def require_room(product: Product, template: Template, words: Words, *, is_development: bool) -> None:
    """Raise LabelError if a text of the batch does not fit on the label, before the first unit is touched."""
    longest = product.serial_prefix + "8" * SERIAL_DIGITS
    label = Label(
        brand=product.brand,
        model=product.model,
        batch=product.batch,
        serial=longest,
        manufacturer=product.manufacturer.name,
        support_end=long_date_text(day_of(product.support.end_date)),
        address=product.setup_address.replace("{name}", "fb-00000000"),
        fingerprint=bytes(32),
        is_development=is_development,
        code="W" * SETUP_CODE_CHARS,
        template=template,
        network="fb-00000000" if product.has_access_point else "",
        passphrase="-".join(["wwww"] * 4) if product.has_access_point else "",
        words=words,
    )
    try:
        draw(label)
    except TextTooLongError as error:
        raise LabelError(f"{error}: shorten brand, model or manufacturer, or use a larger label") from None


def print_label(label: Label, path: Path) -> bytes:
    """Draw the label into `path` (PNG, mode 0600), replacing an older one. Return the bytes. Raises LabelError."""
    buffer = io.BytesIO()
    try:
        picture = draw(label)
    except TextTooLongError as error:
        raise LabelError(str(error)) from None
    dpi = (label.template.dpi, label.template.dpi)
    picture.save(buffer, format="PNG", dpi=dpi, compress_level=PNG_LEVEL)
    data = buffer.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_file(path, data, mode=PRIVATE)
    return data


def read_back(label: Label, path: Path) -> str:
    """Compare the label's file with its expected content. Return the method ("zxing-cpp" or "modules").

    Raises LabelError.
    """
    if path.stat().st_mode & 0o077:
        raise LabelError("the label's file can be read by others")
    with Image.open(path) as image:
        image.load()
        if image.size != label.template.size:
            raise LabelError("the label has another size")
        try:
            import zxingcpp
        except ImportError:
            _compare_modules(label, image)
            return "modules"
        # Only QR codes are printed. A scanner sees grey, and grey takes a tenth of the time.
        only_qr = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
        found = zxingcpp.read_barcodes(image.convert("L"), formats=only_qr)
        texts = [code.text for code in found]
    if texts != [label.qr_text]:
        raise LabelError(f"{len(texts)} codes read back; expected only the one that was printed")
    return "zxing-cpp"


@dataclass(frozen=True)
class LabelText:
    """The content of a label's QR code: address of the set-up page, certificate's SHA-256 in hex. repr has no code."""

    address: str
    fingerprint: str
    code: str = field(repr=False)


def parse_qr(text: str) -> LabelText:
    """Parse the text of a label's QR code. Raises LabelError if it is not the text of a device's label."""
    address, _, fragment = text.partition("#")
    parts = dict(part.partition("=")[::2] for part in fragment.split("&"))
    code, fingerprint = parts.get("code", ""), parts.get("sha256", "").lower()
    is_digest = len(fingerprint) == 64 and not set(fingerprint) - set("0123456789abcdef")
    if not address.startswith("https://") or not code or not is_digest:
        raise LabelError("the QR code is not that of a device's label")
    return LabelText(address, fingerprint, code)


def read_label(path: Path) -> LabelText:
    """Read a label from a picture of it; a photograph works too. Raises LabelError, OSError."""
    try:
        import zxingcpp
    except ImportError:
        raise LabelReaderError("no label can be read: install zxing-cpp") from None
    with Image.open(path) as image:
        texts = [found.text for found in zxingcpp.read_barcodes(image)]
    if len(texts) != 1:
        raise LabelError(f"the picture shows {len(texts)} readable codes; one was expected")
    return parse_qr(texts[0])


def code_on_label(path: Path) -> str | None:
    """Return the code that the label's QR shows; None if the picture shows no code of a device's label. Secret.

    Raises LabelReaderError, OSError: then nothing is known about the label.
    """
    try:
        return read_label(path).code
    except LabelReaderError:
        raise
    except LabelError:
        return None


def _compare_modules(label: Label, image: Image.Image) -> None:
    left, top, matrix = qr_place(label)
    module = label.template.module
    grey = image.convert("L")
    for row, modules in enumerate(matrix):
        for column, is_dark in enumerate(modules):
            place = (left + column * module + module // 2, top + row * module + module // 2)
            level = grey.getpixel(place)
            if not isinstance(level, int) or (level < 128) != bool(is_dark):
                raise LabelError("the QR code in the file is not the one that was drawn")
