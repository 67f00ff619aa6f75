"""The forms of a statement that people read: text, HTML and a printable insert (PDF), from the one JSON document.

Rules:
1. Each form shows every item of Schedule 4, with its letter, and nothing that the document does not say.
2. A form of a demonstration begins with its notice.
3. The insert is the same bytes each time, with its fonts. A character that its font does not have is refused.
4. Every printed page has the statement's id and its page number.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from xml.sax.saxutils import escape

from provisioning import html_templates
from provisioning.compliance.statement import (
    KIND,
    REQUIREMENTS,
    ROUTES,
    StatementError,
    check_statement,
)
from provisioning.product.lettering import BOLD, REGULAR, face
from provisioning.product.periods import date_words

if TYPE_CHECKING:
    import jinja2

TITLE: Final = "Statement of compliance"
DEMONSTRATION_TITLE: Final = "Demonstration of a statement"
# A buyer must know this about the label. It is printed with the statement because both are in the box.
LEAFLET: Final = (
    "Keep the label of this product. You need the set-up code on it once, and again after a reset to factory"
    " settings. Nobody has a copy of the code: without the label you cannot set the product up after a reset.",
    "To set the product up, scan the QR code on the label, or type the address on the label into a browser. The"
    " browser will warn you that it does not know who made the page. That is expected: the product makes its page"
    " itself. Before you go on, open the certificate's details in the browser and compare the SHA-256 fingerprint"
    " there with the one on the label. If they differ, do not go on.",
    "If the name on the label does not work on your network, use the product's address that your router shows.",
    "If you forget the password, or before you sell or give away the product, reset it to factory settings. This erases"
    " your password and everything else that you saved on it. Then pass on the label with it.",
    "This statement is also stored in the product. The product shows it on its own page, without internet or sign-in.",
)
_TEMPLATES: Final = Path(__file__).parent / "templates"


def title(document: Mapping[str, Any]) -> str:
    return DEMONSTRATION_TITLE if document.get("kind") == KIND else TITLE


def paragraphs(document: Mapping[str, Any]) -> list[tuple[str, str, list[str]]]:
    """Return (letter, heading, lines) of every item of Schedule 4 paragraph 1(1). Raises StatementError."""
    check_statement(document)
    product, signatory, issue = document["product"], document["signatory"], document["issue"]
    makers = [
        f"{kind}: {party['name']}, {party['address']}."
        for kind, parties in (
            ("Manufacturer", document["manufacturers"]),
            ("Authorised representative", document["authorised_representatives"]),
        )
        for party in parties
    ]
    described = [f"{product['brand']} {product['model']}, {product['type']}.", f"Batch: {product['batch']}."]
    signed = [f"{signatory['name']}, {signatory['function']}.", f"Signature: {signatory['signature']}."]
    return [
        ("a", "Product", described),
        ("b", "Manufacturers and authorised representatives", makers),
        ("c", "Who prepared this statement", [document["prepared_by"]]),
        ("d", "Declaration", _declaration_lines(document)),
        ("e", "Defined support period", _support_lines(document["support_period"])),
        ("f", "Signed", signed),
        ("g", "Place and date of issue", [f"{issue['place']}, {date_words(issue['date'])}."]),
    ]


def _declaration_lines(document: Mapping[str, Any]) -> list[str]:
    declaration = document["declaration"]
    return [
        declaration["opinion"],
        f"The Regulations are made under the {document['law']['act']}.",
        *(_declared_text(name, entry) for name, entry in declaration["requirements"].items()),
    ]


def _support_lines(support: Mapping[str, Any]) -> list[str]:
    length = support.get("length") or period_text(support["period"])
    start = f"from {date_words(support['start_date'])} " if "start_date" in support else ""
    end = support["end_date"]
    return [f"{length}, {start}until {date_words(end)} ({end}).", support["sentence"]]


def footnotes(document: Mapping[str, Any]) -> list[str]:
    """Return the notes below the items: id of the statement, firmware, open points of a demonstration."""
    notes = []
    if "id" in document:
        notes.append(f"Statement {document['id']}, version {document['version']}.")
        notes.append(
            f"Firmware {document['firmware']['version']}, SHA-256 {document['firmware']['image_sha256']}."
        )
        notes.append(
            f"The manufacturer keeps this statement until at least {date_words(document['retain_until'])}."
        )
    points = document.get("open_points") or []
    if points:
        notes.append("Open points for the manufacturer's lawyer:")
        notes += [f"{number}. {point}" for number, point in enumerate(points, 1)]
    return notes


def statement_text(document: Mapping[str, Any]) -> str:
    """Return the statement as plain text. Raises StatementError."""
    lines = [document["notice"]] if "notice" in document else [TITLE]
    for letter, heading, texts in paragraphs(document):
        lines.append(f"({letter}) {heading}")
        lines += [f"    {text}" for text in texts]
    return "\n".join([*lines, *footnotes(document)]) + "\n"


def environment(*folders: Path) -> jinja2.Environment:
    """Return the environment with the templates of this package and of `folders`; it escapes every value."""
    return html_templates.environment(*folders, _TEMPLATES)


def statement_html(document: Mapping[str, Any]) -> str:
    """Return the statement as one HTML page that needs nothing else. Raises StatementError."""
    return (
        environment()
        .get_template("statement.html")
        .render(
            title=title(document),
            notice=document.get("notice"),
            paragraphs=paragraphs(document),
            notes=footnotes(document),
            leaflet=LEAFLET,
            label=document.get("id", "Demonstration"),
        )
    )


def statement_pdf(document: Mapping[str, Any]) -> bytes:
    """Return the printable insert, A5. Raises StatementError, also for characters that the font does not have."""
    from reportlab.lib.pagesizes import A5
    from reportlab.lib.units import mm
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer

    styles = _styles()
    story: list[Any] = [Paragraph(escape(title(document)), styles["title"])]
    if "notice" in document:
        story.append(Paragraph(escape(document["notice"]), styles["notice"]))
    for letter, heading, texts in paragraphs(document):
        story.append(Paragraph(escape(f"({letter}) {heading}"), styles["heading"]))
        story += [Paragraph(escape(text), styles["text"]) for text in texts]
    story.append(Spacer(0, 3 * mm))
    story += [Paragraph(escape(text), styles["note"]) for text in footnotes(document)]
    story.append(Paragraph("About the label", styles["heading"]))
    story += [Paragraph(escape(text), styles["text"]) for text in LEAFLET]
    _check_characters(
        [page_label(document), *(part.getPlainText() for part in story if isinstance(part, Paragraph))]
    )
    buffer = io.BytesIO()
    pages = SimpleDocTemplate(
        buffer,
        pagesize=A5,
        leftMargin=14 * mm,
        rightMargin=14 * mm,
        topMargin=12 * mm,
        bottomMargin=16 * mm,
        title=title(document),
        author=document["manufacturers"][0]["name"],
        invariant=1,
    )
    pages.build(story, canvasmaker=_numbered(page_label(document)))
    return buffer.getvalue()


def page_label(document: Mapping[str, Any]) -> str:
    """Return the foot of each page: the statement's id, or that it is a demonstration."""
    if "id" in document:
        return f"Statement {document['id']}, version {document['version']}"
    return f"Demonstration, {document['product']['model']}, batch {document['product']['batch']}"


