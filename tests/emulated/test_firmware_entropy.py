"""The unit's generator: its seed, its state in NVM, and its refusals (PR-01)."""

import pytest

from device.layout import MPS2
from tests.emulated.firmware_support import Prompt, RemoteError, kit, remote_name

__all__ = ["kit"]

pytestmark = pytest.mark.emulated

SECTOR = MPS2.sector_bytes
FIXED = bytes(range(32))


def draw(board):
    """Start the board with the fixed seed, read 32 random bytes, cut the power."""
    board.power_on(fixed_seed=FIXED)
    value = (
        Prompt(board)
        .enter()
        .run("import os, binascii\nprint(binascii.hexlify(os.urandom(32)).decode())")
        .strip()
    )
    board.cut_power()
    return value


def state_sectors(board):
    data = board.nvm.path.read_bytes()
    start = MPS2.entropy_offset
    return data[start : start + SECTOR], data[start + SECTOR : start + 2 * SECTOR]


def write_nvm(board, offset, data):
    with board.nvm.path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def test_the_same_seed_gives_other_bytes_at_every_start(kit, tmp_path):
    with kit.board(tmp_path) as board:
        assert len({draw(board) for _ in range(4)}) == 4


def test_the_same_seed_gives_other_bytes_after_a_reset(kit, tmp_path):
    with kit.board(tmp_path) as board:
        board.power_on(fixed_seed=FIXED)
        prompt = Prompt(board).enter()
        first = prompt.run("import os\nprint(os.urandom(32))")
        board.console.skip()
        board.reset()
        assert Prompt(board).enter().run("import os\nprint(os.urandom(32))") != first


def test_two_units_with_the_same_seed_differ(kit, tmp_path):
    with kit.board(tmp_path / "a") as one, kit.board(tmp_path / "b") as other:
        assert draw(one) != draw(other)


def test_the_state_goes_to_the_two_sectors_in_turn(kit, tmp_path):
    with kit.board(tmp_path) as board:
        draw(board)
        first = state_sectors(board)
        draw(board)
        second = state_sectors(board)
        draw(board)
        third = state_sectors(board)
    assert first[1] == b"\xff" * SECTOR
    assert second[0] == first[0] and second[1] != first[1]
    assert third[1] == second[1] and third[0] != second[0]


def test_a_torn_newest_state_falls_back_to_the_older_one(kit, tmp_path):
    """The unit starts, and the sector that it writes next is the torn one, never the good one."""
    with kit.board(tmp_path) as board:
        draw(board)
        draw(board)
        good, newest = state_sectors(board)
        write_nvm(board, MPS2.entropy_offset + SECTOR, newest[:64] + b"\xff" * 32)
        draw(board)
        after = state_sectors(board)
    assert after[0] == good
    assert after[1][64:96] != b"\xff" * 32


def test_the_output_depends_on_the_stored_state(kit, tmp_path):
    """The same unit, seed and counter with other stored secrets give other bytes."""
    with kit.board(tmp_path) as board:
        erased = board.nvm.path.read_bytes()
        first = draw(board)
        board.nvm.path.write_bytes(erased)
        assert draw(board) == first  # all inputs equal
        board.nvm.path.write_bytes(erased)
        draw(board)
        assert draw(board) != first


def test_the_state_in_nvm_is_not_what_is_given_out(kit, tmp_path):
    with kit.board(tmp_path) as board:
        value = bytes.fromhex(draw(board))
        assert value not in board.nvm.path.read_bytes()


def test_the_seed_cannot_be_read_after_the_start(kit, tmp_path):
    with kit.board(tmp_path) as board:
        board.power_on(fixed_seed=FIXED)
        output = Prompt(board).enter().run("import _mps2\nprint(_mps2.power_on())")
    assert "seed" not in output.replace("is_test_seed", "")


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.urandom(1)",
        "import _mps2; _mps2.random(1)",
        "import _fbcrypto; _fbcrypto.p256_generate()",
        "import _fbcrypto; _fbcrypto.p256_sign(b'\\1' * 32, bytes(32))",
        "import tls; tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)",
    ],
)
def test_without_a_seed_nothing_secret_is_made(kit, tmp_path, code):
    with kit.board(tmp_path, has_seed=False) as board:
        board.power_on()
        with pytest.raises(RemoteError) as caught:
            Prompt(board).enter().run(code)
    assert remote_name(caught.value).startswith("OSError")


def test_without_a_seed_the_state_is_not_touched(kit, tmp_path):
    with kit.board(tmp_path, has_seed=False) as board:
        board.power_on()
        Prompt(board).enter()
        board.cut_power()
        assert set(b"".join(state_sectors(board))) == {0xFF}
