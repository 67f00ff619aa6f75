"""nvm_layout.h holds the numbers of device/layout.py, and is left alone when they did not change."""

import re

from device import layout
from provisioning.firmware.header import header_text, main, write_header


def defined(text):
    """{name: number} of the header."""
    return {name: int(number, 16) for name, number in re.findall(r"#define (\w+) \(0x(\w+)u\)", text)}


def test_every_number_of_the_layout_is_there():
    numbers = defined(header_text())
    nvm = layout.MPS2
    assert numbers["NVM_SIZE_BYTES"] == nvm.size_bytes
    assert (numbers["NVM_SLOT_OFFSET_0"], numbers["NVM_SLOT_OFFSET_1"]) == nvm.slot_offsets
    assert (numbers["NVM_LOCK_OFFSET_0"], numbers["NVM_LOCK_OFFSET_1"]) == nvm.lock_offsets
    plain = [name for name in nvm._fields if not name.endswith("_offsets")]
    assert all(numbers[f"NVM_{name.upper()}"] == getattr(nvm, name) for name in plain)
    marks = [name for name in dir(layout) if name.startswith(("MARK_", "RESET_", "IMAGE_"))]
    assert len(marks) == 9 and all(numbers[name] == getattr(layout, name) for name in marks)


def test_every_unit_is_there_byte_by_byte():
    text = header_text()
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


def test_an_unchanged_header_is_not_written_again(tmp_path):
    path = write_header(tmp_path)
    stamp = path.stat().st_mtime_ns
    assert write_header(tmp_path).stat().st_mtime_ns == stamp


def test_a_changed_header_is_written(tmp_path):
    path = write_header(tmp_path / "made" / "nvm_layout.h")
    path.write_text("old")
    write_header(path)
    assert path.read_text() == header_text()


def test_the_command_wants_one_place(tmp_path, capsys):
    assert main([]) == 2
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip().endswith("nvm_layout.h")
