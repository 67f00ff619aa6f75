"""The logo of a brand can only be a small picture: no script, no reference, nothing hidden beside it."""

import base64
import io
import re
import zlib
from pathlib import Path

import pytest
from PIL import Image

from provisioning.brand import logo
from provisioning.brand.errors import BrandError

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 30 10">'
GOOD = HEAD + '<path d="M0 0h30v10z" fill="#123456"/></svg>'


def png(size: tuple[int, int] = (30, 10), **more: object) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "#123456").save(file, "PNG", **more)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def read(folder: Path, content: str | bytes) -> logo.Logo:
    path = folder / "logo"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return logo.read_logo(path)


def test_a_plain_picture_is_taken(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    assert (found.media_type, found.ratio) == ("image/svg+xml", 3)
    assert b'd="M0 0h30v10z"' in found.data
    found = read(tmp_path, png())
    assert (found.media_type, found.ratio, found.data) == ("image/png", 3, png())


def test_only_what_was_checked_of_an_svg_goes_into_the_firmware(tmp_path: Path) -> None:
    found = read(tmp_path, "<?xml-stylesheet href='https://x.example/'?><!-- secret -->" + GOOD)
    assert b"secret" not in found.data and b"example" not in found.data and b"<path" in found.data


@pytest.mark.parametrize(
    "part",
    [
        "<script>alert(1)</script>",
        '<path onclick="x()"/>',
        '<path style="fill:url(https://x.example/)"/>',
        "<style>@import url(https://x.example/);</style>",
        '<image href="https://x.example/a.png"/>',
        '<use href="#a"/>',
        '<a href="https://x.example/"><path/></a>',
        "<foreignObject><p/></foreignObject>",
        '<animate attributeName="d"/>',
        '<path fill="url(https://x.example/#a)"/>',
        '<path fill="url(  https://x.example/#a)"/>',
        '<path fill="URL(//x.example/#a)"/>',
        '<path fill="url(#a) url(//x)"/>',
        '<path fill="&quot;&gt;&lt;script&gt;"/>',
        '<path xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="javascript:x()"/>',
        '<script xmlns="http://www.w3.org/1999/xhtml">alert(1)</script>',
    ],
)
def test_an_svg_with_more_than_a_picture_is_refused(tmp_path: Path, part: str) -> None:
    with pytest.raises(BrandError, match="logo"):
        read(tmp_path, HEAD + part + "</svg>")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "GIF89a",
        "<html/>",
        "<svg/>",
        '<!DOCTYPE svg [<!ENTITY a "b">]>' + GOOD,
        GOOD[:-3],
        HEAD.replace(' viewBox="0 0 30 10"', "") + "</svg>",
        HEAD.replace("0 0 30 10", "0 0 0 10") + "</svg>",
        HEAD.replace("0 0 30 10", "0 0 nan 10") + "</svg>",
        HEAD.replace("0 0 30 10", "0 0 610 100") + "</svg>",
        HEAD.replace("0 0 30 10", "0 0 100 610") + "</svg>",
        HEAD + "<g>" * 20000,
        HEAD + "<!--" + "x" * logo.LOGO_BYTES + "--></svg>",
        b"\xff\xfe\x00",
        b'<?xml version="1.0" encoding="no-such"?>' + GOOD.encode(),
    ],
)
def test_what_is_no_small_picture_is_refused(tmp_path: Path, content: str | bytes) -> None:
    with pytest.raises(BrandError, match="logo"):
        read(tmp_path, content)


@pytest.mark.parametrize(
    "data",
    [
        png()[:-4],
        png()[:-12],
        png() + b"\0",
        png()[:33] + chunk(b"tEXt", b"Comment\0secret") + png()[33:],
        png()[:33] + chunk(b"IDAT", b"no deflate") + png()[-12:],
        png()[:33] + (1 << 31).to_bytes(4, "big") + b"IDAT",
        png((513, 200)),
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_a_png_with_more_or_less_than_a_picture_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BrandError, match="logo"):
        read(tmp_path, data)


def test_a_file_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(BrandError, match=r"logo\.svg cannot be read"):
        logo.read_logo(tmp_path / "logo.svg")


def test_the_style_contains_the_picture_and_its_size(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    text = logo.logo_style(found, None)
    (encoded,) = re.findall(r'url\("data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)"\)', text)
    assert base64.b64decode(encoded) == found.data
    assert "height:2.5rem;width:7.5rem" in text and "prefers-color-scheme" not in text
    assert "prefers-color-scheme: dark" in logo.logo_style(found, found)
