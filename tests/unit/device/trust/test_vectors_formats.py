"""CBOR, COSE and SUIT against the published examples: RFC 8949 appendix A, cose-wg/Examples, the SUIT draft."""

import base64
import re
from hashlib import sha256
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from device.codec import cbor, cose
from device.crypto import backend
from device.errors import (
    AlgorithmError,
    CborError,
    ClassMismatchError,
    CodecError,
    CoseError,
    FirstbootError,
    SignatureError,
    VendorMismatchError,
)
from device.suit import commands, envelope, manifest
from device.trust import signatures, verify
from device.trust.anchors import NO_RULES, ROLE_AUTHOR, Anchors, Key
from provisioning.keys import public_keys
from provisioning.keys.key_id import public_point
from provisioning.release import conformance
from provisioning.release.diagnostic import envelope_notation
from tests.dual.test_suit_commands import effects_of
from tests.unit.device.trust.vectors import load, read

pytestmark = pytest.mark.vectors

# CBOR ------------------------------------------------------------------------------------------------


def _is_plain(value: Any) -> bool:
    """Return whether the CBOR of this project supports `value`: no floats, no simple values, no undefined."""
    if isinstance(value, dict):
        return all(_is_plain(key) and _is_plain(entry) for key, entry in value.items())
    if isinstance(value, list):
        return all(_is_plain(entry) for entry in value)
    return value is None or isinstance(value, (bool, int, str, bytes))


def _appendix() -> list[tuple[bytes, bool]]:
    """Return (encoding, whether it must be accepted) of every example of RFC 8949 appendix A."""
    examples = []
    for entry in load("cbor/appendix_a.json"):
        data = bytes.fromhex(entry["hex"])
        is_tagged = data[0] >> 5 == 6
        value = None if is_tagged else cbor2.loads(data)
        is_float_inside = data[:3] in (b"\xc1\xfb\x41",)
        examples.append((data, entry["roundtrip"] and not is_float_inside and _is_plain(value)))
    return examples


def test_cbor_takes_what_rfc_8949_calls_plain_and_writes_it_the_same() -> None:
    taken = [data for data, is_plain in _appendix() if is_plain]
    assert len(taken) > 40
    for data in taken:
        assert cbor.encode(cbor.decode(data)) == data, data.hex()


def test_cbor_gives_the_values_of_rfc_8949() -> None:
    for entry in load("cbor/appendix_a.json"):
        data = bytes.fromhex(entry["hex"])
        if "decoded" in entry and (data, True) in _appendix() and data[0] >> 5 != 6:
            assert cbor.decode(data) == cbor2.loads(data)


def test_cbor_refuses_every_other_example_of_rfc_8949() -> None:
    refused = [data for data, is_plain in _appendix() if not is_plain]
    assert len(refused) > 25
    for data in refused:
        with pytest.raises(CborError):
            cbor.decode(data)


# COSE ------------------------------------------------------------------------------------------------

P256_SIGNED = (
    "ecdsa-examples/ecdsa-01",
    "ecdsa-examples/ecdsa-sig-01",
    "sign1-tests/sign-pass-02",
)
P256_FAILS = {
    "sign1-tests/sign-fail-01": CoseError,  # tag 998
    "sign1-tests/sign-fail-02": SignatureError,
    "sign1-tests/sign-fail-03": AlgorithmError,  # alg -999
    "sign1-tests/sign-fail-04": CoseError,  # alg is a name
    "sign1-tests/sign-fail-06": SignatureError,
    "sign1-tests/sign-fail-07": SignatureError,
    "sign1-tests/sign-pass-01": CoseError,  # accepted there: alg outside the protected header
    "sign1-tests/sign-pass-03": CoseError,  # accepted there: no tag
    "ecdsa-examples/ecdsa-04": AlgorithmError,  # P-256 with SHA-512
    "ecdsa-examples/ecdsa-sig-04": AlgorithmError,
}


