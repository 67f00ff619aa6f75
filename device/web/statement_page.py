"""The statement of compliance as a text for people, with the lines of the printed one (SC-05).

The maker signed the statement, and the unit verified it at its start. A form that this firmware does not know is shown
as it is, item by item.

Rules:
1. The statement's words are the signed ones, so they are English on a page in any language.
2. A page in another language frames each item: a heading, and a sentence about the kind of item, which is the same on
   every unit. The frame repeats nothing that the maker declares, so it cannot say more than the maker signed.
"""

from device.compat import const
from device.errors import FirstbootError
from device.records import support
from device.web import words
from device.web.html import details, document, escape, in_english, notice, page, paragraphs, section
from device.web.pages import NOTHING, footer, title
from device.web.words import gettext as _

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.web.pages import Surroundings

_REQUIREMENTS = {
    "passwords": "Passwords (Schedule 1 paragraph 1)",
    "reporting": "Information on how to report security issues (Schedule 1 paragraph 2)",
    "support_period": "Information on minimum security update periods (Schedule 1 paragraph 3)",
}
_ROUTES = {
    "schedule-1": "the security requirement in Schedule 1",
    "schedule-2": "the deemed compliance condition in Schedule 2",
    "label": "the deemed compliance condition in Schedule 2 for a product with a current label",
}
_DEMONSTRATION = "demonstration"  # the kind of a document that is not a statement
_SPECIMEN = "This is only a demonstration of the form. It is not a statement of compliance."  # gettext
# About each item of _items, in its order.
_FRAME = (  # gettext
    ("Product", "Which product the statement is about."),
    ("Manufacturer", "Who made the product, and who acts for the manufacturer."),
    ("Who prepared the statement", "Whether it comes from the manufacturer or from someone on its behalf."),
    (
        "Declaration",
        "What the manufacturer declares, in its own opinion, about the law on passwords, on reports of security"
        " problems and on the support period.",
    ),
    ("Support period", "Until when the manufacturer provides security updates, at least."),
    ("Signature", "Who signed the statement."),
    ("Place and date", "Where and when the statement was issued."),
)
_ENGLISH = '<div lang="en" dir="ltr">'
# The members of the document that the text shows completely.
_SHOWN = (
    "product",
    "manufacturers",
    "authorised_representatives",
    "prepared_by",
    "declaration",
    "law",
    "support_period",
    "signatory",
    "issue",
    "notice",
)


def statement(info: "dict[str, Any]", content: "Any", around: "Surroundings" = NOTHING) -> "tuple[str, ...]":
    """Return the page; `content` is the decoded JSON, None without a statement."""
    body = [around.notice]
    if content is None:
        body.append(notice(_("This device has no statement of compliance.")))
    else:
        is_other = words.code() != words.ENGLISH
        if is_other:
            said = _(
                "The manufacturer signed this statement in English, and only the English text counts. The headings and"
                " the sentences below them explain it; they are not part of it."
            )
            body.append(notice(said, False))
        if is_other and isinstance(content, dict) and content.get("kind") == _DEMONSTRATION:
            body.append(notice(_(_SPECIMEN)))
        marked = content.get("notice") if isinstance(content, dict) else None
        body.append(in_english(notice(str(marked))) if marked else "")
        try:
            body += _text(content, is_other)
        except (AttributeError, FirstbootError, IndexError, KeyError, TypeError, ValueError):
            body.append(_ENGLISH if is_other else "")
            body += ["<section>"] + document(content) + ["</section>"]
            body.append("</div>" if is_other else "")
        hint = _(
            "SHA-256 of the signed statement. The manufacturer's archive lists the statement under the same value:"
        )
        digest = escape(info.get("statement_sha256") or _("not known"))
        code = '<p><code dir="ltr">' + digest + "</code></p>"
        body.append(section(_("Fingerprint"), paragraphs((hint,)) + code))
    return page(_("Statement of compliance"), title(info), body, footer(), around.nav)


def _text(content: "dict[str, Any]", is_framed: bool) -> "list[str]":
    """Return the items. Raises what _items raises, before anything is shown."""
    body = []
    for number, (heading, lines) in enumerate(_items(content)):
        if is_framed:
            body.append(_framed(_FRAME[number], heading, lines))
        else:
            body.append(section(heading, paragraphs(lines)))
    others = {name: content[name] for name in content if name not in _SHOWN}
    if others:
        shown = in_english("".join(document(others)))
        body.append(details(_("Other particulars of the signed statement"), shown))
    return body


def _framed(frame: "tuple[str, str]", heading: str, lines: "list[str]") -> str:
    about = '<p class="hint">' + escape(_(frame[1])) + "</p>"
    signed = "<h3>" + escape(heading) + "</h3>" + paragraphs(lines)
    return section(_(frame[0]), about + in_english(signed))


def _items(content: "dict[str, Any]") -> "list[tuple[str, list[str]]]":
    """Return (heading, lines) of each item of SI 2023/1007 Schedule 4 paragraph 1(1).

    Raises AttributeError, IndexError, KeyError, SupportRecordError, TypeError, ValueError for another form.
    """
    product, signatory, issue = content["product"], content["signatory"], content["issue"]
    return [
        (
            "Product",
            [
                "{} {}, {}.".format(product["brand"], product["model"], product["type"]),
                "Batch: {}.".format(product["batch"]),
            ],
        ),
        (
            "Manufacturers and authorised representatives",
            ["Manufacturer: {}, {}.".format(one["name"], one["address"]) for one in content["manufacturers"]]
            + [
                "Authorised representative: {}, {}.".format(one["name"], one["address"])
                for one in content["authorised_representatives"]
            ],
        ),
        ("Who prepared this statement", [content["prepared_by"]]),
        ("Declaration", _declaration(content)),
        ("Defined support period", _support(content["support_period"])),
        (
            "Signed",
            [
                "{}, {}.".format(signatory["name"], signatory["function"]),
                "Signature: {}.".format(signatory["signature"]),
            ],
        ),
        ("Place and date of issue", ["{}, {}.".format(issue["place"], _date(issue["date"]))]),
    ]


def _declaration(content: "dict[str, Any]") -> "list[str]":
    declared = content["declaration"]
    lines = [
        declared["opinion"],
        "The Regulations are made under the {}.".format(content["law"]["act"]),
    ]
    for name in sorted(declared["requirements"]):  # dict order means nothing on MicroPython
        entry = declared["requirements"][name]
        text = "{}: {}".format(_REQUIREMENTS[name], _ROUTES[entry["route"]])
        if "standard" in entry:
            standard = entry["standard"]
            text += ", {} {} ({})".format(standard["number"], standard["version"], standard["date"])
        if "label" in entry:
            label = entry["label"]
            text += ", {} {} number {}, valid until {}".format(
                label["scheme"], label["level"], label["number"], _date(label["expires"])
            )
        lines.append(text + ".")
    return lines


def _support(period: "dict[str, Any]") -> "list[str]":
    start = "from {} ".format(_date(period["start_date"])) if "start_date" in period else ""
    end = period["end_date"]
    length = period.get("length") or period["period"]
    return ["{}, {}until {} ({}).".format(length, start, _date(end), end), period["sentence"]]


def _date(text: str) -> str:
    """Return "2031-03-31" as "31 March 2031". Raises SupportRecordError, TypeError, ValueError."""
    year, month, day = [int(part) for part in text.split("-")]
    return support.long_date_text(support.days_from_civil(year, month, day))
