"""The build for RP2350 boards: what goes in, what is refused, and the measure of what comes out."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from provisioning.cli import firmware as commands
from provisioning.firmware import rp2_sources, sizes
from provisioning.firmware.errors import FirmwareError, SourcesError
from provisioning.firmware.linked import linked
from provisioning.firmware.rp2350 import build_rp2350
from provisioning.firmware.sources import SourceTree

ROOT = Path(__file__).resolve().parents[4]
MAP = """
Linker script and memory map

.text           0x10000000      0x100
 .text.a        0x10000000       0x40 CMakeFiles/firmware.dir/src/tree/py/vm.c.o
 .text.b        0x10000040       0x20 CMakeFiles/firmware.dir/mphalport.c.o
 .text.c        0x10000060       0x10 CMakeFiles/firmware.dir/src/tree/lib/pico-sdk/src/x.c.o
.rodata         0x10000070       0x30
 .rodata.d      0x10000070       0x30 CMakeFiles/firmware.dir/frozen_content.c.o
.bss            0x20000000       0x28
 .bss.e         0x20000000       0x28 CMakeFiles/firmware.dir/src/tree/lib/lwip/src/core/tcp.c.o
                0x20000030                __GcHeapStart = __StackLimit
                0x2007f000                __GcHeapEnd = ((ORIGIN (RAM) + LENGTH (RAM)) - __micropy_extra_stack__)
                0x2007f000                __StackBottom = __GcHeapEnd
                0x20082000                __StackTop = (ORIGIN (SCRATCH_Y) + LENGTH (SCRATCH_Y))
"""


def say_nothing(_text: str) -> None:
    pass


def failed(*arguments: str) -> str:
    """Return the message of a build command that must not start a compiler."""
    result = CliRunner().invoke(commands.app, ["build", *arguments])
    assert result.exit_code != 0
    return " ".join((result.output + str(result.exception)).split())


def test_a_radio_without_its_driver_names_option_and_licence() -> None:
    with pytest.raises(FirmwareError, match=r"--cyw43.*licence allows commercial use only"):
        build_rp2350("rp2350w", "release", root=ROOT, progress=say_nothing)


def test_a_variant_of_another_board_is_refused() -> None:
    with pytest.raises(FirmwareError, match=r"rp2350 has no variant 'bench'.*release, development"):
        build_rp2350("rp2350", "bench", root=ROOT, progress=say_nothing)


def test_an_unknown_board_is_refused_with_the_known_ones() -> None:
    assert "Use one of: mps2_an385, mps2_an505, rp2350, rp2350w" in failed("--board", "rp2040")


def test_checkouts_are_for_an_rp2350_only(tmp_path: Path) -> None:
    assert "are for an RP2350" in failed("--micropython", str(tmp_path))


def test_the_boot_rom_of_an_rp2350_is_not_built() -> None:
    assert "has its keys in OTP" in failed("--board", "rp2350", "--key-hash", "a" * 64)


def test_a_package_with_another_content_is_not_unpacked(tmp_path: Path) -> None:
    for pin in rp2_sources.PACKAGE_PINS:
        (tmp_path / pin.file_name).write_bytes(b"something else")
    with pytest.raises(SourcesError, match=r"not in the cache.*Put the pinned \.deb files there"):
        rp2_sources.fetch_packages(tmp_path, say_nothing, apt_folder=tmp_path / "no apt here")


def test_a_checkout_without_the_radios_driver_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourcesError, match=r"lacks src/cyw43\.h"):
        rp2_sources._driver_key(tmp_path)


def test_the_key_of_a_driver_changes_with_its_content_and_not_with_its_history(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/cyw43.h").write_text("1")
    key = rp2_sources._driver_key(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/HEAD").write_text("x")
    assert rp2_sources._driver_key(tmp_path) == key
    (tmp_path / "src/cyw43.h").write_text("2")
    assert rp2_sources._driver_key(tmp_path) != key


def test_sizes_are_counted_for_cmakes_objects() -> None:
    assert sizes.by_part(MAP, [], (".text", ".rodata")) == {
        "frozen: names and tables": 0x30,
        "micropython core": 0x40,
        "pico sdk": 0x10,
        "port": 0x20,
    }


def test_heap_and_stack_are_what_the_linker_script_leaves() -> None:
    assert sizes.ram_by_symbols(MAP, (".bss",)) == {
        "python heap": 0x7F000 - 0x30,
        "stack": 0x3000,
        "tcp/ip stack": 0x28,
    }


def test_the_sources_of_cmakes_objects_are_found_by_their_dependency_files(tmp_path: Path) -> None:
    tree, build = tmp_path / "tree", tmp_path / "build"
    placed = build / "CMakeFiles/firmware.dir/src/tree/py/vm.c.o"
    placed.parent.mkdir(parents=True)
    (tree / "py").mkdir(parents=True)
    (tree / "py/vm.c").write_text("")
    placed.with_name("vm.c.o.d").write_text(f"vm.c.o: {tree}/py/vm.c {tree}/py/vm.h /usr/include/x.c\n")
    assert linked(MAP, SourceTree(tree, "", True).path, build).sources == ["py/vm.c"]