def _example(name: str) -> tuple[bytes, bytes, bytes, dict[str, Any]]:
    """Return (message, external_aad, ToBeSigned of the last signer, COSE key) of one example."""
    example = load(f"cose/{name}.json")
    given = example["input"].get("sign0") or example["input"]["sign"]
    signer = given["signers"][-1] if "signers" in given else given
    steps = example["intermediates"]
    steps = steps["signers"][-1] if "signers" in steps else steps
    aad = bytes.fromhex(signer.get("external", ""))
    data = bytes.fromhex(example["output"]["cbor"])
    return data, aad, bytes.fromhex(steps["ToBeSign_hex"]), signer["key"]


def _p256_key(key: dict[str, Any]) -> Key:
    x, y = (base64.urlsafe_b64decode(key[name] + "==") for name in ("x", "y"))
    return Key(key["kid"].encode(), cose.ALG_ESP256, ROLE_AUTHOR, b"\x04" + x + y)


def _verify(data: bytes, aad: bytes, key: Key) -> bytes:
    signed = cose.decode(data)
    signatures.verify_signer(signed, signed.signers[-1], key, aad, None, backend)
    return bytes(signed.payload)


@pytest.mark.parametrize("name", P256_SIGNED)
def test_cose_verifies_the_examples_of_p256(name: str) -> None:
    data, aad, to_be_signed, key = _example(name)
    signed = cose.decode(data)
    assert cose.to_be_signed(signed, signed.signers[-1], aad) == to_be_signed
    assert _verify(data, aad, _p256_key(key)) == b"This is the content."


@pytest.mark.parametrize("name", P256_FAILS)
def test_cose_refuses_the_examples_that_are_not_ours(name: str) -> None:
    data, aad, _, key = _example(name)
    with pytest.raises(FirstbootError) as refusal:
        _verify(data, aad, _p256_key(key))
    assert type(refusal.value) is P256_FAILS[name]


@pytest.mark.parametrize("name", ["ecdsa-02", "ecdsa-03", "ecdsa-sig-02", "ecdsa-sig-03"])
def test_cose_decodes_other_curves_and_trust_refuses_them(name: str) -> None:
    data, aad, to_be_signed, _ = _example(f"ecdsa-examples/{name}")
    signed = cose.decode(data)
    assert cose.to_be_signed(signed, signed.signers[-1], aad) == to_be_signed
    with pytest.raises(AlgorithmError):
        _verify(data, aad, Key(b"k", cose.ALG_ESP256, ROLE_AUTHOR, bytes(65)))


@pytest.mark.parametrize("name", ["eddsa-01", "eddsa-sig-01"])
def test_cose_verifies_the_examples_of_ed25519(name: str) -> None:
    data, aad, to_be_signed, given = _example(f"eddsa-examples/{name}")
    signed = cose.decode(data)
    assert cose.to_be_signed(signed, signed.signers[-1], aad) == to_be_signed
    key = Key(given["kid"].encode(), cose.ALG_ED25519, ROLE_AUTHOR, bytes.fromhex(given["x_hex"]))
    assert _verify(data, aad, key) == b"This is the content."
    with pytest.raises((SignatureError, CodecError)):
        _verify(data[:-1] + bytes([data[-1] ^ 1]), aad, key)


@pytest.mark.parametrize("name", ["eddsa-02", "eddsa-sig-02"])
def test_cose_decodes_ed448_and_trust_refuses_it(name: str) -> None:
    data, aad, to_be_signed, _ = _example(f"eddsa-examples/{name}")
    signed = cose.decode(data)
    assert cose.to_be_signed(signed, signed.signers[-1], aad) == to_be_signed
    with pytest.raises(SignatureError):
        _verify(data, aad, Key(b"k", cose.ALG_ED25519, ROLE_AUTHOR, bytes.fromhex("58" + "66" * 31)))
    with pytest.raises(AlgorithmError):
        _verify(data, aad, Key(b"k", cose.ALG_ESP256, ROLE_AUTHOR, bytes(65)))


