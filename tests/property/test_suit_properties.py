"""Releases with all payload sizes and texts, and every kind of damage to an envelope (UP-01)."""

from hashlib import sha256

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import CodecError, FirstbootError
from device.suit import commands, envelope, manifest
from device.trust.verify import verify_envelope
from provisioning.keys.file_signer import FileSigner
from provisioning.release.release import anchors_of, build_release
from tests.dual.test_suit_commands import effects_of

VENDOR, CLASS = b"v" * 16, b"c" * 16
SIGNER = FileSigner(ec.derive_private_key(0xF1257, ec.SECP256R1()))
ANCHORS = anchors_of(VENDOR, CLASS, SIGNER)
TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200)


def _build(payload: bytes, sequence_number: int, text: manifest.Text) -> bytes:
    release = build_release(
        payload,
        vendor_id=VENDOR,
        class_id=CLASS,
        sequence_number=sequence_number,
        signer=SIGNER,
        version=text.version,
        mitigates=text.mitigates,
        interrupts=text.interrupts,
    )
    return release.envelope


ENVELOPE = _build(bytes(9000), 3, manifest.Text("1.0", "a", "b"))
PARTS = cbor2.loads(ENVELOPE).value


@settings(max_examples=40)
@given(st.integers(1, 40000), st.integers(0, 2**64 - 1), st.builds(manifest.Text, TEXT, TEXT, TEXT))
def test_a_unit_reads_exactly_what_was_released(size: int, sequence_number: int, text: manifest.Text) -> None:
    payload = bytes(size)
    verified = verify_envelope(_build(payload, sequence_number, text), ANCHORS)
    assert verified.sequence_number == sequence_number
    assert (verified.firmware.digest, verified.firmware.size) == (sha256(payload).digest(), size)
    assert verified.chunks.size == 32 * -(-size // 4096)
    assert verified.text == text


def _passes(data: bytes) -> bool:
    try:
        verify_envelope(data, ANCHORS)
    except FirstbootError:
        return False
    return True


def test_no_changed_byte_of_an_envelope_passes() -> None:
    passed = []
    for offset in range(len(ENVELOPE)):
        for change in (0x01, 0x80, 0xFF):
            damaged = bytearray(ENVELOPE)
            damaged[offset] ^= change
            if _passes(bytes(damaged)):
                passed.append((offset, change))
    assert passed == []
    assert _passes(ENVELOPE)


@given(st.integers(0, len(ENVELOPE)), st.binary(min_size=1, max_size=20))
def test_no_inserted_bytes_pass(offset: int, extra: bytes) -> None:
    with pytest.raises(FirstbootError):
        verify_envelope(ENVELOPE[:offset] + extra + ENVELOPE[offset:], ANCHORS)


@given(st.integers(0, len(ENVELOPE) - 1), st.integers(1, 40))
def test_no_missing_bytes_pass(offset: int, count: int) -> None:
    with pytest.raises(FirstbootError):
        verify_envelope(ENVELOPE[:offset] + ENVELOPE[offset + count :], ANCHORS)


@given(st.binary(max_size=120))
def test_bytes_of_anyone_are_a_codec_error(data: bytes) -> None:
    with pytest.raises(CodecError):
        verify_envelope(data, ANCHORS)


@given(st.dictionaries(st.integers(0, 30), st.one_of(st.binary(max_size=20), st.integers()), max_size=5))
def test_any_map_as_a_manifest_is_a_typed_refusal(members: dict[int, object]) -> None:
    try:
        data = cbor2.dumps(dict(sorted(members.items())))
    except OverflowError:
        return
    with pytest.raises(FirstbootError):
        manifest.decode(data)


ARGUMENTS = st.one_of(
    st.integers(-3, 40),
    st.booleans(),
    st.none(),
    st.binary(max_size=17),
    st.dictionaries(st.integers(0, 30), st.one_of(st.integers(0, 9), st.binary(max_size=17)), max_size=3),
)


@given(st.lists(st.tuples(st.integers(0, 33), ARGUMENTS), min_size=1, max_size=8))
def test_any_sequence_runs_to_effects_or_a_typed_refusal(pairs: list[tuple[int, object]]) -> None:
    try:
        effects = effects_of(commands.run((commands.decode(commands.encode(pairs)),), 2))
    except FirstbootError:
        return
    kinds = (commands.MatchVendor, commands.MatchClass, commands.MatchImage, commands.Fetch)
    assert all(isinstance(effect, kinds) for effect in effects)


def test_an_independent_decoder_sees_the_same_parts() -> None:
    parts = envelope.decode(ENVELOPE)
    assert PARTS[3] == parts.manifest
    assert cbor2.loads(PARTS[2])[0] == parts.digest
    assert cbor2.loads(PARTS[3])[2] == 3
