"""The simulator's boot ROM: what it refuses to start and why, which slot it starts, and what it hands over."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from device.errors import ImageFormatError
from device.layout import RESET_WATCHDOG
from device.update.slots import BootState
from provisioning.release.image import ImageKey
from simulator import boot as boot_rom
from simulator.ports.flash import SimFlash
from tests.dual.memory_flash import SMALL as LAYOUT
from tests.emulated.boot_support import Recipe, new_tree

KEYS = tuple(ec.derive_private_key(number, ec.SECP256R1()) for number in (3, 5, 7))
STRANGER = ec.derive_private_key(11, ec.SECP256R1())
TREE = new_tree(1, 4)  # the third key requires its signature too
BODY = bytes(range(256)) * 2


def public_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def hash_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return hashlib.sha256(public_of(key)).digest()


KNOWN = (
    hash_of(KEYS[0]),
    ImageKey(hash_of(KEYS[1])),
    ImageKey(hash_of(KEYS[2]), TREE.publicKey().serialize()),
)
GOOD = Recipe(body=BODY, key=KEYS[0], version=(1, 2, 3, 4), counter=1)


def state(first: bytes = b"", second: bytes = b"") -> BootState:
    """Return a unit's NVM with these slot contents and no marks."""
    boot = BootState(SimFlash(LAYOUT), LAYOUT)
    for slot, image in enumerate((first, second)):
        for at in range(0, len(image), 4096):
            boot.rewrite_sector(slot, at, image[at : at + 4096])
    return boot


def verdict(image: bytes, boot: BootState | None = None, known: boot_rom.ImageKeys = KNOWN) -> str | int:
    """Return why the image in slot 1 does not start, or the number of its key."""
    boot = boot or state()
    for at in range(0, len(image), 4096):
        boot.rewrite_sector(1, at, image[at : at + 4096])
    try:
        return boot_rom.verify_slot(boot, 1, known)[1]
    except ImageFormatError as error:
        return str(error.fields["reason"])


# one image --------------------------------------------------------------------------------------------------


def test_an_image_of_a_known_key_starts_and_its_key_has_the_number_of_its_entry() -> None:
    images = [GOOD, GOOD.but(key=KEYS[1]), GOOD.but(key=KEYS[2], hss=TREE)]
    assert [verdict(image.signed()) for image in images] == [0, 1, 2]


def test_the_facts_of_the_image_are_those_of_its_header() -> None:
    info, _ = boot_rom.verify_slot(state(GOOD.signed()), 0, KNOWN)
    assert (info.version, info.security_counter, info.body_bytes) == ((1, 2, 3, 4), 1, len(BODY))


def test_a_changed_body_is_refused_whichever_digest_is_the_greater_one() -> None:
    image = GOOD.signed()
    digest = boot_rom.verify_slot(state(image), 0, KNOWN)[0].digest
    greater = set()
    for bit in range(8):
        changed = bytearray(image)
        changed[0x200] ^= 1 << bit
        assert verdict(bytes(changed)) == "digest"
        hashed = bytes(changed[: image.index(digest) - 8])
        greater.add(hashlib.sha256(hashed).digest() > digest)
    assert greater == {True, False}


def test_an_image_of_an_unknown_key_is_refused() -> None:
    assert verdict(GOOD.but(key=STRANGER).signed()) == "key"
    assert verdict(GOOD.signed(), known=()) == "key"


def test_a_known_key_of_another_algorithm_is_refused() -> None:
    """The entry is a hash and does not tell the algorithm: the boot ROM reads it from the key itself."""
    other = bytes(91)
    image = GOOD.signed().replace(public_of(KEYS[0]), other)
    assert verdict(image, known=(hashlib.sha256(other).digest(),)) == "key"


def test_a_revoked_key_starts_nothing_and_the_others_do() -> None:
    boot = state()
    boot.revoke_image_key(1, 0, 3)
    assert verdict(GOOD.but(key=KEYS[1]).signed(), boot) == "revoked key"
    assert verdict(GOOD.signed(), boot) == 0
    assert verdict(GOOD.but(key=KEYS[2], hss=TREE).signed(), boot) == 2


def test_an_image_below_the_units_counter_is_refused_and_one_at_it_starts() -> None:
    boot = state()
    boot.raise_security_counter(2)
    found = [verdict(GOOD.but(counter=counter).signed(), boot) for counter in (1, 2, 3)]
    assert found == ["security counter", 0, 0]


def signed_by(key: ec.EllipticCurvePrivateKey, digest: bytes) -> bytes:
    return key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))


def with_signature(signature: bytes) -> bytes:
    """Return the good image with another ECDSA signature (DER)."""
    return GOOD.but(left_out=(0x22,), extra=((0x22, signature),)).signed()


DIGEST = boot_rom.verify_slot(state(GOOD.signed()), 0, KNOWN)[0].digest


@pytest.mark.parametrize(
    ("signature", "found"),
    [
        (signed_by(KEYS[0], DIGEST), 0),
        (signed_by(KEYS[1], DIGEST), "signature"),
        (signed_by(KEYS[0], bytes(32)), "signature"),
        (utils.encode_dss_signature(1, 1), "signature"),
        (utils.encode_dss_signature(1 << 256, 1), "signature"),
        (utils.encode_dss_signature(1, 1 << 256), "signature"),
        (bytes.fromhex("300602 01ff 020101"), "signature"),
        (bytes(8), "signature"),
    ],
    ids=[
        "of the key",
        "of another key",
        "of another digest",
        "wrong",
        "r long",
        "s long",
        "negative",
        "no DER",
    ],
)
def test_only_a_signature_of_the_key_over_the_digest_is_one(signature: bytes, found: str | int) -> None:
    assert verdict(with_signature(signature)) == found


