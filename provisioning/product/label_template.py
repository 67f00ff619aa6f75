"""The layout of a label: size, resolution, lines and QR code, from a template in TOML.

Rules:
1. Lengths are millimetres, so one template prints the same on every printer; `dpi` is the printer's.
2. A template is refused when it is loaded if it omits a required text or would not be readable: the QR code of the
   longest address must fit, and one module must have at least three dots and 0.25 mm.
3. Every label has set-up code, certificate fingerprint and NOT FOR SALE; a template does not control them.
"""

from __future__ import annotations

import string
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from provisioning.product.tables import Table

MM_PER_INCH: Final = 25.4
DPI: Final = (203, 300, 600)
FIELDS: Final = ("brand", "model", "batch", "serial", "manufacturer", "support_end")
REQUIRED: Final = ("model", "batch", "serial", "support_end")
LARGEST_QR_MODULES: Final = 53  # version 9, M: the longest address (ADDRESS_CHARS) with code and fingerprint
QUIET_MODULES: Final = 4
FRAME_MM: Final = 0.5  # between the frame and the quiet zone
LINES: Final = 10


class TemplateError(ValueError):
    """The template cannot be used. `problems`: one line each."""

    def __init__(self, problems: list[str], source: str = "label template") -> None:
        self.problems = problems
        super().__init__(f"{source}: " + "; ".join(problems))


@dataclass(frozen=True)
class Line:
    """One line of text: its text with fields in braces, its height, and the gap below it (mm)."""

    text: str
    height_mm: float
    gap_mm: float


@dataclass(frozen=True)
class Template:
    """A label's layout. `module_mm`: edge of one QR module."""

    width_mm: float
    height_mm: float
    dpi: int
    margin_mm: float
    module_mm: float
    lines: tuple[Line, ...]

    def dots(self, length_mm: float) -> int:
        """Return a length in dots of the printer, rounded."""
        return round(length_mm * self.dpi / MM_PER_INCH)

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height in dots."""
        return self.dots(self.width_mm), self.dots(self.height_mm)

    @property
    def module(self) -> int:
        """Return the edge of one QR module in dots."""
        return self.dots(self.module_mm)

    @property
    def code_top_mm(self) -> float:
        """Return where the set-up code's lines begin; they fill the lower quarter of the label."""
        return self.height_mm * 0.735


STANDARD: Final = Template(
    105.0,
    59.3,
    300,
    3.4,
    0.68,
    (
        Line("{brand} {model}", 4.6, 2.0),
        Line("{manufacturer}", 2.2, 1.4),
        Line("Model {model}", 2.7, 1.4),
        Line("Batch {batch}", 2.7, 1.4),
        Line("Serial {serial}", 2.7, 1.4),
        Line("Security updates until {support_end}", 2.7, 1.4),
    ),
)


def load_template(path: Path) -> Template:
    """Return the template in a TOML file. Raises TemplateError, OSError."""
    try:
        return parse_template(path.read_text(encoding="utf-8-sig"), path.name)
    except UnicodeDecodeError as error:
        raise TemplateError([f"not UTF-8 at byte {error.start}"], path.name) from None


def parse_template(text: str, source: str = "label template") -> Template:
    """Return the template of a TOML text. Raises TemplateError with every problem found."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise TemplateError([str(error)], source) from None
    problems = [f"[{name}] is not known" for name in sorted(set(document) - {"label", "lines"})]
    table = Table(document.get("label"), "label", problems)
    template = Template(
        _length(table, "width_mm", 20, 210),
        _length(table, "height_mm", 15, 297),
        table.get("dpi", STANDARD.dpi),
        _length(table, "margin_mm", 1, 20, STANDARD.margin_mm),
        _length(table, "module_mm", 0.25, 2, STANDARD.module_mm),
        _lines(document.get("lines"), problems),
    )
    table.close()
    if template.dpi not in DPI:
        problems.append(f"[label] dpi must be one of {', '.join(map(str, DPI))}")
    if not problems:
        problems += _room(template)
    if problems:
        raise TemplateError(problems, source)
    return template


def _length(table: Table, name: str, low: float, high: float, default: float | None = None) -> float:
    value = table.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        table.problem(name, f"must be millimetres from {low} to {high}")
        return low
    return float(value)


def _lines(entries: Any, problems: list[str]) -> tuple[Line, ...]:
    if not isinstance(entries, list) or not 0 < len(entries) <= LINES:
        problems.append(f"[[lines]] must appear once to {LINES} times")
        return ()
    found, used = [], set()
    for number, entry in enumerate(entries, 1):
        table = Table(entry, f"lines no. {number}", problems)
        text = table.text("text")
        names = _fields(text)
        if names is None or not names <= set(FIELDS):
            table.problem(
                "text", f"may hold {', '.join('{' + name + '}' for name in FIELDS)} and no other field"
            )
        used |= names or set()
        found.append(Line(text, _length(table, "height_mm", 1.2, 30), _length(table, "gap_mm", 0, 30, 1.4)))
        table.close()
    missing = [name for name in REQUIRED if name not in used]
    if missing:
        problems.append(f"[[lines]] must show {', '.join('{' + name + '}' for name in missing)} (SP-12)")
    return tuple(found)


def _fields(text: str) -> set[str] | None:
    """Return the names in braces; None if the text is not a format or has more than plain names in braces."""
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError:
        return None
    if any(spec or conversion for _, name, spec, conversion in parts if name is not None):
        return None
    return {name for _, name, _, _ in parts if name is not None}


def _room(template: Template) -> list[str]:
    """Return why the label would not be readable or would overlap."""
    problems = []
    if template.module < 3:
        problems.append(
            f"[label] module_mm gives {template.module} dots at {template.dpi} dpi; three are needed"
        )
    side_mm = (LARGEST_QR_MODULES + 2 * QUIET_MODULES) * template.module_mm + FRAME_MM
    if side_mm > min(template.width_mm, template.code_top_mm):
        problems.append(f"[label] the QR code needs {side_mm:.1f} mm, above the set-up code and across")
    used = template.margin_mm + sum(line.height_mm + line.gap_mm for line in template.lines)
    if used > template.code_top_mm:
        problems.append(
            f"[[lines]] need {used:.1f} mm, above the set-up code are {template.code_top_mm:.1f} mm"
        )
    return problems