def _numbered(label: str) -> type[Any]:
    """Return a canvas that writes `label` and "Page 1 of 2" at the foot of each page."""
    from reportlab.lib.pagesizes import A5
    from reportlab.lib.units import mm
    from reportlab.pdfgen.canvas import Canvas

    left = 14 * mm + 6  # the margin, and the padding of the frame that holds the text
    foot = foot_of(label, A5[0] - 2 * left)

    class Numbered(Canvas):  # type: ignore[misc]
        """A canvas that keeps the pages until their number is known."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._kept: list[dict[str, Any]] = []

        def showPage(self) -> None:
            self._kept.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for number, state in enumerate(self._kept, 1):
                self.__dict__.update(state)
                self.setFont("Insert", foot.size)
                for above, line in enumerate(reversed(foot.lines)):
                    self.drawString(left, 8 * mm + above * foot.leading, line)
                self.drawRightString(A5[0] - left, 8 * mm, f"Page {number} of {len(self._kept)}")
                super().showPage()
            super().save()

    return Numbered


class Foot(NamedTuple):
    """The foot of a page: its lines from top to bottom, the size of the letters and of a line in points."""

    lines: list[str]
    size: float
    leading: float


def foot_of(label: str, width: float) -> Foot:
    """Return the foot for a page of `width` points between its margins, with room for the page number on the right.

    A label has no spaces where it could break, so it breaks at every letter. The bottom margin holds three lines; a
    longer label gets small letters, of which four lines hold the longest model and batch of a definition.
    """
    foot = Foot(_lines_within(label, width - 60, 6.5), 6.5, 8)
    return foot if len(foot.lines) <= 3 else Foot(_lines_within(label, width - 60, 5), 5, 6)


def _lines_within(text: str, width: float, size: float) -> list[str]:
    regular = _fonts()[0]
    lines = [""]
    for character in text:
        if regular.stringWidth(lines[-1] + character, size) > width:
            lines.append("")
        lines[-1] += character
    return lines


def _fonts() -> tuple[Any, Any]:
    """Return (regular, bold), registered once."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    names = (("Insert", face(REGULAR)), ("InsertBold", face(BOLD)))
    for name, file in names:
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, file))
    return tuple(pdfmetrics.getFont(name) for name, _ in names)