@pytest.mark.parametrize("name", ["hashsig-01", "hsssig-sig-01"])
def test_cose_verifies_the_hash_based_examples_of_rfc_8778(name: str) -> None:
    data, aad, to_be_signed, given = _example(f"cose/hashsig/{name}"[5:])
    signed = cose.decode(data)
    assert cose.to_be_signed(signed, signed.signers[-1], aad) == to_be_signed
    key = Key(given["kid"].encode(), cose.ALG_HSS_LMS, ROLE_AUTHOR, bytes.fromhex(given["public"]))
    assert _verify(data, aad, key) == b"This is the content."
    with pytest.raises((SignatureError, CodecError)):
        _verify(data[:-1] + bytes([data[-1] ^ 1]), aad, key)


# SUIT ------------------------------------------------------------------------------------------------

VENDOR = bytes.fromhex("fa6b4a53d5ad5fdfbe9de663e4d41ffe")
CLASS = bytes.fromhex("1492af1425695e48bf429b2d51f2ab45")
FIRMWARE_DIGEST = bytes.fromhex("00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210")
EXAMPLES = range(6)


def _suit_example(number: int) -> list[bytes]:
    """Return the envelopes of one example, in the order of the draft: unsigned, signed, and with severed members."""
    text = read(f"suit-manifest/example{number}.txt").decode()
    blocks = re.findall(r"~~~\n([0-9a-f\n]+)~~~", text)
    return [bytes.fromhex(block.replace("\n", "")) for block in blocks]


def _author() -> Key:
    key = load_pem_private_key(read("suit-manifest/private_key.pem"), None)
    return Key(b"k", cose.ALG_ESP256, ROLE_AUTHOR, public_point(key.public_key()))  # type: ignore[arg-type, union-attr]


def _authentic(data: bytes, key: Key) -> manifest.Manifest:
    """Return the manifest of an envelope after a check of author and digest."""
    parts = envelope.decode(data)
    verify._verify_author(parts, Anchors(VENDOR, CLASS, (key,), 0, 0, NO_RULES), backend)
    assert envelope.decode_digest(parts.digest) == envelope.digest_of(parts.manifest)
    return manifest.decode(parts.manifest)


@pytest.mark.parametrize("number", EXAMPLES)
def test_suit_verifies_and_decodes_every_example_of_the_draft(number: int) -> None:
    content = _authentic(_suit_example(number)[1], _author())
    assert content.sequence_number == number
    assert (1, 15) in content.shared
    assert (2, 15) in content.shared


@pytest.mark.parametrize("number", EXAMPLES)
def test_suit_refuses_every_example_with_one_changed_bit(number: int) -> None:
    data, key = _suit_example(number)[1], _author()
    start = data.index(b"\x58\x40") + 2  # the 64 bytes of the signature, and everything after them
    for offset in range(start, len(data), 5):
        damaged = bytearray(data)
        damaged[offset] ^= 0x01
        with pytest.raises((FirstbootError, AssertionError)):
            _authentic(bytes(damaged), key)


@pytest.mark.parametrize("number", EXAMPLES)
def test_suit_writes_every_envelope_of_the_draft_as_it_was(number: int) -> None:
    for data in _suit_example(number)[1:]:
        assert envelope.encode(envelope.decode(data)) == data


@pytest.mark.parametrize("number", EXAMPLES)
def test_suit_refuses_the_unsigned_form_of_every_example(number: int) -> None:
    with pytest.raises(CodecError, match="no signature"):
        envelope.decode(_suit_example(number)[0])


def test_suit_runs_example_1_as_the_draft_says() -> None:
    content = _authentic(_suit_example(1)[1], _author())
    effects = effects_of(commands.run((content.shared, content.sequences[20]), len(content.components)))
    assert effects == [
        commands.MatchVendor(0, VENDOR),
        commands.MatchClass(0, CLASS),
        commands.Fetch(0, "http://example.com/file.bin", FIRMWARE_DIGEST, 34768),
        commands.MatchImage(0, FIRMWARE_DIGEST, 34768),
    ]


