"""Files of private keys that others can read or write are refused, for every kind of key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.compliance.issue import draw_key, open_key
from provisioning.compliance.statement import StatementError
from provisioning.keys.file_signer import FileSigner, load_file_signer
from provisioning.keys.pem import MARKER, private_pem, write_private
from provisioning.registry.sealed import ServerPrivateKey

PHRASE = "a phrase of nobody else"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    write_private(tmp_path / "author.pem", private_pem(ec.generate_private_key(ec.SECP256R1())))
    return tmp_path / "author.pem"


@pytest.mark.parametrize("mode", [0o666, 0o644, 0o620, 0o604])
@pytest.mark.parametrize("load", [FileSigner.load, load_file_signer, ServerPrivateKey.load])
def test_a_key_that_others_can_read_or_write_is_refused_with_the_next_step(
    load: Callable[[Path], object], mode: int, key: Path
) -> None:
    assert load(key) is not None
    key.chmod(mode)
    with pytest.raises(ValueError, match=r"read or written by others.*chmod 600"):
        load(key)


def test_a_signatorys_key_that_others_can_read_is_refused_although_it_has_a_passphrase(
    tmp_path: Path,
) -> None:
    draw_key(tmp_path / "me.pem", PHRASE)
    (tmp_path / "me.pem").chmod(0o640)
    with pytest.raises(StatementError, match="others"):
        open_key(tmp_path / "me.pem", PHRASE)


def test_a_development_key_may_have_any_mode(key: Path) -> None:
    key.chmod(0o644)
    (key.parent / MARKER).touch()
    assert FileSigner.load(key).key_id
