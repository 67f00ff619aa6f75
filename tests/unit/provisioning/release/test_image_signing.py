"""Boot images: signed by imgtool as asked, read back strictly, damage refused by name."""

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from hypothesis import given
from hypothesis import strategies as st

from device.errors import ImageFormatError
from provisioning.firmware.rebuild import payload
from provisioning.release.capacities import SECURITY_COUNTER_MAX
from provisioning.release.image import ImageSigningError, image_info, key_hash, sign_image

BODY = bytes(range(256)) * 5


def pem_of(key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signing")
    (folder / "raw.bin").write_bytes(BODY)
    (folder / "key.pem").write_bytes(pem_of(ec.generate_private_key(ec.SECP256R1())))
    return folder


@pytest.fixture(scope="module")
def signed(folder) -> bytes:
    out = folder / "signed.bin"
    sign_image(folder / "raw.bin", folder / "key.pem", version="1.2.3+4", security_counter=5, out=out)
    return out.read_bytes()


def refused(data: bytes) -> str:
    with pytest.raises(ImageFormatError) as caught:
        image_info(data)
    return caught.value.fields["reason"]


def test_a_signed_image_says_what_was_asked_for(signed, folder):
    info = image_info(signed)
    assert (info.version, info.version_text, info.security_counter) == ((1, 2, 3, 4), "1.2.3+4", 5)
    assert (info.body_bytes, info.total_bytes) == (len(BODY), len(signed))
    assert signed[0x200 : 0x200 + len(BODY)] == BODY


def test_a_rebuild_is_compared_with_the_body_of_a_signed_image(signed, folder):
    assert payload(folder / "signed.bin") == payload(folder / "raw.bin") == BODY


def test_the_signature_verifies_with_an_independent_library(signed):
    info = image_info(signed)
    key = serialization.load_der_public_key(info.public_key)
    key.verify(info.signature, info.digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))


def test_the_key_hash_is_of_the_der_public_key_whether_the_pem_is_private_or_public(signed, folder):
    key = serialization.load_pem_private_key((folder / "key.pem").read_bytes(), None)
    public = folder / "public.pem"
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    assert key_hash(folder / "key.pem") == key_hash(public) == image_info(signed).key_hash
    assert key_hash(public) == hashlib.sha256(image_info(signed).public_key).digest()


def test_signing_twice_gives_the_same_digest(signed, folder):
    again = sign_image(
        folder / "raw.bin",
        folder / "key.pem",
        version="1.2.3+4",
        security_counter=5,
        out=folder / "again.bin",
    )
    assert image_info(again.read_bytes()).digest == image_info(signed).digest


@pytest.mark.parametrize(
    "version", ["1", "1.2", "1.2.3.4", "256.0.0", "1.2.65536", "1.2.3+4294967296", "v1.2.3"]
)
def test_a_version_that_the_header_cannot_hold_is_refused(folder, version):
    with pytest.raises(ImageSigningError, match=r"version|build number"):
        sign_image(
            folder / "raw.bin", folder / "key.pem", version=version, security_counter=0, out=folder / "no"
        )
    assert not (folder / "no").exists()


@pytest.mark.parametrize("counter", [-1, SECURITY_COUNTER_MAX + 1])
def test_a_counter_that_a_unit_cannot_hold_is_refused(folder, counter):
    with pytest.raises(ImageSigningError, match="counter"):
        sign_image(
            folder / "raw.bin",
            folder / "key.pem",
            version="1.0.0",
            security_counter=counter,
            out=folder / "no",
        )


def test_a_key_on_another_curve_is_refused(folder):
    (folder / "p384.pem").write_bytes(pem_of(ec.generate_private_key(ec.SECP384R1())))
    with pytest.raises(ImageSigningError, match="P-256"):
        key_hash(folder / "p384.pem")


def test_an_unreadable_key_is_refused_without_quoting_it(folder):
    (folder / "bad.pem").write_bytes(b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")
    with pytest.raises(ImageSigningError) as caught:
        key_hash(folder / "bad.pem")
    assert "c2VjcmV0" not in str(caught.value)


def test_a_body_that_does_not_fit_a_slot_is_refused_in_words(folder):
    (folder / "large.bin").write_bytes(bytes(0x1FF000))
    with pytest.raises(ImageSigningError):
        sign_image(
            folder / "large.bin", folder / "key.pem", version="1.0.0", security_counter=0, out=folder / "no"
        )
    assert not list(folder.glob("no*"))


def test_a_missing_body_is_refused_in_words(folder):
    with pytest.raises(ImageSigningError):
        sign_image(
            folder / "none.bin", folder / "key.pem", version="1.0.0", security_counter=0, out=folder / "no"
        )


def test_a_body_that_fits_no_slot_is_refused_before_imgtool_reads_it(folder):
    with (folder / "huge.bin").open("wb") as file:
        file.truncate(100 << 20)
    with pytest.raises(ImageSigningError, match="larger than a slot"):
        sign_image(
            folder / "huge.bin", folder / "key.pem", version="1.0.0", security_counter=0, out=folder / "no"
        )
    assert not (folder / "no").exists()


def test_bytes_after_the_image_are_refused(signed):
    assert refused(signed + b"\0") == "bytes after the image"


def test_a_further_flag_is_refused(signed):
    assert refused(signed[:16] + b"\x30" + signed[17:]) == "flags"


@given(st.integers(min_value=0))
def test_an_image_cut_anywhere_is_refused(signed, cut):
    refused(signed[: cut % len(signed)])


@given(st.integers(min_value=0), st.integers(1, 255))
def test_a_changed_byte_of_header_body_or_digest_is_refused(signed, at, change):
    covered = len(signed) - len(image_info(signed).signature) - 4 - 91 - 4
    damaged = bytearray(signed)
    damaged[at % covered] ^= change
    refused(bytes(damaged))


@given(st.binary(max_size=2048))
def test_garbage_is_refused_with_a_typed_error(data):
    refused(data)
