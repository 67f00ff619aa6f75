"""The colours of a brand: the contrast that WCAG 2.2 asks for, with and without a brand."""

import pytest

from provisioning.brand import colours


def test_contrast_is_that_of_wcag() -> None:
    assert colours.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert colours.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # W3C's own example
    assert colours.contrast("#ffffff", "#777777") == colours.contrast("#777777", "#ffffff")
    assert colours.contrast("#0000ff", "#ffffff") == pytest.approx(8.59, abs=0.005)


def test_the_pages_without_a_brand_have_enough_contrast() -> None:
    assert set(colours.defaults()["light"]) == set(colours.defaults()["dark"]) >= {"ink", "accent-ink"}
    assert colours.problems({}) == []


def test_each_pair_is_checked_in_each_scheme() -> None:
    for scheme in colours.SCHEMES:
        known = colours.defaults()[scheme]
        for text, ground, _ in colours.PAIRS:
            found = colours.problems({scheme: {text: known[ground]}})
            assert any(f"[{scheme}] {text} {known[ground]} on {ground}" in one for one in found), (
                text,
                ground,
            )


def test_a_colour_is_checked_against_the_defaults_that_stay() -> None:
    found = colours.problems({"light": {"ground": "#202020"}})
    assert any("ink #16202c on ground #202020" in one for one in found)


@pytest.mark.parametrize(
    "colour",
    ["#FFFFFF", "#fff", "red", "#12345", "#1234567", "#ffffff;}", "var(--ink)", 0xFFFFFF, None, ["#ffffff"]],
)
def test_a_colour_has_one_form(colour: object) -> None:
    assert colours.problems({"light": {"accent": colour}}) == [
        "[light] accent: write a colour as #rrggbb, with lower-case digits."
    ]


def test_an_unknown_colour_names_the_known_ones() -> None:
    (found,) = colours.problems({"dark": {"primary": "#ffffff"}})
    assert "'primary'" in found and "accent-ink" in found


def test_the_style_overrides_only_what_was_chosen() -> None:
    assert colours.style({}) == "" and colours.landing_style({"light": {}, "dark": {}}) == ""
    assert colours.style({"light": {"ink": "#101010"}}) == ":root{--ink:#101010;}\n"
    dark = colours.style({"dark": {"ink": "#f0f0f0"}})
    assert dark == "@media (prefers-color-scheme: dark){:root{--ink:#f0f0f0;}}\n"
    assert "a.go{background:#0b5cad;" in colours.landing_style({"light": {"ink": "#101010"}})
