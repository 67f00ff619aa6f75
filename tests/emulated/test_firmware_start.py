"""The firmware's start, end and console: banners, reset reasons, crashes, the closed prompt."""

import os
import re
import signal
import subprocess
import time

import pytest

from device.codec import cbor
from device.codec.frame import FrameDecoder, encode_frame
from tests.emulated.firmware_support import TIMEOUT_S, Prompt, kit

__all__ = ["kit"]

pytestmark = pytest.mark.emulated

READY = r"^firstboot \S+ on \w+: (.+)\n"


def ask_factory_port(board, operation="hello"):
    """Send one request over the factory port; return its decoded answer."""
    port = board.factory_port()
    port.write(encode_frame(cbor.encode([1, operation, {"nonce": bytes(16)}])))
    decoder = FrameDecoder()
    while True:
        for payload in decoder.feed(port.read(TIMEOUT_S)):
            return cbor.decode(payload)


def test_the_banner_names_version_slot_and_reset(kit, tmp_path):
    with kit.board(tmp_path, "release") as board:
        board.power_on()
        board.console.wait_for(
            r"^firmware: version 1\.0\.0\+1, slot 0, confirmed, reset: power-on$", TIMEOUT_S
        )
        assert board.console.wait_for(READY, TIMEOUT_S).group(1) == "unprovisioned"


def test_an_unlocked_unit_answers_on_its_factory_port(kit, tmp_path):
    with kit.board(tmp_path, "release") as board:
        board.power_on()
        sequence, code, results = ask_factory_port(board)
    assert (sequence, code) == (1, 0)
    assert results["hardware_id"] == board.hardware_id
    assert results["has_entropy"] is True
    assert results["is_development"] is False


def test_the_release_console_answers_nothing(kit, tmp_path):
    """SE-07: Ctrl-C, Ctrl-A, raw paste, Ctrl-D and plain text get no answer, and the unit continues."""
    with kit.board(tmp_path, "release") as board:
        board.power_on()
        board.console.wait_for(READY, TIMEOUT_S)
        before = board.console.text
        for attack in (b"\r\n", b"\x03\x03", b"\x01", b"\x05A\x01", b"\x04", b"import os\r\n", b"\x02"):
            board.console.send(attack)
        assert ask_factory_port(board)[1] == 0  # the unit had time to answer, and still runs
        assert board.console.text == before


def test_a_development_build_says_so_and_opens_the_console(kit, tmp_path):
    with kit.board(tmp_path, "development") as board:
        board.power_on()
        board.console.wait_for("DEVELOPMENT BUILD, THE CONSOLE IS OPEN. NOT FOR SALE", TIMEOUT_S)
        assert ask_factory_port(board)[2]["is_development"] is True
        assert Prompt(board).enter().evaluate("6 * 7") == "42"


def test_a_fixed_seed_is_printed(kit, tmp_path):
    with kit.board(tmp_path, "release") as board:
        board.power_on(fixed_seed=bytes(32))
        board.console.wait_for("FIXED TEST SEED: EVERY KEY CAN BE KNOWN. NOT FOR SALE", TIMEOUT_S)
        assert ask_factory_port(board)[2]["is_development"] is True


def test_a_unit_without_a_seed_says_so_and_makes_no_key(kit, tmp_path):
    with kit.board(tmp_path, "release", has_seed=False) as board:
        board.power_on()
        board.console.wait_for("NO ENTROPY: no keys, no network", TIMEOUT_S)
        assert ask_factory_port(board)[2]["has_entropy"] is False


def test_a_pulled_reset_line_is_an_external_reset(kit, tmp_path):
    with kit.board(tmp_path, "release") as board:
        board.power_on()
        board.console.wait_for(READY, TIMEOUT_S)
        board.reset()
        board.console.wait_for(r"reset: external$", TIMEOUT_S)


def test_a_wanted_reset_is_a_software_reset(kit, tmp_path):
    with kit.board(tmp_path) as board:
        board.power_on()
        Prompt(board).enter()
        board.console.send(b"import _mps2\n_mps2.reset()\x04")
        board.console.wait_for(r"reset: software$", TIMEOUT_S)


def test_firmware_that_feeds_no_watchdog_is_reset_by_it(kit, tmp_path):
    with kit.board(tmp_path, "hang") as board:
        board.power_on()
        board.console.wait_for("hang: this release does nothing", TIMEOUT_S)
        board.console.wait_for(r"^firmware: watchdog at pc \w{8}, ", TIMEOUT_S)
        board.console.wait_for(r"reset: watchdog$", TIMEOUT_S)