def test_suit_runs_example_5_over_both_components() -> None:
    content = _authentic(_suit_example(5)[1], _author())
    effects = effects_of(commands.run((content.shared, content.sequences[20]), len(content.components)))
    fetched = [(one.component, one.uri, one.size) for one in effects if isinstance(one, commands.Fetch)]
    assert fetched == [(0, "http://example.com/file1.bin", 34768), (1, "http://example.com/file2.bin", 76834)]


def _stub_run(number: int, block: int = 1) -> conformance.StubStore:
    author = public_keys.parse(read("suit-manifest/private_key.pem"))
    return conformance.check(_suit_example(number)[block], author, conformance.Recipient(VENDOR, CLASS))


def _kinds(store: conformance.StubStore) -> list[str]:
    return [f"{type(one).__name__} {one.component}" for one in store.done]


@pytest.mark.parametrize(
    ("number", "block", "done"),
    [
        (0, 1, ["Invoke 0"]),
        (1, 1, ["Fetch 0"]),
        (2, 1, ["Invoke 0"]),
        (2, 2, ["Fetch 0", "Invoke 0"]),
        (3, 1, ["Fetch 0"]),
        (4, 1, ["Fetch 1", "Copy 0", "Copy 2", "Invoke 2"]),
        (5, 1, ["Fetch 0", "Fetch 1", "Invoke 0"]),
    ],
)
def test_suit_runs_every_example_against_a_store_that_is_not_there(
    number: int, block: int, done: list[str]
) -> None:
    assert _kinds(_stub_run(number, block)) == done


def test_suit_chooses_the_slot_of_example_3_by_its_condition() -> None:
    author = public_keys.parse(read("suit-manifest/private_key.pem"))
    for slot in (0, 1):
        recipient = conformance.Recipient(VENDOR, CLASS, slot=slot)
        fetched = conformance.check(_suit_example(3)[1], author, recipient).done[0]
        assert fetched.uri == f"http://example.com/file{slot + 1}.bin"


def test_suit_examples_are_for_one_vendor_and_class() -> None:
    author = public_keys.parse(read("suit-manifest/private_key.pem"))
    for recipient, error in (
        (conformance.Recipient(CLASS, CLASS), VendorMismatchError),
        (conformance.Recipient(VENDOR, VENDOR), ClassMismatchError),
    ):
        with pytest.raises(error):
            conformance.check(_suit_example(1)[1], author, recipient)


def test_suit_finds_the_severed_members_of_example_2_by_their_digests() -> None:
    data = _suit_example(2)[2]
    content = _authentic(data, _author())
    parts = envelope.decode(data)
    assert set(content.severed) == set(parts.severed) == {20, 23}
    for number, digest in content.severed.items():
        assert envelope.digest_of(parts.severed[number]) == digest


@pytest.mark.parametrize("number", EXAMPLES)
def test_the_diagnostic_notation_of_every_example_names_all_its_numbers(number: int) -> None:
    for data in _suit_example(number)[1:]:
        shown = envelope_notation(data)
        assert f"/ suit-manifest-sequence-number / 2: {number}" in shown
        assert "/ suit-condition-vendor-identifier / 1, 15" in shown
        assert "unknown" not in shown


def test_a_unit_refuses_every_example_of_the_draft_by_name() -> None:
    anchors = Anchors(VENDOR, CLASS, (_author(),), 0, 0, NO_RULES)
    for number in EXAMPLES:
        with pytest.raises(FirstbootError, match="components"):
            verify.verify_envelope(_suit_example(number)[1], anchors)


def test_the_digest_of_the_draft_covers_the_byte_string_with_its_head() -> None:
    parts = envelope.decode(_suit_example(0)[1])
    assert sha256(cbor.encode(parts.manifest)).digest() == envelope.decode_digest(parts.digest)
    assert sha256(parts.manifest).digest() != envelope.decode_digest(parts.digest)
