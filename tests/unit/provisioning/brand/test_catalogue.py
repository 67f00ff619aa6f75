"""A catalogue goes into a signed image: an entry that could break a page or say something else stops the build."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning.brand import catalogue, languages
from provisioning.brand.errors import BrandError
from provisioning.brand.languages import file_of
from provisioning.brand.template import template
from provisioning.brand.texts import Text, texts

HEAD = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n"Plural-Forms: {}\\n"\n\n'
TWO = "nplurals=2; plural=(n != 1);"
KNOWN = {
    "Save": Text("Save"),
    "On, but paused until {}.": Text("On, but paused until {}."),
    "{0} to {1}": Text("{0} to {1}"),
    "{} day": Text("{} day", "{} days"),
    "Error: ": Text("Error: "),
}


def written(folder: Path, entries: str, plural: str = TWO) -> Path:
    path = folder / "owner.po"
    path.write_text(HEAD.format(plural) + entries, encoding="utf-8")
    return path


def entry(one: str, translation: str) -> str:
    return f'msgid "{one}"\nmsgstr "{translation}"\n\n'


def days(*forms: str) -> str:
    lines = "".join(f'msgstr[{index}] "{form}"\n' for index, form in enumerate(forms))
    return f'msgid "{{}} day"\nmsgid_plural "{{}} days"\n{lines}\n'


def refused(path: Path) -> str:
    with pytest.raises(BrandError) as caught:
        catalogue.read(path, KNOWN)
    return "\n".join(caught.value.problems)


def test_a_good_catalogue_gives_its_entries_and_forms(tmp_path: Path) -> None:
    path = written(
        tmp_path, entry("Save", "Sichern") + entry("{0} to {1}", "{1} bis {0}") + days("{} Tag", "{} Tage")
    )
    found = catalogue.read(path, KNOWN)
    assert found.entries == {"Save": "Sichern", "{0} to {1}": "{1} bis {0}", "{} day": ("{} Tag", "{} Tage")}
    assert found.forms[:4] == b"\1\0\1\1" and len(found.forms) == catalogue.FORMS


def test_an_empty_a_fuzzy_and_an_obsolete_entry_count_as_missing(tmp_path: Path) -> None:
    text = (
        entry("Save", "") + "#, fuzzy\n" + entry("Error: ", "Fehler: ") + '#~ msgid "Old"\n#~ msgstr "Alt"\n'
    )
    assert catalogue.read(written(tmp_path, text), KNOWN).entries == {}


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        (entry("On, but paused until {}.", "An, pausiert."), "placeholders"),
        (entry("On, but paused until {}.", "An bis {} {}."), "placeholders"),
        (entry("On, but paused until {}.", "An bis {0}."), "placeholders"),
        (entry("{0} to {1}", "{0} bis {0}"), "placeholders"),
        (entry("Save", "Sichern {}"), "placeholders"),
        (entry("Save", "Sichern {x!r}"), "placeholders"),
        (entry("Save", "Sichern }"), "placeholders"),
        (entry("Save", "<b>Sichern</b>"), "markup"),
        (entry("Save", "Sichern&nbsp;jetzt"), "markup"),
        (entry("Save", "Sichern&#x3c;"), "markup"),
        (entry("Save", "\u202eSichern"), "U+202E"),
        (entry("Save", "Sich\u2067ern"), "U+2067"),
        (entry("Save", "Sich\u200bern"), "U+200B"),
        (entry("Save", "Sichern\\n"), "U+000A"),
        (entry("Save", "\ue000"), "U+E000"),
        (entry("Save", "S" * 39), "39 characters, at most 38"),
        (entry("Error: ", "Fehler:"), "blanks"),
        (entry("Save", " Sichern"), "blanks"),
        ('msgctxt "button"\n' + entry("Save", "Sichern"), "context"),
        (days("{} Tag"), "1 plural forms"),
        (days("{} Tag", "{} Tage", "{} Tage"), "3 plural forms"),
        (days("{} Tag", "Tage"), "placeholders"),
        (entry("{} day", "{} Tag"), "msgid_plural must be"),
        ('msgid "Save"\nmsgid_plural "Saves"\nmsgstr[0] "a"\nmsgstr[1] "b"\n', "no plural"),
        (entry("Save", "A") + entry("Save", "B"), "not a PO file"),
        ('msgid "Save\nmsgstr', "not a PO file"),
    ],
)
def test_a_bad_entry_is_refused(tmp_path: Path, entries: str, problem: str) -> None:
    assert problem in refused(written(tmp_path, entries))


def test_a_form_for_one_number_alone_may_spell_it_out(tmp_path: Path) -> None:
    found = catalogue.read(written(tmp_path, days("morgen", "{} Tage")), KNOWN)
    assert found.entries["{} day"] == ("morgen", "{} Tage")


def test_joiners_that_a_script_needs_are_allowed(tmp_path: Path) -> None:
    found = catalogue.read(written(tmp_path, entry("Save", "\u0645\u06cc\u200c\u062e\u0648")), KNOWN)
    assert "\u200c" in found.entries["Save"]


@pytest.mark.parametrize(
    "plural",
    [
        "",
        "nplurals=2",
        "nplurals=2; plural=n ? ;",
        "nplurals=2; plural=__import__('os');",
        "nplurals=1; plural=(n != 1);",
        "nplurals=0; plural=0;",
        "nplurals=2; plural=n % 0;",
        "nplurals=2; plural=(n == 1000);",
        "nplurals=2; plural=" + "(" * 300 + "n" + ")" * 300 + ";",
        "nplurals=9; plural=n % 9;",
    ],
)
def test_a_plural_rule_that_a_unit_cannot_follow_is_refused(tmp_path: Path, plural: str) -> None:
    assert "Plural-Forms" in refused(written(tmp_path, days("{} a", "{} b"), plural))


@pytest.mark.parametrize(
    "plural",
    [
        "nplurals=1; plural=0;",
        "nplurals=2; plural=(n > 1);",
        "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);",
        "nplurals=4; plural=(n==1) ? 0 : (n==2) ? 1 : (n != 8 && n != 11) ? 2 : 3;",
        "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5);",
    ],
)
def test_the_usual_plural_rules_are_taken(tmp_path: Path, plural: str) -> None:
    assert len(catalogue.read(written(tmp_path, "", plural), KNOWN).forms) == catalogue.FORMS


@pytest.mark.parametrize("data", [b"\xff\xfe", b"\0" * 50, b"x" * (catalogue.FILE_BYTES + 1), b""])
def test_a_file_of_another_form_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "owner.po").write_bytes(data)
    assert refused(tmp_path / "owner.po")


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ({"french": "Français"}, "BCP 47"),
        ({"../x": "X"}, "BCP 47"),
        ({"fr": ""}, "own name"),
        ({"fr": "<b>"}, "own name"),
        ({"fr": 3}, "own name"),
        ({"cy": "Cymraeg"}, "no catalogue locale/cy/LC_MESSAGES/owner.po"),
        ("fr", "a table"),
        ({f"a{letter}": "X" for letter in "abcdefghi"}, "at most 8"),
    ],
)
def test_a_language_that_cannot_be_is_refused(tmp_path: Path, named: object, problem: str) -> None:
    with pytest.raises(BrandError, match=problem):
        languages.read(tmp_path, named)


def test_the_makers_texts_come_before_those_that_are_shipped(tmp_path: Path) -> None:
    own = file_of(tmp_path / "locale", "fr")
    own.parent.mkdir(parents=True)
    own.write_text(HEAD.format("nplurals=2; plural=(n > 1);") + entry("Save", "Garder"), encoding="utf-8")
    found = languages.read(tmp_path, {"fr": "Français"})[0]
    assert found.catalogue.entries["Save"] == "Garder" and found.catalogue.entries["Status"] == "État"


@pytest.mark.parametrize(
    ("code", "is_right_to_left"),
    [("he", True), ("ar-EG", True), ("pa-Arab", True), ("fr", False), ("az-Latn", False)],
)
def test_the_direction_follows_from_the_code(code: str, is_right_to_left: bool) -> None:
    found = languages.Language(code, "x", catalogue.Catalogue({}, bytes(catalogue.FORMS)))
    assert found.is_right_to_left is is_right_to_left


def test_no_text_is_used_with_a_number_and_without_one() -> None:
    for one, text in texts().items():
        others = [other for other in texts().values() if other.many == one]
        assert not others, text


def test_the_template_has_every_text_and_is_a_catalogue_without_translations(tmp_path: Path) -> None:
    import polib

    found = polib.pofile(template(texts()))
    assert [item.msgid for item in found] == list(texts()) and len(found) > 250
    assert template(texts()) == template(texts())
