"""The boot ROM refuses every image that is not complete, for this board, and signed by one of its keys.

Each case is staged in slot 1, with a good confirmed image in slot 0: the ROM prints the reason and starts slot 0.
"""

import pytest

from device.layout import MPS2, UNIT_COUNTED, UNIT_REVOKED
from provisioning.release.image import image_info, sign_image
from tests.emulated.boot_support import START_TIMEOUT_S, stub_line

pytestmark = pytest.mark.emulated

COUNTER_TLV, SHA_TLV, KEY_TLV, SIGNATURE_TLV = 0x50, 0x10, 0x02, 0x22


def start(board, staged: bytes, fallback: bytes | None) -> None:
    if fallback is not None:
        board.nvm.install(0, fallback, is_tried=True, confirm_sequence=1)
    board.nvm.install(1, staged)
    board.power_on()


def refusal(board) -> str:
    return board.console.wait_for(r"^rom: slot 1 refused: (.*)\n", START_TIMEOUT_S).group(1)


def test_an_image_that_imgtool_signed_starts(bench, board, tmp_path):
    raw, signed = tmp_path / "raw.bin", tmp_path / "signed.bin"
    raw.write_bytes(bench.stub)
    sign_image(raw, bench.key_pems[1], version="2.3.4+5", security_counter=7, out=signed)
    board.program(bench.rom, signed)
    board.power_on()
    assert board.console.wait_for(r"^rom: (.*)\n", START_TIMEOUT_S).group(1) == (
        "slot 0 confirmed, image 2.3.4+5, counter 7"
    )
    said, info = stub_line(board), image_info(signed.read_bytes())
    assert (said["version"], said["counter"]) == ("2.3.4+5", "7")
    assert (said["digest"], said["bytes"]) == (info.digest.hex(), str(info.total_bytes))


FIELD_CASES = {
    "magic": ({"magic": 0x96F3B83C}, "header"),
    "header size": ({"header_bytes": 0x20}, "header"),
    "no RAM_LOAD flag": ({"flags": 0}, "header"),
    "encrypted flag": ({"flags": 0x24}, "header"),
    "non-bootable flag": ({"flags": 0x30}, "header"),
    "load address": ({"load_address": 0x00110000}, "load address"),
    "load address in ROM": ({"load_address": 0}, "load address"),
    "body of nothing": ({"body_bytes": 0}, "size"),
    "body larger than the slot": ({"body_bytes": MPS2.slot_bytes}, "size"),
    "body that wraps 32 bits": ({"body_bytes": 0xFFFFFFFF}, "size"),
    "body that ends at 32 bits": ({"body_bytes": 0xFFFFFFFF - 0x200}, "size"),
    "body shorter than said": ({"body_bytes": 64}, "tlv"),
    "no protected TLVs": ({"protected": ()}, "tlv"),
    "counter of 2 bytes": ({"protected": ((COUNTER_TLV, b"\0\0"),)}, "tlv"),
    "counter twice": ({"protected": ((COUNTER_TLV, bytes(4)), (COUNTER_TLV, bytes(4)))}, "tlv"),
    "unknown protected TLV": ({"protected": ((COUNTER_TLV, bytes(4)), (0xA1, b"x"))}, "tlv"),
    "unknown TLV": ({"extra": ((0xA1, b"x"),)}, "tlv"),
    "HSS signature that the key does not ask for": ({"extra": ((0xA0, b"x"),)}, "tlv"),
    "digest twice": ({"extra": ((SHA_TLV, bytes(32)),)}, "tlv"),
    "counter unprotected": ({"protected": (), "extra": ((COUNTER_TLV, bytes(4)),)}, "tlv"),
    "no digest": ({"left_out": (SHA_TLV,)}, "tlv"),
    "no key": ({"left_out": (KEY_TLV,)}, "tlv"),
    "no signature": ({"left_out": (SIGNATURE_TLV,)}, "tlv"),
    "digest of 31 bytes": ({"left_out": (SHA_TLV,), "extra": ((SHA_TLV, bytes(31)),)}, "tlv"),
    "other digest": ({"left_out": (SHA_TLV,), "extra": ((SHA_TLV, bytes(32)),)}, "digest"),
    "empty signature": ({"left_out": (SIGNATURE_TLV,), "extra": ((SIGNATURE_TLV, b""),)}, "tlv"),
    "signature of zeros": (
        {"left_out": (SIGNATURE_TLV,), "extra": ((SIGNATURE_TLV, bytes.fromhex("3006020100020100")),)},
        "signature",
    ),
    "stack outside RAM": ({"body": bytes(4) + (0x00100301).to_bytes(4, "little") + bytes(512)}, "vectors"),
    "entry outside the image": (
        {"body": (0x20010000).to_bytes(4, "little") + (0x00200001).to_bytes(4, "little") + bytes(64)},
        "vectors",
    ),
}


