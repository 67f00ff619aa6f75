"""The names of modules below `firstboot`, in source text."""

from __future__ import annotations

import pytest

from firstboot.renaming import RenamingError, renamed

MODULES = frozenset({"device", "device.errors", "provisioning", "provisioning.cli", "provisioning.cli.main"})


def test_import_statements_and_whole_strings_are_renamed_and_lines_keep_their_numbers() -> None:
    text = 'from device.errors import (\n    LinkError,\n)\nENTRY = "provisioning.cli.main:main"\n'
    assert renamed(text, MODULES) == (
        'from firstboot.device.errors import (\n    LinkError,\n)\nENTRY = "firstboot.provisioning.cli.main:main"\n'
    )


@pytest.mark.parametrize(
    "text",
    [
        'name = "device.crt"\n',
        'text = "see device.errors for codes"\n',
        "device = 1\n",
        "from . import device\n",
    ],
)
def test_a_record_a_sentence_and_a_variable_keep_their_text(text: str) -> None:
    assert renamed(text, MODULES) == text


def test_a_name_after_characters_of_several_bytes_is_found() -> None:
    assert renamed('pair = "é", "device.errors"\n', MODULES) == 'pair = "é", "firstboot.device.errors"\n'


def test_two_names_on_one_line_are_renamed() -> None:
    assert renamed('pair = "device.errors", "provisioning.cli"\n', MODULES) == (
        'pair = "firstboot.device.errors", "firstboot.provisioning.cli"\n'
    )


def test_an_import_that_would_bind_another_name_is_refused() -> None:
    with pytest.raises(RenamingError, match="NAME"):
        renamed("import device.errors\n", MODULES)
    assert renamed("import device as one\n", MODULES) == "import firstboot.device as one\n"