def stand_still(board):
    """Stop the emulator for longer than the watchdog's ten seconds, and for less than its second expiry."""
    began_s = time.monotonic()
    os.kill(board.process_id, signal.SIGSTOP)
    time.sleep(12)
    os.kill(board.process_id, signal.SIGCONT)
    if time.monotonic() - began_s > 18:
        pytest.skip("this machine stood still itself for longer than the watchdog bears")


def test_a_host_that_stood_still_restarts_no_unit(kit, tmp_path):
    with kit.board(tmp_path) as board:
        board.power_on()
        prompt = Prompt(board).enter()
        prompt.run("mark = 'still here'")
        stand_still(board)
        assert prompt.run("print(mark)").strip() == "still here"
        prompt.run("import _mps2\n_mps2.watchdog_feed()")
        stand_still(board)
        assert prompt.run("print(mark)").strip() == "still here", "each feed lets the next stop pass"


def test_a_full_heap_is_an_exception_and_no_hang(kit, tmp_path):
    with kit.board(tmp_path) as board:
        board.power_on()
        prompt = Prompt(board).enter()
        prompt.run("""
kept = []
try:
    while True:
        kept.append(bytearray(5000))
except MemoryError:
    count = len(kept)
    del kept
    print("full", 10 < count < 40)
""")
        assert "full True" in board.console.text
        assert prompt.evaluate("1 + 1") == "2"


def test_endless_recursion_is_an_exception(kit, tmp_path):
    with kit.board(tmp_path) as board:
        board.power_on()
        output = (
            Prompt(board)
            .enter()
            .run("""
def deeper(): return deeper() + 1
try:
    deeper()
except RuntimeError as error:
    print(error)
""")
        )
    assert "maximum recursion depth" in output


def symbol_offset(elf, name):
    """Return the offset of a function in the raw image."""
    table = subprocess.run(["arm-none-eabi-nm", str(elf)], capture_output=True, text=True, check=True).stdout
    address = int(re.search(rf"^(\w+) . {name}$", table, re.MULTILINE).group(1), 16)
    return (address & ~1) - 0x00100200


def damaged_board(kit, tmp_path, change):
    """Return a board with a signed development image whose raw bytes `change(bytearray, elf)` modified."""
    firmware = kit.firmware("development")
    raw = bytearray(firmware.image.read_bytes())
    change(raw, firmware.elf)
    path = tmp_path / "damaged.bin"
    path.write_bytes(raw)
    return kit.sign(path, f"{tmp_path.name}.img")


def test_a_fault_says_where_and_restarts(kit, tmp_path):
    def put_undefined_instruction(raw, elf):
        at = symbol_offset(elf, "heap_peak_bytes")
        raw[at : at + 2] = b"\x00\xde"

    image = damaged_board(kit, tmp_path, put_undefined_instruction)
    with kit.board(tmp_path / "board") as board:
        board.program(kit.rom, image)
        board.power_on()
        Prompt(board).enter()
        board.console.send(b"import _mps2\n_mps2.heap_peak()\x04")
        board.console.wait_for(
            r"^firmware: fault at pc \w{8}, lr \w{8}, cfsr 00010000.*: restarting$", TIMEOUT_S
        )
        board.console.wait_for(r"reset: watchdog$", TIMEOUT_S)


def test_a_stack_that_runs_out_below_ram_is_a_fault(kit, tmp_path):
    def move_stack_down(raw, elf):
        # main() begins with `mov.w sp, #0x20000000`, so everything that it pushes is outside of the RAM.
        at = symbol_offset(elf, "time_init")
        raw[at : at + 6] = b"\x4f\xf0\x00\x5d" + b"\x01\xb4"

    image = damaged_board(kit, tmp_path, move_stack_down)
    with kit.board(tmp_path / "board") as board:
        board.program(kit.rom, image)
        board.power_on()
        board.console.wait_for(r"^firmware: fault.*: restarting$", TIMEOUT_S)
        board.console.wait_for(r"^rom: slot 0", TIMEOUT_S)


def test_a_main_that_ends_restarts_the_unit(kit, tmp_path):
    firmware = kit.firmware("release")
    raw = firmware.image.read_bytes()
    name = f"device/boards/{kit.kind.name}/main.py\0".encode()
    assert raw.count(name) >= 1
    path = tmp_path / "mainless.bin"
    path.write_bytes(raw.replace(name, name.replace(b"main.py", b"nain.py"), 1))
    image = kit.sign(path, "mainless.img")
    with kit.board(tmp_path / "board") as board:
        board.program(kit.rom, image)
        board.power_on()
        board.console.wait_for(r"^firmware: main ended: restarting$", TIMEOUT_S)
        board.console.wait_for(r"reset: watchdog$", TIMEOUT_S)
