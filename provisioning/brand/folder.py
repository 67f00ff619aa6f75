"""A maker's brand: the folder `brand` beside the product definition, and the module that the firmware freezes of it.

`brand.toml` has the colours of the schemes `light` and `dark`, and names the logo, the languages and the language of
the label. Everything is checked here, before a build or a run uses any of it; the words of the label, which no firmware
has, in provisioning/station/label_words.py.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from provisioning.brand import colours, languages
from provisioning.brand.errors import BrandError
from provisioning.brand.languages import ENGLISH, Language
from provisioning.brand.logo import Logo, logo_style, read_logo
from provisioning.file_system import read_bounded

FOLDER: Final = "brand"
FILE: Final = "brand.toml"
MODULE: Final = "device/web/brand.py"  # the frozen module that is replaced
_FILE_BYTES: Final = 16_384
_LOGOS: Final = ("logo", "logo_dark")
_LANGUAGES: Final = "languages"
_LABEL: Final = "label"
_FONT_BYTES: Final = 4_194_304
_HEAD: Final = '"""Generated from the maker\'s brand folder: the look of the local pages."""\n\n'


@dataclass(frozen=True)
class Brand:
    """A checked brand. `colours`: {scheme: {name: "#rrggbb"}}; `label_font`: None for the label's own font."""

    colours: dict[str, dict[str, str]] = field(default_factory=dict)
    logo: Logo | None = None
    logo_dark: Logo | None = None
    languages: tuple[Language, ...] = ()
    label_language: str = ENGLISH
    label_font: Path | None = None

    def constants(self) -> dict[str, Any]:
        """Return the constants of the module device.web.brand by name."""
        return {
            "STYLE": colours.style(self.colours)
            + logo_style(self.logo, self.logo_dark)
            + languages.style(self.languages),
            "LANDING_STYLE": colours.landing_style(self.colours),
            **languages.constants(self.languages),
        }

    def module_text(self) -> str:
        """Return the module that a build freezes in place of device/web/brand.py, the same for the same brand."""
        return _HEAD + "".join(f"{name} = {value!r}\n" for name, value in sorted(self.constants().items()))


def brand_of(product: Path | None) -> Brand | None:
    """Return the brand beside a product definition, None without a folder `brand`. Raises BrandError."""
    if product is None:
        return None
    folder = product.absolute().parent / FOLDER
    return load(folder) if folder.is_dir() else None


def load(folder: Path) -> Brand:
    """Return the checked brand of a folder. Raises BrandError with every problem that was found."""
    document = _document(folder / FILE)
    unknown = sorted(set(document) - {*_LOGOS, *colours.SCHEMES, _LANGUAGES, _LABEL})
    problems = [f"{FILE} has no entry {name!r}." for name in unknown]
    chosen = {scheme: document.get(scheme, {}) for scheme in colours.SCHEMES}
    if not all(isinstance(found, dict) for found in chosen.values()):
        raise BrandError([*problems, f"{FILE}: [light] and [dark] are tables of colours."])
    problems += [f"{FILE}: {text}" for text in colours.problems(chosen)]
    pictures: dict[str, Logo] = {}
    for name in _LOGOS:
        if name in document:
            try:
                pictures[name] = read_logo(_named(folder, name, document[name]))
            except BrandError as error:
                problems += error.problems
    if "logo_dark" in document and "logo" not in document:
        problems.append(f"{FILE}: logo_dark needs a logo for the light scheme.")
    spoken: tuple[Language, ...] = ()
    try:
        spoken = languages.read(folder, document.get(_LANGUAGES, {}))
    except BrandError as error:
        problems += [text if ".po" in text else f"{FILE}: {text}" for text in error.problems]
    if problems:
        raise BrandError(problems)
    label = _label(folder, document.get(_LABEL, {}), spoken)
    return Brand(chosen, pictures.get("logo"), pictures.get("logo_dark"), spoken, *label)


def _label(folder: Path, found: object, spoken: tuple[Language, ...]) -> tuple[str, Path | None]:
    """Return language and font of the label. Raises BrandError."""
    if not isinstance(found, dict) or set(found) - {"language", "font"}:
        raise BrandError([f"{FILE}: [label] has the entries language and font."])
    code, font = found.get("language", ENGLISH), None
    if code not in (ENGLISH, *(one.code for one in spoken)):
        raise BrandError([f"{FILE}: [label] language is en or a language of [languages], not {code!r}."])
    if "font" in found:
        font = _named(folder, "[label] font", found["font"])
        if not font.is_file() or font.stat().st_size > _FONT_BYTES:
            raise BrandError([f"{FILE}: [label] font is not a file of at most {_FONT_BYTES} bytes."])
    return code, font


def _document(path: Path) -> dict[str, Any]:
    try:
        data = read_bounded(path, _FILE_BYTES)
        if data is None:
            raise BrandError([f"{FILE} has more than {_FILE_BYTES} bytes."])
        return tomllib.loads(data.decode())
    except OSError as error:
        raise BrandError([f"{path} cannot be read: {error.strerror}."]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BrandError([f"{FILE} is not TOML: {error}."]) from None


def _named(folder: Path, name: str, value: object) -> Path:
    """Return the file of the folder that an entry names. Raises BrandError for anything but a plain file name."""
    if not isinstance(value, str) or not value or Path(value).name != value or "\0" in value:
        raise BrandError([f"{FILE}: {name} is the name of a file in the same folder."])
    return folder / value
