"""Releases: building, saving, loading and refusals; a unit's refusal of each damage (UP-01)."""

from hashlib import sha256
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from pycose.keys import EC2Key
from pycose.keys.curves import P256
from pycose.messages import CoseMessage

from device.errors import (
    AlgorithmError,
    ClassMismatchError,
    CodecError,
    DigestMismatchError,
    FirstbootError,
    SignatureError,
    VendorMismatchError,
)
from device.suit import envelope
from device.trust import signed_record, verify
from device.trust.anchors import NO_RULES, ROLE_SUPPORT, Anchors, Key
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.pem import private_pem, write_private
from provisioning.release.release import (
    MAX_PAYLOAD_BYTES,
    Release,
    ReleaseError,
    anchors_of,
    build_release,
    sign_record,
    split_chunks,
)

VENDOR, CLASS = b"v" * 16, b"c" * 16
PRIVATE = ec.derive_private_key(0xF1257B007, ec.SECP256R1())
SIGNER = FileSigner(PRIVATE)
OTHER = FileSigner(ec.derive_private_key(0xDEAD, ec.SECP256R1()))
ANCHORS = anchors_of(VENDOR, CLASS, SIGNER)
PAYLOAD = bytes(range(256)) * 40
TYP = "application/vnd.firstboot.support+cbor"


def _build(payload: bytes = PAYLOAD, **changes: object) -> Release:
    options: dict[str, object] = {
        "vendor_id": VENDOR,
        "class_id": CLASS,
        "sequence_number": 3,
        "signer": SIGNER,
        "version": "1.2.3+4",
        "mitigates": "CVE-2026-1",
        "interrupts": "restarts once",
    }
    return build_release(payload, **(options | changes))  # type: ignore[arg-type]


RELEASE = _build()


def test_a_unit_accepts_a_built_release() -> None:
    verified = verify.verify_envelope(RELEASE.envelope, ANCHORS)
    assert verified.sequence_number == RELEASE.sequence_number == 3
    assert verified.firmware == verify.Target(
        sha256(PAYLOAD).digest(), len(PAYLOAD), "o/" + sha256(PAYLOAD).hexdigest()
    )
    assert verified.chunks.digest == RELEASE.chunk_list_digest == sha256(RELEASE.chunk_list).digest()
    assert verified.text == ("1.2.3+4", "CVE-2026-1", "restarts once")


def test_the_same_release_is_built_twice_to_the_same_bytes() -> None:
    assert _build() == RELEASE


def test_the_chunk_list_is_the_digests_of_4096_bytes_each() -> None:
    assert RELEASE.chunk_list == b"".join(sha256(PAYLOAD[at : at + 4096]).digest() for at in (0, 4096, 8192))
    assert b"".join(content for _, content in RELEASE.chunks()) == PAYLOAD
    assert all(sha256(content).digest() == digest for digest, content in RELEASE.chunks())


@pytest.mark.parametrize("size", [0, MAX_PAYLOAD_BYTES + 1])
def test_payloads_that_no_unit_takes_are_not_built(size: int) -> None:
    with pytest.raises(ReleaseError, match=str(size)):
        split_chunks(bytes(size))


@pytest.mark.parametrize(
    "change", [{"vendor_id": b"short"}, {"class_id": b"c" * 17}, {"sequence_number": -1}]
)
def test_what_a_unit_would_refuse_is_not_built(change: dict[str, object]) -> None:
    with pytest.raises(FirstbootError):
        _build(**change)


def test_text_that_makes_the_envelope_too_long_is_not_built() -> None:
    with pytest.raises(ReleaseError, match="8192"):
        _build(mitigates="x" * 8000)


def test_two_signers_give_two_signatures_and_either_is_enough() -> None:
    release = _build(signer=[OTHER, SIGNER])
    assert len(envelope.decode(release.envelope).signatures) == 2
    for signer in (OTHER, SIGNER):
        assert (
            verify.verify_envelope(release.envelope, anchors_of(VENDOR, CLASS, signer)).sequence_number == 3
        )


def test_an_independent_peer_verifies_the_signature_and_reads_the_envelope() -> None:
    members = cbor2.loads(RELEASE.envelope).value
    digest, signature = cbor2.loads(members[2])
    assert cbor2.loads(digest) == [-16, sha256(cbor2.dumps(members[3])).digest()]
    # pycose has no ESP256 (-9): it reads the structure, and `cryptography` verifies what is signed.
    message = cbor2.loads(signature)
    to_be_signed = cbor2.dumps(["Signature1", message.value[0], b"", digest])
    raw = message.value[3]
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    PRIVATE.public_key().verify(der, to_be_signed, ec.ECDSA(SHA256()))


def test_pycose_verifies_our_envelope_when_the_algorithm_has_its_older_name() -> None:
    class Es256Signer(FileSigner):
        algorithm = -7

    with pytest.raises(FirstbootError):  # an anchor binds -9; the builder's own check says so
        _build(signer=Es256Signer(PRIVATE))
    data = sign_record(b"payload", TYP, Es256Signer(PRIVATE))
    message = CoseMessage.decode(data)
    message.key = EC2Key(crv=P256, x=SIGNER.public[1:33], y=SIGNER.public[33:])
    message.external_aad = TYP.encode()
    assert message.verify_signature()


def test_signing_is_deterministic() -> None:
    assert SIGNER.sign(b"message") == FileSigner(PRIVATE).sign(b"message")
    assert len(SIGNER.sign(b"message")) == 64


def test_a_signer_shows_only_its_key_id() -> None:
    assert repr(SIGNER) == f"FileSigner({SIGNER.key_id.hex()})"


