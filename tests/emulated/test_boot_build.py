"""The ROM's build: the same bytes wherever it is built, and keys that are checked before they are compiled in."""

import shutil
import subprocess

import pytest

from tests.emulated.boot_support import BOARD, CROSS, build_rom

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(
        shutil.which(CROSS + "gcc") is None or shutil.which("make") is None,
        reason="arm-none-eabi-gcc or make is not installed",
    ),
]

KEYS = [bytes([number]) * 32 for number in (1, 2, 3)]


def make(tmp_path, key_hashes: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "BUILD": tmp_path / "build",
        "MBEDTLS": tmp_path,
        "LAYOUT": tmp_path,
        "KEY_HASHES": key_hashes,
    }
    command = ["make", "-C", BOARD / "rom", f"{tmp_path / 'build'}/key_hashes.h"]
    return subprocess.run(
        [*map(str, command), *(f"{name}={value}" for name, value in settings.items())],
        capture_output=True,
        text=True,
        check=False,
    )


def test_two_builds_in_different_folders_give_the_same_bytes(tmp_path):
    first = build_rom(tmp_path / "one", KEYS)
    second = build_rom(tmp_path / "another" / "two", KEYS)
    assert first.read_bytes() == second.read_bytes()


def test_other_keys_give_other_bytes(tmp_path):
    first = build_rom(tmp_path / "one", KEYS)
    second = build_rom(tmp_path / "two", KEYS[:2])
    assert first.read_bytes() != second.read_bytes()


def test_the_rom_carries_no_path_of_the_machine_that_built_it(tmp_path):
    elf = build_rom(tmp_path / "one", KEYS).read_bytes()
    assert str(tmp_path).encode() not in elf and str(BOARD).encode() not in elf


@pytest.mark.parametrize(
    "key_hashes", ["", "ab", "AB" * 32, "ab" * 32 + ",", ",".join(["ab" * 32] * 4), "ab" * 31 + "zz", "$(ab)"]
)
def test_key_hashes_that_are_none_are_refused(tmp_path, key_hashes):
    done = make(tmp_path, key_hashes)
    assert done.returncode != 0
    assert "KEY_HASHES" in done.stderr
    assert not (tmp_path / "build" / "key_hashes.h").exists()


def test_one_to_three_key_hashes_are_taken(tmp_path):
    for count in (1, 2, 3):
        assert make(tmp_path, ",".join(["ab" * 32] * count)).returncode == 0
        assert (tmp_path / "build" / "key_hashes.h").read_text().count("{") == count
