"""The fixed form of a release against the general machine: the same manifest, or the same error and fields."""

from __future__ import annotations

import pytest
import test_fixed_form as fixed
import test_trust as base
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from device.codec import cbor
from device.limits import ENVELOPE_BYTES
from device.suit import manifest
from device.suit.envelope import digest_of
from device.trust import fixed_form
from device.trust.verify import VerifiedManifest, authenticate
from provisioning.keys.file_signer import FileSigner
from provisioning.release.manifest import encode_manifest
from provisioning.release.payload import FIRMWARE, Payload
from provisioning.release.release import anchors_of, build_release
from tests.fuzz.targets import TARGETS
from tests.unit.device.trust.test_damage import _anchors, _published

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60)
TEXTS = st.builds(manifest.Text, TEXT, TEXT, TEXT)
NUMBERS = st.one_of(st.integers(0, 300), st.integers(0, 2**64 - 1))
BYTES = st.binary(min_size=1, max_size=40)


class Believing(fixed.Believing):  # type: ignore[misc]
    """It accepts the signatures of every algorithm."""

    hss_verify = ed25519_verify = fixed.Believing.p256_verify


@st.composite
def contents(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Return an encoded manifest as `release sign` makes it, of any firmware, and its encoded texts."""
    text = manifest.encode_text(draw(TEXTS))
    firmware = Payload.of(FIRMWARE, draw(st.binary(min_size=1, max_size=8)) * draw(st.integers(1, 5000)))
    content = encode_manifest(
        firmware, None, vendor_id=base.VENDOR, class_id=base.CLASS, sequence_number=draw(NUMBERS), text=text
    )
    return content, text


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Return `data` with some bits changed, cut, repeated, moved or replaced."""
    for _ in range(draw(st.integers(1, 3))):
        start, end = sorted([draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))])
        before, part, after = data[:start], data[start:end], data[end:]
        kind = draw(st.sampled_from(["bit", "cut", "end", "twice", "swap", "other", "more"]))
        if kind == "bit" and part:
            data = before + bytes([part[0] ^ 1 << draw(st.integers(0, 7))]) + part[1:] + after
        elif kind == "cut":
            data = before + after
        elif kind == "end":
            data = before
        elif kind == "twice":
            data = before + part + part + after
        elif kind == "swap":
            data = part + before + after
        elif kind == "other":
            data = before + draw(BYTES) + after
        elif kind == "more":
            data = before + draw(BYTES) + part + after
    return data


@settings(max_examples=60)
@given(contents())
def test_every_release_of_firmware_alone_has_the_fixed_form(made: tuple[bytes, bytes]) -> None:
    data = fixed.enveloped(*made)
    assume(len(data) <= ENVELOPE_BYTES)
    assert fixed.is_fixed(data)
    assert isinstance(fixed.same(data), VerifiedManifest)


@settings(max_examples=200)
@given(contents(), st.data())
def test_damaged_envelopes_get_the_general_verdict(made: tuple[bytes, bytes], data: st.DataObject) -> None:
    fixed.same(data.draw(damaged(fixed.enveloped(*made))))


@settings(max_examples=300)
@given(contents(), st.data())
def test_damaged_manifests_that_are_signed_get_the_general_verdict(
    made: tuple[bytes, bytes], data: st.DataObject
) -> None:
    content, text = made
    fixed.same(fixed.enveloped(data.draw(damaged(content)), text))


@settings(max_examples=200)
@given(contents(), st.data())
def test_damaged_texts_get_the_general_verdict(made: tuple[bytes, bytes], data: st.DataObject) -> None:
    content, text = made
    other = data.draw(damaged(text))
    fixed.same(fixed.enveloped(content, other))
    members = cbor.decode(content)
    members[23] = [-16, digest_of(other)]
    fixed.same(fixed.enveloped(cbor.encode(members), other))


PAIRS = [*base.shared(), *base.install(), (3, 15), (12, 1), (12, True), (14, 0), (24, 15), (22, 2)]


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(range(len(PAIRS))), min_size=8, max_size=8),
    st.lists(st.sampled_from(range(len(PAIRS))), min_size=8, max_size=8),
    st.integers(0, 3),
)
def test_other_commands_of_the_same_number_get_the_general_verdict(
    shared: list[int], install: list[int], kept: int
) -> None:
    common = base.shared() if kept & 1 else [PAIRS[at] for at in shared]
    way = base.install() if kept & 2 else [PAIRS[at] for at in install]
    fixed.same(fixed.enveloped(base.content(common=common, sequences={20: way})))


@given(st.permutations(range(8)), st.permutations(range(8)))
def test_other_orders_of_the_commands_get_the_general_verdict(shared: list[int], install: list[int]) -> None:
    common = [base.shared()[at] for at in shared]
    way = [base.install()[at] for at in install]
    fixed.same(fixed.enveloped(base.content(common=common, sequences={20: way})))


@settings(max_examples=300)
@given(NUMBERS, NUMBERS, NUMBERS)
def test_any_numbers_get_the_general_verdict(sequence: int, list_size: int, size: int) -> None:
    common = base.shared(list_size=list_size, size=size)
    fixed.same(fixed.enveloped(base.content(sequence, common=common)))


@given(st.integers(0, 2**22))
def test_any_firmware_size_with_its_list_has_the_fixed_form(size: int) -> None:
    common = base.shared(list_size=32 * -(-size // 4096), size=size)
    assert fixed.is_fixed(fixed.enveloped(base.content(common=common))) == (size > 0)


def test_what_release_sign_writes_has_the_fixed_form() -> None:
    signer = FileSigner(ec.derive_private_key(0xF1257, ec.SECP256R1()))
    release = build_release(
        bytes(9000),
        vendor_id=base.VENDOR,
        class_id=base.CLASS,
        sequence_number=3,
        signer=signer,
        version="1.0",
        mitigates="a",
        interrupts="b",
    )
    anchors = anchors_of(base.VENDOR, base.CLASS, signer)
    assert isinstance(authenticate(release.envelope, anchors), fixed_form.Release)


def test_the_published_damage_gets_the_general_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixed, "Believing", Believing)
    for _, envelope, _, name in _published()[2]:
        fixed.same(envelope, _anchors(name))


def test_the_seeds_of_the_fuzzers_get_the_general_verdict() -> None:
    for _, seeds in TARGETS.values():
        for seed in seeds:
            fixed.same(seed)
            fixed.same(fixed.enveloped(seed))
            fixed.same(fixed.enveloped(base.content(), seed))
