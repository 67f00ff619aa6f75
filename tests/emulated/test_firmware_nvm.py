"""The NVM driver of the firmware: NOR rules, guarded sectors, and records that a host can read."""

import pytest

from device.layout import MPS2
from device.records.store import DEVICE
from tests.emulated.firmware_support import Prompt, RemoteError, kit, prompt, remote_name

__all__ = ["kit", "prompt"]

pytestmark = pytest.mark.emulated

SLOT_1 = MPS2.slot_offsets[1]
SETUP = "from device.ports import mps2; flash = mps2.Mps2Flash()"


@pytest.fixture(scope="module")
def board_prompt(prompt):
    prompt.run(SETUP)
    return prompt


def refused(prompt, code):
    """Return the reason of the FlashError that `code` raises."""
    with pytest.raises(RemoteError) as caught:
        prompt.run(code)
    name = remote_name(caught.value)
    assert name.startswith("FlashError: "), name
    return name.split("reason=", 1)[1]


def test_an_erased_sector_reads_ff(board_prompt):
    board_prompt.run(f"flash.erase({SLOT_1})")
    assert board_prompt.evaluate(f"flash.read({SLOT_1}, 4096) == b'\\xff' * 4096") == "True"


def test_what_is_written_is_read_back(board_prompt):
    board_prompt.run(f"flash.erase({SLOT_1}); flash.write({SLOT_1} + 32, bytes(range(64)))")
    assert board_prompt.evaluate(f"flash.read({SLOT_1} + 30, 68)[2:66] == bytes(range(64))") == "True"


def test_a_unit_is_written_once_between_two_erases(board_prompt):
    board_prompt.run(f"flash.erase({SLOT_1}); flash.write({SLOT_1}, bytes(32))")
    assert refused(board_prompt, f"flash.write({SLOT_1}, bytes(32))") == "not erased"


def test_a_refused_write_changes_nothing(board_prompt):
    board_prompt.run(f"flash.erase({SLOT_1}); flash.write({SLOT_1} + 32, bytes(32))")
    refused(board_prompt, f"flash.write({SLOT_1}, b'a' * 64)")
    assert board_prompt.evaluate(f"flash.read({SLOT_1}, 32) == b'\\xff' * 32") == "True"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (f"flash.write({SLOT_1} + 1, bytes(32))", "alignment"),
        (f"flash.write({SLOT_1}, bytes(31))", "alignment"),
        (f"flash.erase({SLOT_1} + 32)", "alignment"),
        ("flash.read(-1, 1)", "range"),
        ("flash.read(0, -1)", "range"),
        (f"flash.read({MPS2.size_bytes}, 1)", "range"),
        ("flash.read(0x10000000000, 1)", "range"),
        ("flash.read(0x7FFFFFFF, 0x7FFFFFFF)", "range"),
        (f"flash.write({MPS2.size_bytes}, bytes(32))", "range"),
        (f"flash.erase({MPS2.size_bytes})", "range"),
    ],
)
def test_what_does_not_fit_the_geometry_is_refused(board_prompt, code, reason):
    assert refused(board_prompt, code).startswith(reason)


@pytest.mark.parametrize(
    "offset",
    [*MPS2.lock_offsets, MPS2.counter_offset, MPS2.counter_offset + 3 * 4096, MPS2.revocation_offset],
)
def test_boot_facts_are_never_erased(board_prompt, offset):
    assert refused(board_prompt, f"flash.erase({offset})") == "forbidden"


@pytest.mark.parametrize(
    "code",
    [
        f"flash.read({MPS2.entropy_offset}, 32)",
        f"flash.read({MPS2.entropy_offset} - 4, 8)",
        f"flash.read({MPS2.entropy_offset} + 8191, 10)",
        f"flash.write({MPS2.entropy_offset} + 4096, bytes(32))",
        f"flash.erase({MPS2.entropy_offset})",
    ],
)
def test_only_the_driver_reaches_the_entropy_state(board_prompt, code):
    assert refused(board_prompt, code) == "forbidden"