def test_a_signer_is_loaded_from_a_pem_file(tmp_path: Path) -> None:
    write_private(tmp_path / "author.pem", private_pem(PRIVATE))
    assert FileSigner.load(tmp_path / "author.pem").public == SIGNER.public
    write_private(tmp_path / "p384.pem", private_pem(ec.generate_private_key(ec.SECP384R1())))
    with pytest.raises(ValueError, match="P-256"):
        FileSigner.load(tmp_path / "p384.pem")


def test_a_signed_record_is_accepted_in_its_type_and_role_only() -> None:
    data = sign_record(b"payload", TYP, SIGNER)
    anchors = Anchors(VENDOR, CLASS, (Key(SIGNER.key_id, -9, ROLE_SUPPORT, SIGNER.public),), 0, 0, NO_RULES)
    assert signed_record.verify_record(data, TYP, ROLE_SUPPORT, anchors) == b"payload"
    with pytest.raises(FirstbootError):
        signed_record.verify_record(data, "application/vnd.firstboot.contact+cbor", ROLE_SUPPORT, anchors)


# Damage ----------------------------------------------------------------------------------------------


def _where(part: bytes, within: bytes = RELEASE.envelope) -> int:
    assert within.count(part) == 1, "the part does not stand there once"
    return within.index(part)


def _refusal(data: bytes, anchors: Anchors = ANCHORS) -> type[FirstbootError]:
    with pytest.raises(FirstbootError) as refusal:
        verify.verify_envelope(data, anchors)
    return type(refusal.value)


def _flipped(offset: int) -> bytes:
    data = bytearray(RELEASE.envelope)
    data[offset] ^= 0x01
    return bytes(data)


_PARTS = envelope.decode(RELEASE.envelope)
_SIGNATURE = cbor2.loads(_PARTS.signatures[0]).value[3]
_MANIFEST = _where(_PARTS.manifest)
_TEXT = _where(_PARTS.severed[23])


@pytest.mark.parametrize(
    ("offset", "error"),
    [
        pytest.param(1, CodecError, id="envelope tag"),
        pytest.param(_where(_SIGNATURE), SignatureError, id="first byte of the signature"),
        pytest.param(_where(_SIGNATURE) + 63, SignatureError, id="last byte of the signature"),
        pytest.param(_where(SIGNER.key_id), SignatureError, id="key id"),
        pytest.param(_where(b"\xa1\x01\x28") + 2, AlgorithmError, id="algorithm"),
        pytest.param(_where(_PARTS.digest) + 10, SignatureError, id="SUIT digest"),
        pytest.param(_MANIFEST, DigestMismatchError, id="first byte of the manifest"),
        pytest.param(_MANIFEST + 60, DigestMismatchError, id="inside the manifest"),
        pytest.param(_TEXT + 12, DigestMismatchError, id="text"),
        pytest.param(len(RELEASE.envelope) - 1, DigestMismatchError, id="last byte"),
    ],
)
def test_each_class_of_damage_is_refused_by_its_name(offset: int, error: type[FirstbootError]) -> None:
    assert issubclass(_refusal(_flipped(offset)), error)


def test_an_envelope_cut_short_or_prolonged_is_a_codec_error() -> None:
    for data in (
        RELEASE.envelope[:-1],
        RELEASE.envelope + b"\x00",
        RELEASE.envelope[: len(RELEASE.envelope) // 2],
    ):
        assert issubclass(_refusal(data), CodecError)


def test_a_release_by_another_author_is_refused() -> None:
    assert _refusal(_build(signer=OTHER).envelope) is SignatureError


def test_an_unsigned_envelope_is_refused() -> None:
    parts = envelope.decode(RELEASE.envelope)
    data = envelope.encode(envelope.Envelope(parts.digest, (), parts.manifest, parts.severed))
    assert issubclass(_refusal(data), CodecError)


def test_a_release_for_another_product_is_refused_by_name() -> None:
    assert _refusal(_build(vendor_id=b"w" * 16).envelope) is VendorMismatchError
    assert _refusal(_build(class_id=b"w" * 16).envelope) is ClassMismatchError


def test_parts_of_two_valid_releases_do_not_mix() -> None:
    other = envelope.decode(_build(bytes(5000), sequence_number=4).envelope)
    mixes = (
        envelope.Envelope(_PARTS.digest, _PARTS.signatures, other.manifest, _PARTS.severed),
        envelope.Envelope(other.digest, _PARTS.signatures, other.manifest, _PARTS.severed),
        envelope.Envelope(
            other.digest, _PARTS.signatures + other.signatures, _PARTS.manifest, _PARTS.severed
        ),
    )
    for mix in mixes:
        assert _refusal(envelope.encode(mix)) in (SignatureError, DigestMismatchError)


# Folders ---------------------------------------------------------------------------------------------


def test_a_saved_release_loads_to_the_same(tmp_path: Path) -> None:
    RELEASE.save(tmp_path / "r")
    assert Release.load(tmp_path / "r") == RELEASE
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == [
        "chunks.bin",
        "payload.bin",
        "release.suit",
    ]


@pytest.mark.parametrize("name", ["chunks.bin", "payload.bin", "release.suit"])
def test_a_folder_with_a_missing_or_changed_file_is_no_release(tmp_path: Path, name: str) -> None:
    RELEASE.save(tmp_path)
    data = bytearray((tmp_path / name).read_bytes())
    data[1] ^= 1
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ReleaseError, match=name):
        Release.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ReleaseError, match="is not a release folder"):
        Release.load(tmp_path)
