"""The colours of a brand: which there are, their form, and the contrast that WCAG 2.2 asks of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from firstboot.locations import own_source_root

STYLE_SHEET: Final = "device/web/style.py"  # read as text: no tool of the maker imports the pages
SCHEMES: Final = ("light", "dark")
_COLOUR: Final = re.compile(r"#[0-9a-f]{6}")
_DECLARED: Final = re.compile(r"--([a-z-]+): (#[0-9a-f]{6});")
TEXT_CONTRAST: Final = 4.5  # WCAG 2.2, 1.4.3

# (text, ground, what it is): each pair that a page shows.
PAIRS: Final = (
    ("ink", "ground", "text on the page"),
    ("ink", "card", "text on a card"),
    ("soft", "ground", "a hint on the page"),
    ("soft", "card", "a hint on a card"),
    ("accent", "ground", "a link on the page"),
    ("accent", "card", "a link on a card"),
    ("accent-ink", "accent", "the text of a button"),
    ("good", "card", "good news on a card"),
    ("warn", "card", "a warning on a card"),
    ("bad", "card", "an error on a card"),
    ("ground", "bad", "the text of the button that erases"),
)


def defaults() -> dict[str, dict[str, str]]:
    """Return {scheme: {name: "#rrggbb"}} of the pages without a brand, read from their style sheet."""
    text = (own_source_root() / STYLE_SHEET).read_text(encoding="utf-8")
    light, _, dark = text.partition("@media (prefers-color-scheme: dark)")
    blocks = {"light": light, "dark": dark}
    return {scheme: dict(_DECLARED.findall(blocks[scheme])) for scheme in SCHEMES}


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    """Return the relative luminance of "#rrggbb", 0 to 1 (WCAG 2.2, "relative luminance")."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def problems(chosen: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Return what is wrong with {scheme: {name: colour}}: unknown names, other forms, too little contrast."""
    known = defaults()
    found = []
    for scheme, colours in chosen.items():
        for name, colour in colours.items():
            if name not in known[scheme]:
                found.append(f"[{scheme}] has no colour {name!r}. Use: {', '.join(sorted(known[scheme]))}.")
            elif not isinstance(colour, str) or not _COLOUR.fullmatch(colour):
                found.append(f"[{scheme}] {name}: write a colour as #rrggbb, with lower-case digits.")
    if found:
        return found
    for scheme in SCHEMES:
        used = {**known[scheme], **{name: str(colour) for name, colour in chosen.get(scheme, {}).items()}}
        for text, ground, what in PAIRS:
            ratio = contrast(used[text], used[ground])
            if ratio < TEXT_CONTRAST:
                found.append(
                    f"[{scheme}] {text} {used[text]} on {ground} {used[ground]} ({what}): contrast "
                    f"{int(ratio * 100) / 100:.2f}:1, WCAG 2.2 asks for {TEXT_CONTRAST}:1."
                )
    return found


def style(chosen: Mapping[str, Mapping[str, str]]) -> str:
    """Return the CSS of the checked colours, to stand after style.py's."""
    light, dark = (
        "".join(f"--{name}:{colour};" for name, colour in sorted(chosen.get(scheme, {}).items()))
        for scheme in SCHEMES
    )
    text = f":root{{{light}}}\n" if light else ""
    return text + (f"@media (prefers-color-scheme: dark){{:root{{{dark}}}}}\n" if dark else "")


def landing_style(chosen: Mapping[str, Mapping[str, str]]) -> str:
    """Return the CSS for the page inside the unit's access point, which has no style sheet of its own."""
    if not any(chosen.values()):
        return ""
    used = {scheme: {**known, **chosen.get(scheme, {})} for scheme, known in defaults().items()}

    def rules(colours: Mapping[str, str]) -> str:
        return (
            f"body{{color:{colours['ink']};background:{colours['ground']}}}"
            f"a.go{{background:{colours['accent']};color:{colours['accent-ink']}}}"
        )

    return f"{rules(used['light'])}@media(prefers-color-scheme:dark){{{rules(used['dark'])}}}"
