"""A secret has one form, however it reaches a command."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning.keys.secret_input import SecretMissingError, from_environment, require_typable

COMPOSED = "caf\u00e9 noir"


@pytest.mark.parametrize("stored", ["cafe\u0301 noir", COMPOSED + "\r\n", COMPOSED + "\n\n"])
def test_a_variable_gives_the_same_secret(stored: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_PIN", stored)
    assert from_environment("SOME_PIN") == COMPOSED


@pytest.mark.parametrize("stored", ["\ufeff" + COMPOSED, "cafe\u0301 noir\r\n", COMPOSED])
def test_a_file_gives_the_same_secret(stored: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pin"
    path.write_bytes(stored.encode())
    path.chmod(0o600)
    monkeypatch.setenv("SOME_PIN_FILE", str(path))
    assert from_environment("SOME_PIN") == COMPOSED


def test_a_file_of_line_ends_is_empty_and_spaces_belong_to_the_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pin"
    path.write_bytes(b"\n\r\n")
    path.chmod(0o600)
    monkeypatch.setenv("SOME_PIN_FILE", str(path))
    with pytest.raises(SecretMissingError, match="empty"):
        from_environment("SOME_PIN")
    path.write_bytes(b" 1 \n")
    assert from_environment("SOME_PIN") == " 1 "


@pytest.mark.parametrize("character", ["\t", "\u200b", "\u00ad", "\u202e", "\ue000", "\n"])
def test_a_new_secret_has_no_character_that_nobody_can_type(character: str) -> None:
    with pytest.raises(ValueError, match="not visible"):
        require_typable("long enough " + character)
    require_typable("long enough \u00e9 \U0001f511")