RECORDS = """
regions = mps2.regions(False)
def attempt(call, *arguments):
    from device.errors import FirstbootError
    try:
        print(call(*arguments))
    except FirstbootError as error:
        print(error.describe())
"""


@pytest.fixture(scope="module")
def records(board_prompt):
    """The prompt with `regions` on empty file systems and `attempt`."""
    board_prompt.run(RECORDS)
    board_prompt.run("device = regions.format('device')")
    return board_prompt


def test_an_erased_region_does_not_mount_and_is_not_formatted_by_the_attempt(board_prompt):
    board_prompt.run(f"for at in range({MPS2.user_offset}, {MPS2.user_offset} + 8192, 4096): flash.erase(at)")
    board_prompt.run(RECORDS)
    assert "StorageError" in board_prompt.run("attempt(regions.mount, 'user')")
    assert board_prompt.evaluate(f"flash.read({MPS2.user_offset}, 8192) == b'\\xff' * 8192") == "True"


def test_a_region_is_opened_once(records):
    assert records.evaluate("regions.mount('device') is device") == "True"


def test_the_device_region_of_a_locked_unit_is_never_formatted(records):
    records.run("device.write('kept', b'1')")
    assert "reason=locked" in records.run("attempt(mps2.regions(True).format, 'device')")
    assert records.evaluate("device.read('kept')") == "b'1'"


def test_records_come_back_and_absent_is_none(records):
    records.run("device.write('one', b'abc' * 1000); device.write('one', b'new')")
    assert records.run("print(device.read('one'), device.read('two'))").strip() == "b'new' None"


def test_names_are_sorted_and_hide_what_was_cut_off(records):
    records.run("device = regions.format('device')")
    records.run("device.write('b', b''); device.write('a', b'')")
    records.run("device._fs.open('c.new', 'wb').close()")
    assert records.run("print(device.names())").strip() == "['a', 'b']"


def test_deleting_twice_is_no_error(records):
    records.run("device.write('gone', b'1'); device.delete('gone'); device.delete('gone')")
    assert records.run("print(device.read('gone'))").strip() == "None"


@pytest.mark.parametrize("name", ["", "../a", "A", "a/b", "a" * 33, "x.new", "a\\0b"])
def test_a_name_outside_the_alphabet_is_refused(records, name):
    assert "bad name" in records.run(f"attempt(device.read, {name!r})")


def test_a_full_region_keeps_the_old_record(records):
    records.run("device = regions.format('device')\ndevice.write('big', b'old')")
    output = records.run(
        "def fill():\n    for n in range(40):\n        device.write('fill' + str(n), bytes(30000))\n\n"
        "attempt(fill)\nattempt(device.write, 'big', bytes(30000))"
    )
    assert output.count("StorageFullError") == 2
    assert records.run("print(device.read('big'))").strip() == "b'old'"


def test_a_host_reads_what_the_board_wrote(kit, tmp_path):
    littlefs = pytest.importorskip("littlefs")
    with kit.board(tmp_path) as board:
        board.power_on()
        at_prompt = Prompt(board).enter()
        at_prompt.run(SETUP + RECORDS + "regions.format('device').write('identity', b'abc' * 3000)")
        board.cut_power()
        image = board.nvm.path.read_bytes()
    region = image[MPS2.device_offset : MPS2.device_offset + MPS2.device_bytes]
    fs = littlefs.LittleFS(
        block_size=4096,
        block_count=MPS2.device_bytes // 4096,
        read_size=32,
        prog_size=32,
        lookahead_size=32,
        cache_size=128,
        mount=False,
    )
    fs.context.buffer[:] = region
    fs.mount()
    with fs.open("identity", "rb") as file:
        assert file.read() == b"abc" * 3000
    assert DEVICE == "device"


def test_records_survive_a_power_cut(kit, tmp_path):
    with kit.board(tmp_path) as board:
        board.power_on()
        Prompt(board).enter().run(SETUP + RECORDS + "regions.format('device').write('kept', b'1')")
        board.cut_power()
        board.power_on()
        at_prompt = Prompt(board).enter()
        at_prompt.run(SETUP + RECORDS)
        assert at_prompt.run("print(regions.mount('device').read('kept'))").strip() == "b'1'"
