"""The maker's logo: a small SVG or PNG, checked so that it can only be a picture.

An SVG is written again from what was checked: comments, processing instructions and declarations do not pass.
"""

from __future__ import annotations

import base64
import io
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError, register_namespace, tostring

from provisioning.brand.errors import BrandError
from provisioning.file_system import read_bounded

LOGO_BYTES: Final = 4096
HEIGHT_REM: Final = 2.5
_WIDEST: Final = 6  # width for each height: 15rem fit beside the margins of a phone
_PIXELS: Final = 512  # of a PNG, on each side
_SVG: Final = "http://www.w3.org/2000/svg"
_ELEMENTS: Final = frozenset(
    "svg g path rect circle ellipse line polyline polygon title desc defs linearGradient radialGradient stop "
    "clipPath".split()
)
_ATTRIBUTES: Final = frozenset(
    "version viewBox width height d fill fill-rule fill-opacity stroke stroke-width stroke-linecap stroke-linejoin "
    "stroke-miterlimit stroke-dasharray stroke-opacity opacity transform x y x1 y1 x2 y2 cx cy r rx ry fx fy points "
    "id offset stop-color stop-opacity gradientUnits gradientTransform clip-path clip-rule clipPathUnits".split()
)
# Names, numbers, colours and transformations; url() only of an element of the same file.
_VALUE: Final = re.compile(r"[A-Za-z0-9 ,.()#%+\n\t-]*")
_OWN_URL: Final = re.compile(r"url\(#[A-Za-z][A-Za-z0-9-]*\)")
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")
_CHUNKS: Final = (b"IHDR", b"PLTE", b"tRNS", b"sRGB", b"gAMA", b"pHYs", b"IDAT", b"IEND")
_PNG: Final = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Logo:
    """A checked picture. `ratio`: its width for each height."""

    media_type: str
    data: bytes
    ratio: float

    def style(self) -> str:
        """Return the CSS declarations that show it."""
        text = base64.b64encode(self.data).decode()
        width = f"{HEIGHT_REM * self.ratio:.2f}".rstrip("0").rstrip(".")
        return (
            f'content:"";display:block;height:{HEIGHT_REM}rem;width:{width}rem;max-width:100%;margin-bottom:.5rem;'
            f'background:url("data:{self.media_type};base64,{text}") 0/contain no-repeat'
        )


def logo_style(light: Logo | None, dark: Logo | None) -> str:
    """Return the CSS that shows the logo above the brand's name; `dark` takes its place in the dark scheme."""
    if light is None:
        return ""
    text = f"header::before{{{light.style()}}}\n[dir=rtl] header::before{{background-position:100%}}\n"
    return text + (
        f"@media (prefers-color-scheme: dark){{header::before{{{dark.style()}}}}}\n"
        if dark is not None
        else ""
    )


def read_logo(path: Path) -> Logo:
    """Return the picture in a file. Raises BrandError: unreadable, too large, or more than a picture."""
    try:
        data = read_bounded(path, LOGO_BYTES)
    except OSError as error:
        raise BrandError([f"{path.name} cannot be read: {error.strerror}."]) from None
    if data is None:
        raise BrandError(
            [f"{path.name} has more than {LOGO_BYTES} bytes. Simplify it: every page waits for it."]
        )
    logo = _png(path.name, data) if data.startswith(_PNG) else _svg(path.name, data)
    if not 1 / _WIDEST <= logo.ratio <= _WIDEST:
        raise BrandError(
            [f"{path.name} is more than {_WIDEST} times as wide as high, or the other way round."]
        )
    return logo


def _svg(name: str, data: bytes) -> Logo:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root: Any = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise BrandError([f"{name} is neither a PNG nor a well-formed SVG without a DOCTYPE."]) from None
    found = sorted(set(_svg_problems(root)))
    if root.tag != f"{{{_SVG}}}svg":
        found = [f"the root is not svg of {_SVG}"]
    if found:
        raise BrandError([f"{name}: {text}." for text in found])
    register_namespace("", _SVG)
    return Logo("image/svg+xml", tostring(root, encoding="utf-8"), _ratio(name, root))


def _svg_problems(root: Element) -> list[str]:
    found = []
    for part in root.iter():
        tag = str(part.tag)
        if tag.removeprefix(f"{{{_SVG}}}") not in _ELEMENTS or not tag.startswith(f"{{{_SVG}}}"):
            found.append(f"the element {tag.rpartition('}')[2]!r} is not allowed in a plain picture")
        for attribute, value in part.attrib.items():
            if attribute not in _ATTRIBUTES:
                found.append(
                    f"the attribute {attribute.rpartition('}')[2]!r} is not allowed in a plain picture"
                )
            elif not _VALUE.fullmatch(value) or "url" in _OWN_URL.sub("", value).lower():
                found.append(f"the attribute {attribute!r} may refer only to an element of the same file")
    return found


def _ratio(name: str, root: Element) -> float:
    sides = root.get("viewBox", "").replace(",", " ").split()
    if len(sides) != 4 or not all(_NUMBER.fullmatch(side) for side in sides):
        raise BrandError([f"{name}: give the svg element a viewBox of four numbers."])
    width, height = float(sides[2]), float(sides[3])
    if width <= 0 or height <= 0:
        raise BrandError([f"{name}: the viewBox has no area."])
    return width / height


def _png(name: str, data: bytes) -> Logo:
    from PIL import Image

    for kind in _png_chunks(name, data):
        if kind not in _CHUNKS:
            shown = kind.decode("ascii", "replace")
            raise BrandError(
                [f"{name}: remove its chunk {shown!r}. Only what shows the picture may be in it."]
            )
    width, height = struct.unpack(">II", data[16:24])
    if not (1 <= width <= _PIXELS and 1 <= height <= _PIXELS):
        raise BrandError([f"{name} has {width} x {height} pixels, more than {_PIXELS} on a side, or none."])
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            image.load()
    except (OSError, SyntaxError, ValueError):
        raise BrandError([f"{name} is a damaged PNG."]) from None
    return Logo("image/png", data, width / height)


def _png_chunks(name: str, data: bytes) -> list[bytes]:
    """Return the types of all chunks. Raises BrandError if they do not fill the file from IHDR to IEND."""
    kinds, at = [], len(_PNG)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        kinds.append(data[at + 4 : at + 8])
        at += 12 + length
        if kinds[-1] == b"IEND":
            break
    if at != len(data) or len(kinds) < 3 or kinds[0] != b"IHDR" or kinds[-1] != b"IEND":
        raise BrandError([f"{name} is a damaged PNG, or something follows the picture."])
    return kinds
