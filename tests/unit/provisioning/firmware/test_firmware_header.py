"""The generated files have the numbers of both Python sources, and are written only if these change."""

import re

from device import layout
from device.boards.mps2_an385 import memory_map
from provisioning.firmware.header import addresses, generated_texts, main, write_headers


def defined(text):
    """Return {name: number} of the header."""
    return {name: int(number, 16) for name, number in re.findall(r"#define (\w+) \(0x(\w+)u\)", text)}


def test_every_number_of_the_layout_is_there():
    numbers = defined(generated_texts()["nvm_layout.h"])
    nvm = layout.MPS2
    assert numbers["NVM_SIZE_BYTES"] == nvm.size_bytes
    assert (numbers["NVM_SLOT_OFFSET_0"], numbers["NVM_SLOT_OFFSET_1"]) == nvm.slot_offsets
    assert (numbers["NVM_LOCK_OFFSET_0"], numbers["NVM_LOCK_OFFSET_1"]) == nvm.lock_offsets
    plain = [name for name in nvm._fields if not name.endswith("_offsets")]
    assert all(numbers[f"NVM_{name.upper()}"] == getattr(nvm, name) for name in plain)
    marks = [name for name in dir(layout) if name.startswith(("MARK_", "RESET_", "IMAGE_"))]
    assert len(marks) == 14 and all(numbers[name] == getattr(layout, name) for name in marks)


def test_every_unit_is_there_byte_by_byte():
    text = generated_texts()["nvm_layout.h"]
    for name in (
        "UNIT_STAGED",
        "UNIT_TRIED",
        "UNIT_LOCKED",
        "UNIT_COUNTED",
        "UNIT_REVOKED",
        "CONFIRMED_PREFIX",
    ):
        listed = re.search(rf"#define {name}_INIT \{{([^}}]*)\}}", text).group(1)
        assert bytes(int(byte, 16) for byte in listed.split(", ")) == getattr(layout, name)


def test_every_address_of_the_memory_map_is_there_for_c_and_for_the_linker():
    texts = generated_texts()
    assert defined(texts["addresses.h"]) == addresses()
    linker = re.findall(r"^(\w+) = 0x(\w+);$", texts["addresses.ld"], re.MULTILINE)
    assert {name: int(number, 16) for name, number in linker} == addresses()
    numbers = {name: getattr(memory_map, name) for name in addresses()}
    assert numbers == addresses() and {"NVM_ADDRESS", "POWER_ON_ADDRESS", "CPU_HZ"} <= set(numbers)


def test_no_name_is_defined_in_both_headers():
    texts = generated_texts()
    assert not set(defined(texts["nvm_layout.h"])) & set(defined(texts["addresses.h"]))


def test_an_unchanged_file_is_not_written_again(tmp_path):
    folder = write_headers(tmp_path)
    stamps = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    write_headers(tmp_path)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == stamps
    assert set(stamps) == set(generated_texts())


def test_a_changed_file_is_written(tmp_path):
    path = write_headers(tmp_path / "made") / "nvm_layout.h"
    path.write_text("old")
    write_headers(path.parent)
    assert path.read_text() == generated_texts()["nvm_layout.h"]


def test_the_command_wants_one_folder(tmp_path, capsys):
    assert main([]) == 2
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path)