def test_the_entry_of_a_key_says_whether_the_image_has_an_hss_signature_too() -> None:
    both = GOOD.but(key=KEYS[2], hss=TREE)
    stranger = new_tree(1, 4)
    images = [both.but(hss=None), both.but(hss=stranger), both.but(key=KEYS[0]), both.but(key=KEYS[1])]
    assert [verdict(image.signed()) for image in images] == [
        "no hss signature",
        "hss signature",
        "tlv",
        "tlv",
    ]


def test_an_hss_signature_or_key_that_cannot_be_read_is_a_wrong_one() -> None:
    both = GOOD.but(key=KEYS[2])
    assert verdict(both.but(extra=((0xA0, b"x"),)).signed()) == "hss signature"
    short = ImageKey(hash_of(KEYS[2]), b"short")
    assert verdict(both.but(hss=TREE).signed(), known=(short,)) == "hss signature"


# the choice -------------------------------------------------------------------------------------------------


def started(boot: BootState) -> tuple[boot_rom.Handover | None, list[str]]:
    """Return what one start hands over and what the boot ROM says."""
    said: list[str] = []
    return boot_rom.start(boot._flash, LAYOUT, KNOWN, said.append), said


FIRST = GOOD.but(key=KEYS[1], version=(1, 0, 7, 7)).signed()
SECOND = GOOD.but(version=(2, 1, 0, 9), counter=4).signed()


def test_the_slot_that_was_confirmed_last_starts() -> None:
    for order, slot, key, version in (((0, 1), 1, 0, "2.1.0"), ((1, 0), 0, 1, "1.0.7")):
        boot = state(FIRST, SECOND)
        for one in order:
            boot.confirm(one)
        handover, said = started(boot)
        assert handover is not None
        assert (handover.slot, handover.is_trial, handover.image_key) == (slot, False, key)
        assert handover.image_key_count == len(KNOWN)
        assert said == [f"rom: slot {slot} confirmed, image {version}, counter {4 if slot else 1}"]
        assert not boot.marks(slot).is_tried


def test_a_staged_slot_starts_once_as_a_trial_and_leaves_its_mark() -> None:
    boot = state(FIRST, SECOND)
    boot.confirm(0)
    boot.stage(1)
    handover, said = started(boot)
    assert handover is not None and (handover.slot, handover.is_trial) == (1, True)
    assert handover.info.version == (2, 1, 0, 9)
    assert said == ["rom: slot 1 trial, image 2.1.0, counter 4"]
    assert boot.marks(1).is_tried
    handover, said = started(boot)
    assert handover is not None and (handover.slot, handover.is_trial) == (0, False)
    assert said == ["rom: slot 0 confirmed, image 1.0.7, counter 1"]


def test_a_refused_image_is_said_and_leaves_the_other_slot() -> None:
    for spoilt in (0, 1):
        images = [FIRST, SECOND]
        images[spoilt] = images[spoilt].replace(BODY, bytes(len(BODY)))
        boot = state(*images)
        boot.confirm(1 - spoilt)
        boot.stage(spoilt)
        handover, said = started(boot)
        assert handover is not None and (handover.slot, handover.is_trial) == (1 - spoilt, False)
        assert said[0] == f"rom: slot {spoilt} refused: digest" and len(said) == 2
        assert not boot.marks(spoilt).is_tried


def test_without_a_mark_or_without_a_valid_image_nothing_starts() -> None:
    nothing = "rom: no valid image in either slot: not booting"
    boot = state(FIRST, SECOND)
    assert started(boot) == (None, [nothing])
    boot.mark_tried(0)
    assert started(boot) == (None, [nothing])
    boot = state()
    boot.confirm(1)
    handover, said = started(boot)
    assert handover is None and len(said) == 2 and said[-1] == nothing


def test_what_was_handed_over_cannot_be_changed() -> None:
    boot = state(FIRST)
    boot.confirm(0)
    handover, _ = started(boot)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(handover, "is_trial", True)  # noqa: B010 - mypy refuses the plain assignment


# the port ---------------------------------------------------------------------------------------------------


def test_the_port_of_a_start_gives_what_was_handed_over() -> None:
    boot = state(FIRST, SECOND)
    boot.stage(1)
    handover, _ = started(boot)
    assert handover is not None
    is_pressed = iter((True, False))
    port = boot_rom.BootPort(handover, RESET_WATCHDOG, b"h" * 16, True, lambda: next(is_pressed))
    assert (port.slot, port.is_trial, port.version) == (1, True, (2, 1, 0, 9))
    assert port.image_digest == handover.info.digest
    assert (port.image_key, port.image_key_count) == (0, len(KNOWN))
    assert (port.reset_reason, port.hardware_id, port.is_button_held) == (RESET_WATCHDOG, b"h" * 16, True)
    assert port.is_test_seed is False
    assert [port.is_button_pressed(), port.is_button_pressed()] == [True, False]
    assert (
        port.parse_image(lambda offset, length: SECOND[offset : offset + length], len(SECOND))
        == handover.info
    )
    with pytest.raises(boot_rom.UnitReset):
        port.reset()
