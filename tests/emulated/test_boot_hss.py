"""The boot ROM with keys that require HSS/LMS beside P-256: both signatures, or no start."""

import pytest

from device.layout import MPS2
from provisioning.keys.hss_signer import FORMS, HssSigner
from provisioning.release.image import image_key, sign_image
from tests.emulated.boot_support import (
    START_TIMEOUT_S,
    Bench,
    build_rom,
    build_stub,
    load_key,
    missing_tools,
    new_key,
    new_tree,
    stub_line,
)

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Return (bench, trees): key 0 requires only P-256, key 1 also a tree of ours, key 2 one of two levels."""
    if missing_tools():
        pytest.skip("not installed: " + ", ".join(missing_tools()))
    work = tmp_path_factory.mktemp("both")
    pems = tuple(new_key(work / f"image-{index}.pem") for index in range(3))
    own = HssSigner.create(work / "tree", FORMS["H5/W8"], work / "witness")
    peer = new_tree(2, 8)
    publics = (b"", own.public, peer.publicKey().serialize())
    rom = build_rom(work / "rom", [image_key(pem, public) for pem, public in zip(pems, publics, strict=True)])
    keys = tuple(load_key(pem) for pem in pems)
    stranger = load_key(new_key(work / "stranger.pem"))
    return Bench(rom, keys, pems, stranger, build_stub(work / "stub")), (None, own, peer)


@pytest.fixture
def board(both, tmp_path):
    with both[0].board(tmp_path / "board") as board:
        yield board


def start(board, staged: bytes, fallback: bytes) -> None:
    board.nvm.install(0, fallback, is_tried=True, confirm_sequence=1)
    board.nvm.install(1, staged)
    board.power_on()


def refusal(board) -> str:
    return board.console.wait_for(r"^rom: slot 1 refused: (.*)\n", START_TIMEOUT_S).group(1)


def test_an_image_that_imgtool_and_our_tree_signed_starts_and_gets_its_key_number(both, board, tmp_path):
    bench, trees = both
    raw, signed = tmp_path / "raw.bin", tmp_path / "signed.bin"
    raw.write_bytes(bench.stub)
    sign_image(raw, bench.key_pems[1], version="1.0.0", security_counter=0, out=signed, hss=trees[1])
    board.program(bench.rom, signed)
    board.power_on()
    said = stub_line(board)
    assert (said["key"], said["keys"], said["slot"]) == ("1", "3", "0")


def test_the_same_image_without_its_hss_signature_does_not_start(both, board, tmp_path):
    bench, _ = both
    raw, signed = tmp_path / "raw.bin", tmp_path / "signed.bin"
    raw.write_bytes(bench.stub)
    sign_image(raw, bench.key_pems[1], version="1.0.0", security_counter=0, out=signed)
    start(board, signed.read_bytes(), bench.recipe.signed())
    assert refusal(board) == "no hss signature"
    said = stub_line(board)
    assert (said["slot"], said["key"]) == ("0", "0")


def test_a_tree_of_two_levels_made_elsewhere_is_verified(both, board):
    bench, trees = both
    image = bench.recipe.but(key=bench.keys[2], hss=trees[2]).signed()
    start(board, image, bench.recipe.signed())
    assert stub_line(board)["key"] == "2"


def test_a_strangers_tree_and_one_flipped_bit_are_refused(both, board):
    bench, trees = both
    image = bytearray(bench.recipe.but(key=bench.keys[2], hss=trees[2]).signed())
    image[-1] ^= 1
    start(board, bytes(image), bench.recipe.but(key=bench.keys[2], hss=new_tree(2, 8)).signed())
    assert refusal(board) == "hss signature"
    assert (
        board.console.wait_for(r"^rom: slot 0 refused: (.*)\n", START_TIMEOUT_S).group(1) == "hss signature"
    )
    board.console.wait_for(r"not booting", START_TIMEOUT_S)


def test_a_revoked_key_does_not_start_even_with_both_signatures(both, board):
    bench, trees = both
    board.nvm.write(MPS2.revocation_offset + 2 * MPS2.unit_bytes, b"firstboot:revoke" * 2)
    start(board, bench.recipe.but(key=bench.keys[2], hss=trees[2]).signed(), bench.recipe.signed())
    assert refusal(board) == "revoked key"