def _check_characters(texts: list[str]) -> None:
    known = _fonts()[0].face.charWidths
    unknown = sorted({char for text in texts for char in text if ord(char) not in known and char != "\n"})
    if unknown:
        raise StatementError(
            [f"the insert's font has no character for {', '.join(f'U+{ord(char):04X}' for char in unknown)}"]
        )


def _styles() -> dict[str, Any]:
    from reportlab.lib.colors import HexColor
    from reportlab.lib.styles import ParagraphStyle

    _fonts()
    text = ParagraphStyle("text", fontName="Insert", fontSize=8, leading=10.5, spaceAfter=1)
    bold = ParagraphStyle("bold", parent=text, fontName="InsertBold")
    return {
        "text": text,
        "title": ParagraphStyle("title", parent=bold, fontSize=14, leading=18, spaceAfter=4),
        "heading": ParagraphStyle("heading", parent=bold, spaceBefore=5, keepWithNext=1),
        "note": ParagraphStyle("note", parent=text, fontSize=7, leading=9, splitLongWords=1),
        "notice": ParagraphStyle("notice", parent=bold, textColor=HexColor("#b00020"), spaceAfter=4),
    }


def period_text(period: str) -> str:
    """Return an ISO 8601 duration of years, months and days in words: "P5Y6M" is "5 years 6 months"."""
    units = {"Y": "year", "M": "month", "D": "day"}
    parts = re.findall(r"(\d+)([YMD])", period)
    return " ".join(f"{int(count)} {units[unit]}{'' if int(count) == 1 else 's'}" for count, unit in parts)


def _declared_text(requirement: str, declared: Mapping[str, Any]) -> str:
    text = f"{REQUIREMENTS[requirement]}: {ROUTES[declared['route']]}"
    if "standard" in declared:
        text += f", {declared['standard']['number']} {declared['standard']['version']}"
        text += f" ({declared['standard']['date']})"
    if "label" in declared:
        label = declared["label"]
        text += f", {label['scheme']} {label['level']} number {label['number']},"
        text += f" valid until {date_words(label['expires'])}"
    return text + "."
