"""`firstboot release`: sign, inspect and verify as a person or a script calls them."""

import json
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner, Result

from device.suit import envelope as suit_envelope
from device.trust import anchors as trust_anchors
from provisioning.cli.release import app
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.key_ring import KeyRing
from provisioning.keys.pem import private_pem, write_private
from provisioning.product.example import EXAMPLE
from provisioning.product.product import load_product
from provisioning.release import payload as payload_module
from provisioning.release.delta import apply_patch, has_detools
from provisioning.release.image import sign_image
from provisioning.release.log import LogEntry, ReleaseLog, ReleaseLogError
from provisioning.release.release import Release, anchors_of, build_release


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A maker's desk: image, product definition, author's key, anchors of a unit, one signed release."""
    desk = tmp_path_factory.mktemp("desk")
    write_private(desk / "image.pem", private_pem(ec.generate_private_key(ec.SECP256R1())))
    author = ec.generate_private_key(ec.SECP256R1())
    write_private(desk / "author.pem", private_pem(author))
    public = author.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (desk / "author.pub").write_bytes(public)
    (desk / "product.toml").write_text(EXAMPLE)
    (desk / "body.bin").write_bytes(bytes(9000))
    sign_image(
        desk / "body.bin", desk / "image.pem", version="1.2.3+4", security_counter=5, out=desk / "1.img"
    )
    ids = load_product(desk / "product.toml")
    anchors = anchors_of(ids.vendor_id, ids.class_id, FileSigner.load(desk / "author.pem"))
    (desk / "anchors").write_bytes(trust_anchors.encode(anchors))
    result = _sign(desk, "first", desk / "first.jsonl")
    assert result.exit_code == 0, result.output
    return desk


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


def _verify(desk: Path, name: str, *more: object) -> Result:
    return _run("verify", desk / name, "--key", desk / "author.pub", *more)


def _sign(desk: Path, out: str, log: Path, *more: object) -> Result:
    return _run(
        "sign", desk / "1.img", "--out", desk / out, "--product", desk / "product.toml",
        "--mitigates", "a hole", "--interrupts", "one restart", "--log", log,
        *(more if "--keys" in more else ("--key", desk / "author.pem", *more)),
    )  # fmt: skip


def test_sign_makes_a_release_that_verify_accepts(bench: Path) -> None:
    result = _run("verify", bench / "first", "--anchors", bench / "anchors")
    assert result.exit_code == 0, result.output
    assert "as a unit with these anchors would" in result.output
    assert "1.2.3+4" in result.output
    assert "a hole" in result.output


def test_sign_says_in_json_what_it_did(bench: Path, tmp_path: Path) -> None:
    result = _sign(bench, "json", tmp_path / "log", "--json")
    document = json.loads(result.stdout)
    assert document["sequence_number"] == 4
    assert document["security_counter"] == 5
    assert document["payload_sha256"] == Release.load(bench / "json").payload_digest.hex()


def test_a_release_has_the_build_number_of_its_image(bench: Path, tmp_path: Path) -> None:
    assert _sign(bench, "n4", tmp_path / "log").exit_code == 0
    assert Release.load(bench / "n4").sequence_number == 4


def test_sign_refuses_an_image_of_another_build_than_the_release(bench: Path, tmp_path: Path) -> None:
    result = _sign(bench, "n5", tmp_path / "log", "--sequence", 5)
    assert result.exit_code == 2
    assert "sign the image as +5" in result.output
    assert not (bench / "n5").exists()
    assert not (tmp_path / "log").exists() or not (tmp_path / "log").read_text()


@pytest.mark.parametrize("number", [3, 4])
def test_sign_refuses_a_sequence_number_that_does_not_go_forward(
    bench: Path, tmp_path: Path, number: int
) -> None:
    log = tmp_path / "log"
    assert _sign(bench, f"back-{number}", log).exit_code == 0
    before = log.read_text()
    result = _sign(bench, f"again-{number}", log, "--sequence", number)
    assert result.exit_code == 1
    assert "does not go forward: 4" in result.output
    assert not (bench / f"again-{number}").exists()
    assert log.read_text() == before


def test_sign_does_not_overwrite_a_release(bench: Path, tmp_path: Path) -> None:
    result = _sign(bench, "first", tmp_path / "log")
    assert result.exit_code == 2
    assert "contains a release already" in result.output


def test_sign_refuses_what_is_no_boot_image(bench: Path, tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    result = _run(
        "sign", bench / "body.bin", "--out", bench / "no", "--product", bench / "product.toml",
        "--mitigates", "x", "--interrupts", "x", "--log", tmp_path / "log", "--key", bench / "author.pem",
    )  # fmt: skip
    assert result.exit_code == 1
    assert "refused (217)" in result.output
    assert (tmp_path / "log").read_text() == ""


def test_sign_wants_one_source_of_the_key(bench: Path, tmp_path: Path) -> None:
    result = _sign(bench, "no", tmp_path / "log", "--key", bench / "author.pem", "--keys", bench)
    assert result.exit_code == 2
    assert "one of --signer, --keys and --key" in result.output


def test_sign_reports_that_keys_are_for_development(bench: Path, tmp_path: Path) -> None:
    ring = KeyRing.generate_development(tmp_path / "keys")
    result = _sign(bench, "development", tmp_path / "log", "--keys", ring.directory)
    assert result.exit_code == 0, result.output
    assert "DEVELOPMENT" in result.output


def test_no_output_holds_a_private_key(bench: Path, tmp_path: Path) -> None:
    secret = FileSigner.load(bench / "author.pem")._key.private_numbers().private_value
    result = _sign(bench, "quiet", tmp_path / "log", "--json")
    assert f"{secret:064x}" not in result.output.lower()
    assert "PRIVATE" not in result.output


def test_inspect_shows_words_and_diagnostic_notation(bench: Path) -> None:
    result = _run("inspect", bench / "first")
    assert result.exit_code == 0
    assert "not verified" in result.output
    assert "chunks, firmware" in result.output
    assert "/ suit-manifest-sequence-number / 2: 4" in result.output
    assert "/ suit-directive-fetch / 21, 2" in result.output


def test_inspect_speaks_json(bench: Path) -> None:
    document = json.loads(_run("inspect", bench / "first" / "release.suit", "--json").stdout)
    assert document["sequence_number"] == 4
    assert document["is_verified"] is False
    assert document["diagnostic"].startswith("107({")


def test_inspect_of_something_else_is_refused(bench: Path) -> None:
    result = _run("inspect", bench / "1.img")
    assert result.exit_code == 1
    assert "refused (104)" in result.output


@pytest.mark.parametrize("name", ["author.pub", "author.pem"])
def test_verify_takes_a_public_or_private_key_and_a_product(bench: Path, name: str) -> None:
    result = _run(
        "verify", bench / "first", "--key", bench / name, "--product", bench / "product.toml", "--json"
    )
    document = json.loads(result.stdout)
    assert document["is_verified"]
    assert document["is_class_checked"]
    assert document["is_payload_checked"]


def test_verify_with_a_key_alone_says_that_the_class_was_not_checked(bench: Path) -> None:
    result = _run("verify", bench / "first" / "release.suit", "--key", bench / "author.pub")
    assert result.exit_code == 0
    assert "author only" in result.output
    assert "the payload was not checked" in result.output


def test_verify_refuses_another_author(bench: Path) -> None:
    result = _run("verify", bench / "first", "--key", bench / "image.pem")
    assert result.exit_code == 1
    assert "refused (201)" in result.output


def test_verify_refuses_another_product(bench: Path, tmp_path: Path) -> None:
    ids = load_product(bench / "product.toml")
    anchors = anchors_of(ids.vendor_id, bytes(16), FileSigner.load(bench / "author.pem"))
    (tmp_path / "anchors").write_bytes(trust_anchors.encode(anchors))
    result = _run("verify", bench / "first", "--anchors", tmp_path / "anchors")
    assert result.exit_code == 1
    assert "refused (213)" in result.output


def test_verify_refuses_a_changed_payload(bench: Path, tmp_path: Path) -> None:
    release = Release.load(bench / "first")
    release.save(tmp_path)
    (tmp_path / "payload.bin").write_bytes(release.payload[:-1] + b"\x55")
    result = _run("verify", tmp_path, "--anchors", bench / "anchors")
    assert result.exit_code == 2
    assert "payload.bin" in result.output


def test_verify_refuses_payload_and_chunk_list_in_each_others_place(bench: Path, tmp_path: Path) -> None:
    release = Release.load(bench / "first")
    Release(release.envelope, release.chunk_list, release.payload, 1).save(tmp_path)
    result = _run("verify", tmp_path, "--anchors", bench / "anchors")
    assert result.exit_code == 2
    assert "not the signed ones" in result.output


def test_verify_refuses_a_signed_chunk_list_of_another_payload(
    bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = payload_module.split_chunks
    monkeypatch.setattr(payload_module, "split_chunks", lambda payload: honest(b"other" + payload[5:]))
    assert _sign(bench, "odd", tmp_path / "log").exit_code == 0
    result = _run("verify", bench / "odd", "--anchors", bench / "anchors")
    assert result.exit_code == 2
    assert "does not belong to the payload" in result.output


def _entry(number: int, class_id: str = "aa") -> LogEntry:
    return LogEntry(class_id, number, "1.0.0", "p", "e", "2026-01-01T00:00:00+00:00")


def test_the_log_keeps_classes_apart(tmp_path: Path) -> None:
    log = ReleaseLog(tmp_path / "log")
    log.append(_entry(5))
    log.append(_entry(9, "bb"))
    assert (log.newest(b"\xaa"), log.newest(b"\xbb"), log.newest(b"\xcc")) == (5, 9, 0)


@pytest.mark.parametrize("line", ["not json", "[]", "{}", '{"class_id": "aa"}'])
def test_a_damaged_log_is_refused_and_not_read_as_empty(tmp_path: Path, line: str) -> None:
    (tmp_path / "log").write_text(line + "\n")
    with pytest.raises(ReleaseLogError, match="line 1"):
        ReleaseLog(tmp_path / "log").newest(b"\xaa")


def test_foreign_text_does_not_reach_the_terminal_raw(bench: Path, tmp_path: Path) -> None:
    ids = load_product(bench / "product.toml")
    release = build_release(
        (bench / "1.img").read_bytes(),
        vendor_id=ids.vendor_id,
        class_id=ids.class_id,
        sequence_number=4,
        signer=FileSigner.load(bench / "author.pem"),
        version="1.2.3+4",
        mitigates="\x1b[2Jgone",
        interrupts="x",
    )
    release.save(tmp_path / "r")
    for command in (("inspect", tmp_path / "r"), ("verify", tmp_path / "r", "--anchors", bench / "anchors")):
        result = _run(*command)
        assert result.exit_code == 0 and "gone" in result.output
        assert "\x1b" not in result.output


@pytest.mark.parametrize("option", ["--mitigates", "--interrupts"])
@pytest.mark.parametrize(
    "text", ["a hole\nSupported until: 2099", "\x1b[2Jgone", "1.0 \u202eelbatciderp", " "]
)
def test_the_texts_for_the_owner_are_signed_only_as_one_line_each(
    bench: Path, tmp_path: Path, option: str, text: str
) -> None:
    result = _sign(bench, "forged", tmp_path / "log", option, text)
    assert result.exit_code == 2 and "must be one line" in " ".join(result.output.split())
    assert not (bench / "forged").exists() and not (tmp_path / "log").exists()


needs_detools = pytest.mark.skipif(
    not has_detools(), reason="detools is not installed (make setup builds it)"
)


@pytest.fixture
def newer(bench: Path, tmp_path: Path) -> Path:
    """Return the next image: the same code, one constant changed, some bytes more."""
    body = bytearray(bytes(9000))
    body[4000:4004] = b"more"
    (tmp_path / "body.bin").write_bytes(body + b"appended")
    return sign_image(
        tmp_path / "body.bin",
        bench / "image.pem",
        version="1.3.0+9",
        security_counter=5,
        out=tmp_path / "2.img",
    )


def _sign_newer(bench: Path, newer: Path, *more: object) -> Result:
    return _run(
        "sign", newer, "--out", newer.parent / "second", "--product", bench / "product.toml",
        "--mitigates", "a hole", "--interrupts", "one restart", "--log", newer.parent / "log",
        "--key", bench / "author.pem", "--sequence", 9, *more,
    )  # fmt: skip


@needs_detools
@pytest.mark.parametrize("source", ["1.img", "first"])
def test_sign_adds_a_delta_from_an_older_image_or_release(bench: Path, newer: Path, source: str) -> None:
    result = _sign_newer(bench, newer, "--delta-from", bench / source, "--json")
    assert result.exit_code == 0, result.output
    release = Release.load(newer.parent / "second")
    assert release.delta is not None
    assert json.loads(result.stdout)["delta_bytes"] == len(release.delta.content) < len(release.payload) // 10
    old = (bench / "1.img").read_bytes()
    assert apply_patch(old, release.delta.content, len(release.payload)) == release.payload


@needs_detools
def test_inspect_and_verify_explain_a_delta_in_words(bench: Path, newer: Path) -> None:
    assert _sign_newer(bench, newer, "--delta-from", bench / "1.img").exit_code == 0
    digest = sha256((bench / "1.img").read_bytes()).hexdigest()
    for arguments in (("inspect",), ("verify", "--anchors", bench / "anchors")):
        result = _run(*arguments, newer.parent / "second")
        assert result.exit_code == 0, result.output
        assert digest in result.output.replace("\n", "")
        assert "delta" in result.output
    document = json.loads(
        _run("verify", newer.parent / "second", "--anchors", bench / "anchors", "--json").stdout
    )
    assert document["delta"]["source_sha256"] == digest


@needs_detools
def test_verify_applies_a_delta_to_what_it_was_made_from(bench: Path, newer: Path) -> None:
    assert _sign_newer(bench, newer, "--delta-from", bench / "1.img").exit_code == 0
    ask = ("verify", newer.parent / "second", "--anchors", bench / "anchors", "--delta-from")
    assert _run(*ask, bench / "first").exit_code == 0
    other = _run(*ask, newer)
    assert other.exit_code == 2
    assert "made from another release" in other.output
    without = _run("verify", bench / "first", "--anchors", bench / "anchors", "--delta-from", bench / "1.img")
    assert without.exit_code == 2
    assert "has no delta" in without.output


@needs_detools
def test_verify_refuses_a_release_whose_patch_was_changed(bench: Path, newer: Path) -> None:
    assert _sign_newer(bench, newer, "--delta-from", bench / "1.img").exit_code == 0
    patch = newer.parent / "second" / "delta.bin"
    patch.write_bytes(patch.read_bytes() + b"x")
    result = _run("verify", newer.parent / "second", "--anchors", bench / "anchors")
    assert result.exit_code == 2
    assert "delta.bin" in result.output


def test_sign_refuses_a_delta_from_an_image_that_is_not_older(bench: Path, newer: Path) -> None:
    result = _sign_newer(bench, newer, "--delta-from", newer)
    assert result.exit_code == 2
    assert "not older than 9" in result.output
    assert not (newer.parent / "second").exists()


def test_without_detools_sign_says_what_is_missing(
    bench: Path, newer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "detools", None)
    result = _sign_newer(bench, newer, "--delta-from", bench / "1.img")
    assert result.exit_code == 2
    assert "detools==0.53.0" in result.output
    assert not (newer.parent / "log").exists()


def test_inspect_says_what_a_unit_would_refuse(bench: Path, tmp_path: Path) -> None:
    release = Release.load(bench / "first")
    parts = suit_envelope.decode(release.envelope)
    changed = parts.manifest.replace(b"firmware", b"firmwart")
    (tmp_path / "odd.suit").write_bytes(suit_envelope.encode(parts._replace(manifest=changed)))
    result = _run("inspect", tmp_path / "odd.suit")
    assert result.exit_code == 0, result.output
    assert "refuses it (216)" in result.output


def test_an_entry_from_before_bills_of_materials_is_read(tmp_path: Path) -> None:
    log = ReleaseLog(tmp_path / "log")
    log.append(_entry(7))
    line = json.loads(log.path.read_text())
    del line["sbom_sha256"]
    log.path.write_text(json.dumps(line) + "\n")
    assert [one.sbom_sha256 for one in log.entries()] == [""]
