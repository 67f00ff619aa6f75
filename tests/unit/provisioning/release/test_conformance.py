"""`firstboot conformance check`: its output, for keys of every form."""

import uuid
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from pyhsslms import pyhsslms
from typer.testing import CliRunner, Result

from device.codec import cose
from provisioning.cli.conformance import app
from provisioning.keys import public_keys
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.pem import private_pem
from provisioning.keys.public_keys import PublicKey
from provisioning.release.release import build_release

VENDOR, CLASS = uuid.uuid5(uuid.NAMESPACE_DNS, "example.com"), uuid.uuid5(uuid.NAMESPACE_DNS, "lamp")
P256 = FileSigner(ec.derive_private_key(0xF1257, ec.SECP256R1()))


class _Hss:
    algorithm = cose.ALG_HSS_LMS
    key_id = b"hss"

    def __init__(self) -> None:
        self._key = pyhsslms.HssPrivateKey(
            1, pyhsslms.lms_sha256_m32_h5, pyhsslms.lmots_sha256_n32_w4, SEED=bytes(32)
        )
        self.public = self._key.publicKey().serialize()

    def sign(self, message: bytes) -> bytes:
        return bytes(self._key.sign(message))


class _Ed25519:
    algorithm = cose.ALG_ED25519
    key_id = b"ed"

    def __init__(self) -> None:
        self.key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
        self.public = self.key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message)


def _envelope(folder: Path, *signers: object) -> Path:
    release = build_release(
        b"firmware",
        vendor_id=VENDOR.bytes,
        class_id=CLASS.bytes,
        sequence_number=7,
        signer=list(signers or (P256,)),
        version="1",
        mitigates="m",
        interrupts="i",
    )
    path = folder / "release.suit"
    path.write_bytes(release.envelope)
    return path


def _check(envelope: Path, anchor: bytes, *options: str) -> Result:
    path = envelope.parent / "anchor"
    path.write_bytes(anchor)
    return CliRunner().invoke(app, ["check", str(envelope), "--anchor", str(path), *options])


def _p256_forms() -> dict[str, bytes]:
    pem = private_pem(ec.derive_private_key(0xF1257, ec.SECP256R1()))
    public = load_pem_private_key(pem, None).public_key()
    named = PublicKey(cose.ALG_ESP256, P256.public, P256.key_id)
    return {
        "private PEM": pem,
        "public PEM": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "COSE_Key": public_keys.encode_cose(named),
        "COSE_Key without kid": public_keys.encode_cose(named._replace(key_id=None)),
        "COSE_KeySet": b"\x81" + public_keys.encode_cose(named),
    }


@pytest.mark.parametrize("form", list(_p256_forms()))
def test_a_good_envelope_is_accepted_whatever_form_the_key_has(tmp_path: Path, form: str) -> None:
    result = _check(_envelope(tmp_path), _p256_forms()[form])
    assert (result.stdout, result.exit_code) == ("accept\n", 0)


def test_raw_hss_and_lms_keys_and_their_cose_key_are_taken(tmp_path: Path) -> None:
    hss = _Hss()
    envelope = _envelope(tmp_path, hss)
    cose_key = public_keys.encode_cose(PublicKey(cose.ALG_HSS_LMS, hss.public))
    for anchor in (hss.public, hss.public[4:], cose_key):
        assert _check(envelope, anchor).stdout == "accept\n"
    assert _check(envelope, hss.public[:-1] + b"\x00").stdout.startswith("refuse: signature")


def test_ed25519_keys_are_taken(tmp_path: Path) -> None:
    signer = _Ed25519()
    envelope = _envelope(tmp_path, signer)
    pem = signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for anchor in (pem, public_keys.encode_cose(PublicKey(cose.ALG_ED25519, signer.public))):
        assert _check(envelope, anchor).stdout == "accept\n"


def test_another_key_is_refused(tmp_path: Path) -> None:
    other = private_pem(ec.derive_private_key(5, ec.SECP256R1()))
    result = _check(_envelope(tmp_path), other)
    assert (result.stdout, result.exit_code) == ("refuse: signature: wrong signature role=2\n", 1)


def test_vendor_and_class_are_compared_where_they_are_given(tmp_path: Path) -> None:
    envelope, anchor = _envelope(tmp_path), _p256_forms()["public PEM"]
    good = ("--vendor", str(VENDOR), "--class", str(CLASS))
    assert _check(envelope, anchor, *good).stdout == "accept\n"
    assert _check(envelope, anchor, "--vendor", str(CLASS)).stdout.startswith("refuse: vendor-mismatch")
    assert _check(envelope, anchor, "--class", str(VENDOR)).stdout.startswith("refuse: class-mismatch")


def test_an_older_or_equal_sequence_number_is_refused(tmp_path: Path) -> None:
    envelope, anchor = _envelope(tmp_path), _p256_forms()["public PEM"]
    assert _check(envelope, anchor, "--installed", "6").stdout == "accept\n"
    for have in ("7", "8"):
        assert _check(envelope, anchor, "--installed", have).stdout.startswith("refuse: sequence-number")


def test_a_threshold_counts_different_keys_and_required_algorithms(tmp_path: Path) -> None:
    hss = _Hss()
    both, anchor = _envelope(tmp_path, P256, hss), _p256_forms()["public PEM"]
    (tmp_path / "hss").write_bytes(hss.public)
    second = ("--anchor", str(tmp_path / "hss"), "--threshold", "2", "--require", "hss-lms")
    assert _check(both, anchor, *second).stdout == "accept\n"
    twice = _envelope(tmp_path, P256, P256)
    assert _check(twice, anchor, *second).stdout == "refuse: signature: threshold have=1 need=2 role=2\n"


def test_damaged_bytes_are_refused_with_one_line(tmp_path: Path) -> None:
    envelope = _envelope(tmp_path)
    envelope.write_bytes(envelope.read_bytes()[:-1])
    result = _check(envelope, _p256_forms()["public PEM"])
    assert result.exit_code == 1
    assert result.stdout.startswith("refuse: cbor: truncated")
    assert result.stdout.count("\n") == 1


@pytest.mark.parametrize("data", [b"", b"\xa0", b"-----BEGIN NONSENSE", b"\x01", bytes(60), b"\xa1\x01\x04"])
def test_what_is_no_key_is_a_wrong_command_line(tmp_path: Path, data: bytes) -> None:
    assert _check(_envelope(tmp_path), data).exit_code == 2
