"""`firstboot brand`: how complete the languages of a brand are, and the template for a new one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from typer.testing import CliRunner

from provisioning.brand.texts import texts
from provisioning.cli.brand import app

BRAND = Path(__file__).parents[4] / "examples" / "product" / "brand"


def test_check_says_how_complete_each_language_is(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(BRAND), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)["languages"]
    rows = [(row["code"], row["direction"], row["translated"], row["missing"]) for row in found]
    assert rows == [("ar", "rtl", len(texts()), []), ("fr", "ltr", len(texts()), [])]
    assert all("Measure now" in row["others"] for row in found)


def test_check_lists_the_texts_that_stay_english(tmp_path: Path) -> None:
    made = Path(shutil.copytree(BRAND, tmp_path / "brand"))
    (made / "brand.toml").write_text('[languages]\ncy = "Cymraeg"\n')
    own = made / "locale" / "cy" / "LC_MESSAGES" / "owner.po"
    own.parent.mkdir(parents=True)
    own.write_text(
        'msgid ""\nmsgstr "Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\nmsgid "Save"\nmsgstr "Cadw"\n'
    )
    result = CliRunner().invoke(app, ["check", str(made), "--missing"])
    assert result.exit_code == 0, result.output
    assert f"Cymraeg: 1 of {len(texts())} texts" in result.output and "missing: Sign in" in result.output


def test_texts_writes_a_template(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["texts", "--to", str(tmp_path / "owner.pot")])
    assert result.exit_code == 0, result.output
    assert 'msgid "Set up your device"' in (tmp_path / "owner.pot").read_text(encoding="utf-8")
