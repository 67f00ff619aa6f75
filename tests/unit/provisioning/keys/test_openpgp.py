"""The maker's OpenPGP key: it opens complete and valid, or it is refused before anything is signed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from provisioning.keys import openpgp
from provisioning.keys.openpgp import OpenPgpKeyError, OpenPgpMissingError
from provisioning.keys.secret_input import SecretMissingError
from tests import openpgp as bench

DAY = 86400
gnupg = pytest.fixture(bench.gnupg)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return bench.private_key(tmp_path / "security.asc")


def load(path: Path, days: int = 0) -> openpgp.OpenPgpSigner:
    return openpgp.load_signer(path, int(time.time()) + days * DAY)


def test_an_independent_program_accepts_a_signature_and_refuses_one_changed_byte(
    path: Path, tmp_path: Path
) -> None:
    signer = load(path)
    signature = signer.sign(b"a document")
    assert signature.startswith(b"-----BEGIN PGP SIGNATURE-----")
    assert bench.gpgv(tmp_path / "right", signer.public.armored, b"a document", signature)
    assert not bench.gpgv(tmp_path / "changed", signer.public.armored, b"a documenu", signature)


def test_the_key_that_made_a_signature_is_found_among_several(path: Path, tmp_path: Path) -> None:
    signer, other = load(path), load(bench.private_key(tmp_path / "other.asc"))
    signature = signer.sign(b"x")
    assert openpgp.signed_by(b"x", signature, [other.public, signer.public]) == signer.public
    assert openpgp.signed_by(b"y", signature, [other.public, signer.public]) is None
    assert openpgp.signed_by(b"x", signature, [other.public]) is None
    assert openpgp.signed_by(b"x", b"no signature", [signer.public]) is None


def test_what_is_published_has_no_private_part(path: Path) -> None:
    signer = load(path)
    assert signer.public.armored.startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----")
    assert openpgp.read_public(signer.public.armored, "key").fingerprint == signer.public.fingerprint
    assert "PRIVATE" in path.read_text() and b"PRIVATE" not in signer.public.armored
    assert repr(signer) == f"OpenPgpSigner({signer.public.fingerprint})"


def test_a_private_key_given_as_a_public_one_is_refused(path: Path) -> None:
    with pytest.raises(OpenPgpKeyError, match="has a private key: a public one is needed"):
        openpgp.read_public(path.read_bytes(), "security.asc")


def test_a_key_that_others_can_read_is_refused(path: Path) -> None:
    path.chmod(0o640)
    with pytest.raises(ValueError, match="set its mode to 0600"):
        load(path)


def test_a_revoked_key_is_refused(path: Path) -> None:
    bench.revoked(path)
    with pytest.raises(OpenPgpKeyError, match=r"security\.asc is revoked"):
        load(path)


def test_a_key_that_only_decrypts_is_refused(path: Path) -> None:
    bench.without_signing_part(path)
    with pytest.raises(OpenPgpKeyError, match="no key for signatures that is valid now"):
        load(path)


@pytest.mark.parametrize(
    ("days", "message"), [(101, "expired on"), (71, "expires on .* valid for 30 days"), (69, "")]
)
def test_a_key_must_stay_valid_for_thirty_days(tmp_path: Path, days: int, message: str) -> None:
    path = bench.private_key(tmp_path / "security.asc", validity_seconds=100 * DAY)
    if not message:
        assert load(path, days).sign(b"x")
        return
    with pytest.raises(OpenPgpKeyError, match=message):
        load(path, days)


def test_a_key_of_version_6_is_refused(tmp_path: Path) -> None:
    path = bench.private_key(tmp_path / "security.asc", profile=bench.library().Profile.RFC9580)
    with pytest.raises(OpenPgpKeyError, match="not a key of version 4"):
        load(path)


def test_a_public_key_cannot_sign(path: Path, tmp_path: Path) -> None:
    public = bench.written(tmp_path / "public.asc", bench.public_key(path))
    with pytest.raises(OpenPgpKeyError, match="has no private key"):
        load(public)


@pytest.mark.parametrize(
    "data", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nMA==\n", bytes(range(256)), b"\x00" * 300_000]
)
def test_a_file_that_is_not_an_openpgp_key_is_refused(tmp_path: Path, data: bytes) -> None:
    bench.library()
    with pytest.raises(OpenPgpKeyError, match=r"other\.pem is (not an OpenPGP key|larger than)"):
        load(bench.written(tmp_path / "other.pem", data))


def test_a_file_with_two_keys_is_refused(path: Path, tmp_path: Path) -> None:
    key = bench.library().Tsk
    other = bench.private_key(tmp_path / "other.asc")
    both = b"".join(bytes(key.from_file(str(one))) for one in (path, other))
    with pytest.raises(OpenPgpKeyError, match="has 2 keys: export one only"):
        load(bench.written(tmp_path / "both.pgp", both))


@pytest.mark.parametrize("at", [30, 120, 300])
def test_a_damaged_key_is_refused(path: Path, at: int) -> None:
    data = bytearray(bytes(bench.library().Tsk.from_file(str(path))))
    del data[at : at + 7]
    with pytest.raises(OpenPgpKeyError):
        load(bench.written(path, bytes(data)))


def test_without_the_library_one_sentence_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pysequoia", None)
    with pytest.raises(
        OpenPgpMissingError, match="OpenPGP needs pysequoia, which is not installed: pip install"
    ):
        load(bench.written(tmp_path / "security.asc", b""))


def test_a_key_of_gnupg_opens_with_its_passphrase_and_with_no_other(
    tmp_path: Path, gnupg: bench.GnuPG, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bench.written(tmp_path / "gnupg.asc", gnupg.private_key("a long passphrase"))
    monkeypatch.setenv(openpgp.VARIABLE, "another passphrase")
    with pytest.raises(OpenPgpKeyError, match=r"the passphrase does not open gnupg\.asc") as refused:
        load(path)
    assert "another" not in str(refused.value)
    monkeypatch.setenv(openpgp.VARIABLE, "a long passphrase")
    signer = load(path)
    assert bench.gpgv(tmp_path / "check", signer.public.armored, b"x", signer.sign(b"x"))
    assert signer.public.fingerprint == gnupg.fingerprint()


def test_a_passphrase_that_nobody_gives_is_asked_for_by_name(
    tmp_path: Path, gnupg: bench.GnuPG, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoTerminal:
        def isatty(self) -> bool:
            return False

    path = bench.written(tmp_path / "gnupg.asc", gnupg.private_key("a long passphrase"))
    monkeypatch.delenv(openpgp.VARIABLE, raising=False)
    monkeypatch.setattr("sys.stdin", NoTerminal())
    with pytest.raises(SecretMissingError, match="set FIRSTBOOT_OPENPGP_PASSPHRASE or"):
        load(path)


def test_the_part_that_signs_must_stay_valid_for_thirty_days_too(tmp_path: Path, gnupg: bench.GnuPG) -> None:
    path = bench.written(tmp_path / "gnupg.asc", gnupg.private_key_whose_signing_part_ends(100))
    until_s = load(path).public.valid_until_s
    assert until_s is not None and until_s < time.time() + 101 * DAY
    with pytest.raises(OpenPgpKeyError, match="expires on"):
        load(path, 71)