@pytest.mark.parametrize("changes, reason", FIELD_CASES.values(), ids=FIELD_CASES.keys())
def test_a_signed_image_with_a_wrong_field_is_refused_by_name(bench, board, changes, reason):
    start(board, bench.recipe.but(**changes).signed(), bench.recipe.signed())
    assert refusal(board) == reason
    assert stub_line(board)["slot"] == "0"


def tlv_at(image: bytes, kind: int) -> int:
    """Return the offset of the value of the only TLV of `kind`."""
    info = image_info(image)
    value = {SHA_TLV: info.digest, KEY_TLV: info.public_key, SIGNATURE_TLV: info.signature}[kind]
    return image.rindex(value)


FLIPS = {
    "version": (lambda image: 20, "digest"),
    "header padding": (lambda image: 0x1FF, "digest"),
    "first byte of the body": (lambda image: 0x200, "digest"),
    "last byte of the body": (lambda image: 0x200 + image_info(image).body_bytes - 1, "digest"),
    "counter": (lambda image: 0x200 + image_info(image).body_bytes + 8, "digest"),
    "protected TLV magic": (lambda image: 0x200 + image_info(image).body_bytes, "tlv"),
    "protected TLV length": (lambda image: 0x200 + image_info(image).body_bytes + 2, "tlv"),
    "digest": (lambda image: tlv_at(image, SHA_TLV), "digest"),
    "public key prefix": (lambda image: tlv_at(image, KEY_TLV), "unknown key"),
    "public key point": (lambda image: tlv_at(image, KEY_TLV) + 60, "unknown key"),
    "signature r": (lambda image: tlv_at(image, SIGNATURE_TLV) + 8, "signature"),
    "signature s": (lambda image: len(image) - 1, "signature"),
    "signature tag": (lambda image: tlv_at(image, SIGNATURE_TLV), "signature"),
}


@pytest.mark.parametrize("where, reason", FLIPS.values(), ids=FLIPS.keys())
def test_one_flipped_bit_is_refused_by_name(bench, board, where, reason):
    image = bytearray(bench.recipe.signed())
    image[where(bytes(image))] ^= 1
    start(board, bytes(image), bench.recipe.signed())
    assert refusal(board) == reason
    assert stub_line(board)["slot"] == "0"


@pytest.mark.parametrize("missing", [1, 40, 200, 1000])
def test_an_image_cut_short_is_refused(bench, board, missing):
    start(board, bench.recipe.signed()[:-missing], bench.recipe.signed())
    assert refusal(board) in ("tlv", "size", "signature", "digest")
    assert stub_line(board)["slot"] == "0"


def test_an_image_of_a_stranger_is_refused(bench, board):
    start(board, bench.recipe.but(key=bench.stranger).signed(), bench.recipe.signed())
    assert refusal(board) == "unknown key"


def test_a_known_key_with_a_signature_of_another_known_key_is_refused(bench, board):
    mine, other = bench.recipe.signed(), bench.recipe.but(key=bench.keys[1]).signed()
    start(board, mine[: tlv_at(mine, SIGNATURE_TLV) - 4] + other[tlv_at(other, SIGNATURE_TLV) - 4 :], mine)
    assert refusal(board) in ("signature", "tlv")  # DER lengths sometimes differ by a byte


def test_an_image_of_a_revoked_key_is_refused_and_of_another_key_starts(bench, board):
    fallback = bench.recipe.but(key=bench.keys[2]).signed()
    board.nvm.write(MPS2.revocation_offset, UNIT_REVOKED)
    start(board, bench.recipe.signed(), fallback)
    assert refusal(board) == "revoked key"
    assert stub_line(board)["slot"] == "0"


def test_a_torn_revocation_counts_as_revoked(bench, board):
    board.nvm.write(MPS2.revocation_offset + MPS2.unit_bytes, UNIT_REVOKED[:3])
    start(board, bench.recipe.but(key=bench.keys[1]).signed(), bench.recipe.signed())
    assert refusal(board) == "revoked key"


def test_an_image_below_the_units_counter_is_refused_and_an_equal_one_starts(bench, board):
    board.nvm.write(MPS2.counter_offset, UNIT_COUNTED * 2)
    start(board, bench.recipe.but(counter=1).signed(), bench.recipe.but(counter=2).signed())
    assert refusal(board) == "security counter"
    assert stub_line(board)["unit_counter"] == "2"


def test_a_torn_counter_unit_counts(bench, board):
    board.nvm.write(MPS2.counter_offset, UNIT_COUNTED + UNIT_COUNTED[:1])
    start(board, bench.recipe.but(counter=1).signed(), bench.recipe.but(counter=2).signed())
    assert refusal(board) == "security counter"


def test_with_both_slots_bad_nothing_starts_and_the_console_says_so(bench, board):
    bad = bench.recipe.but(key=bench.stranger).signed()
    start(board, bad, bad)
    board.console.wait_for(r"^rom: no valid image in either slot: not booting\n", START_TIMEOUT_S)
    assert "stub:" not in board.console.text


def test_an_erased_board_does_not_start(board):
    board.power_on()
    board.console.wait_for(r"^rom: no valid image in either slot: not booting\n", START_TIMEOUT_S)
