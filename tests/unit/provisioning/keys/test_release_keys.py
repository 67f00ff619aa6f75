"""`firstboot release` init, keygen, image and sign with several signers: what a maker's desk does."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from device.codec import cose
from device.crypto import lms
from device.suit import envelope as suit_envelope
from provisioning.cli.keys import app as keys_app
from provisioning.cli.release import app
from provisioning.keys.hss_signer import FORMS, HssSigner
from provisioning.keys.key_ring import KeyRing
from provisioning.keys.pkcs11_signer import PIN_VARIABLE
from provisioning.keys.public_keys import parse
from provisioning.product.example import EXAMPLE
from provisioning.release.image import ImageSigningError, append_hss, image_info, sign_image
from tests.unit.conftest import PIN


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A maker's folder, a product definition, firmware; witness files are below it too."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    (tmp_path / "product.toml").write_text(EXAMPLE)
    (tmp_path / "body.bin").write_bytes(bytes(5000))
    result = _run("keys", "init", tmp_path / "maker", "--product", tmp_path / "product.toml")
    assert result.exit_code == 0, result.output
    _image(tmp_path, "1.img", counter=3)
    return tmp_path


def _run(*arguments: object) -> Result:
    words = [str(one) for one in arguments]
    if words[0] == "keys":
        return CliRunner().invoke(keys_app, words[1:])
    return CliRunner().invoke(app, words)


def _image(desk: Path, name: str, counter: int, build: int = 1) -> None:
    key = desk / "maker" / "keys" / "image-0.pem"
    sign_image(desk / "body.bin", key, version=f"1.0.0+{build}", security_counter=counter, out=desk / name)


def _sign(desk: Path, out: str, *more: object, image: str = "1.img") -> Result:
    return _run(
        "sign", desk / image, "--out", desk / out, "--config", desk / "maker" / "firstboot.toml",
        "--mitigates", "a hole", "--interrupts", "a restart", *more,
    )  # fmt: skip


def _algorithms(desk: Path, out: str) -> list[int]:
    parts = suit_envelope.decode((desk / out / "release.suit").read_bytes())
    return [one.algorithm for each in parts.signatures for one in cose.decode(each).signers]


def test_init_makes_keys_for_sale_and_a_config_that_signs(desk: Path) -> None:
    assert not KeyRing(desk / "maker" / "keys").is_development
    result = _sign(desk, "first")
    assert result.exit_code == 0, result.output
    assert (desk / "maker" / "releases.jsonl").exists()  # relative to the file that names it


def test_init_marks_development_keys(desk: Path) -> None:
    result = _run("keys", "init", desk / "dev", "--product", desk / "product.toml", "--development")
    assert result.exit_code == 0
    assert "NOT FOR SALE" in result.output
    assert KeyRing(desk / "dev" / "keys").is_development


def test_init_refuses_a_file_that_is_no_product_definition_and_makes_no_folder(desk: Path) -> None:
    (desk / "notes.toml").write_text("a = 1")
    result = _run("keys", "init", desk / "new", "--product", desk / "notes.toml")
    assert result.exit_code == 2, result.output
    assert not (desk / "new").exists()


def test_init_never_overwrites_a_folder(desk: Path) -> None:
    before = (desk / "maker" / "keys" / "author.pem").read_bytes()
    assert _run("keys", "init", desk / "maker", "--product", desk / "product.toml").exit_code == 2
    assert (desk / "maker" / "keys" / "author.pem").read_bytes() == before


@pytest.mark.parametrize("kind", ["p256", "ed25519"])
def test_keygen_makes_a_key_file_that_signs(desk: Path, kind: str) -> None:
    result = _run("keys", "generate", "signing", "--kind", kind, "--out", desk / "new.pem", "--json")
    made = json.loads(result.stdout)
    assert (desk / "new.pem").stat().st_mode & 0o777 == 0o600
    assert _sign(desk, "first", "--signer", desk / "new.pem").exit_code == 0
    assert _algorithms(desk, "first") == [made["algorithm"]]
    checked = _run("verify", desk / "first", "--key", desk / "new.pem", "--product", desk / "product.toml")
    assert checked.exit_code == 0, checked.output


def test_generate_never_overwrites_a_key(desk: Path) -> None:
    assert _run("keys", "generate", "signing", "--out", desk / "a.pem").exit_code == 0
    before = (desk / "a.pem").read_bytes()
    assert _run("keys", "generate", "signing", "--out", desk / "a.pem").exit_code == 2
    assert (desk / "a.pem").read_bytes() == before


@pytest.mark.parametrize("kind", ["p256", "ed25519"])
def test_the_public_half_of_a_key_is_written_for_others_who_verify(desk: Path, kind: str) -> None:
    assert _run("keys", "generate", "signing", "--kind", kind, "--out", desk / "new.pem").exit_code == 0
    shown = _run("keys", "show", desk / "new.pem", "--public", desk / "new.pub", "--json")
    assert shown.exit_code == 0, shown.output
    [public] = parse((desk / "new.pub").read_bytes())
    assert public.public.hex() == json.loads(shown.stdout)["public"]
    assert b"PRIVATE" not in (desk / "new.pub").read_bytes()


def test_a_public_half_never_replaces_a_file(desk: Path) -> None:
    author = desk / "maker" / "keys" / "author.pem"
    before = author.read_bytes()
    assert _run("keys", "show", author, "--public", author).exit_code == 2
    assert author.read_bytes() == before


def test_a_tree_has_no_public_half_in_pem_and_says_which_file_to_pass_on(desk: Path) -> None:
    HssSigner.create(desk / "tree", FORMS["H5/W8"])
    refused = _run("keys", "show", desk / "tree", "--public", desk / "tree.pub")
    assert refused.exit_code == 2
    assert "public.hss" in refused.output
    assert not (desk / "tree.pub").exists()


def test_keygen_shows_the_signatures_that_are_left(desk: Path) -> None:
    made = _run("keys", "generate", "signing", "--kind", "hss", "--tree", "H5/W8", "--out", desk / "tree")
    assert "32 of 32" in made.output
    assert _sign(desk, "first", "--signer", f"hss:{desk / 'tree'}").exit_code == 0
    assert "31 of 32" in _run("keys", "show", desk / "tree").output


def test_a_token_makes_a_key_and_signs_without_a_pin_on_the_command_line(
    desk: Path,
    softhsm: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(PIN_VARIABLE, PIN)
    uri = f"pkcs11:token=maker;object=desk?module-path={softhsm}"
    made = _run("keys", "generate", "signing", "--kind", "p256", "--pkcs11", uri, "--json")
    assert made.exit_code == 0, made.output
    result = _sign(desk, "first", "--signer", uri)
    assert result.exit_code == 0, result.output
    assert PIN not in result.output + made.output
    assert _algorithms(desk, "first") == [cose.ALG_ESP256]


def test_several_signers_give_several_signatures_and_one_key_twice_is_refused(desk: Path) -> None:
    HssSigner.create(desk / "tree", FORMS["H5/W4"])
    author = desk / "maker" / "keys" / "author.pem"
    two = ("--signer", author, "--signer", f"hss:{desk / 'tree'}")
    assert _sign(desk, "first", *two).exit_code == 0
    assert _algorithms(desk, "first") == [cose.ALG_ESP256, cose.ALG_HSS_LMS]
    again = _sign(desk, "second", "--signer", author, "--signer", f"file:{author}")
    assert again.exit_code == 2
    assert "the same key" in again.output


def test_sign_warns_below_a_tenth(desk: Path) -> None:
    tree = HssSigner.create(desk / "tree", FORMS["H5/W4"])
    for _ in range(27):
        tree.sign(b"spent")
    assert "signatures left" not in _sign(desk, "first", "--signer", f"hss:{desk / 'tree'}").output
    _image(desk, "2.img", counter=3, build=2)
    result = _sign(desk, "second", "--signer", f"hss:{desk / 'tree'}", image="2.img")
    assert "3 of 32 signatures left" in result.output


def test_a_machine_that_was_set_back_as_a_whole_is_noticed_by_the_release_log(desk: Path) -> None:
    tree = HssSigner.create(desk / "tree", FORMS["H5/W4"])
    files = [desk / "tree" / "state.json", *(desk / "home").rglob("*.json")]
    kept = [file.read_bytes() for file in files]
    assert _sign(desk, "first", "--signer", f"hss:{desk / 'tree'}").exit_code == 0
    for file, content in zip(files, kept, strict=True):
        file.write_bytes(content)
    assert tree.left() == 32  # nothing on this machine shows it
    _image(desk, "2.img", counter=3, build=2)
    result = _sign(desk, "second", "--signer", f"hss:{desk / 'tree'}", image="2.img")
    assert result.exit_code == 1
    assert "release log" in result.output
    assert not (desk / "second").exists()


def test_a_security_counter_that_goes_back_is_refused(desk: Path) -> None:
    _image(desk, "2.img", counter=2, build=2)
    assert _sign(desk, "first").exit_code == 0
    result = _sign(desk, "second", image="2.img")
    assert result.exit_code == 1
    assert "security counter 2 goes back" in result.output
    _image(desk, "3.img", counter=3, build=3)
    assert _sign(desk, "third", image="3.img").exit_code == 0


def test_image_signs_with_both_algorithms_over_one_digest_and_logs_the_index(desk: Path) -> None:
    tree = HssSigner.create(desk / "tree", FORMS["H5/W4"])
    result = _run(
        "image", desk / "body.bin", "--key", desk / "maker" / "keys" / "image-0.pem", "--version", "1.2.3+4",
        "--security-counter", 1, "--out", desk / "both.img", "--hss", desk / "tree",
        "--log", desk / "log.jsonl", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    info = image_info((desk / "both.img").read_bytes())
    assert lms.hss_verify(tree.public, info.digest, info.hss_signature)
    assert json.loads((desk / "log.jsonl").read_text())["hss"] == {tree.key_id.hex(): 0}
    assert json.loads(result.stdout)["hss_index"] == 0


def test_a_second_hss_signature_on_an_image_is_refused(desk: Path) -> None:
    tree = HssSigner.create(desk / "tree", FORMS["H5/W4"])
    signed = append_hss((desk / "1.img").read_bytes(), tree)
    with pytest.raises(ImageSigningError):
        append_hss(signed, tree)
    assert tree.left() == 31  # refused before a one-time key was spent
