"""The ROM's build: the same bytes wherever it is built, and keys that are checked before they are compiled in."""

import itertools
import shutil
import subprocess

import pytest

from provisioning.firmware.header import write_headers
from tests.emulated.boot_support import BOARD, CROSS, build_rom

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(
        shutil.which(CROSS + "gcc") is None or shutil.which("make") is None,
        reason="arm-none-eabi-gcc or make is not installed",
    ),
]

KEYS = [bytes([number]) * 32 for number in (1, 2, 3)]


def make(tmp_path, image_keys: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "BUILD": tmp_path / "build",
        "MBEDTLS": tmp_path,
        "LAYOUT": write_headers(tmp_path / "layout"),
        "IMAGE_KEYS": image_keys,
    }
    command = ["make", "-C", BOARD / "rom", f"{tmp_path / 'build'}/image_keys.h"]
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
    "image_keys",
    [
        "ab" * 32 + ":",
        "ab" * 32 + ":" + "ab" * 60,
        "ab" * 32 + ":00000003" + "ab" * 56,
        "ab" * 32 + ":00000001" + "ab" * 55,
        ":00000001" + "ab" * 56,
        "",
        "ab",
        "AB" * 32,
        "ab" * 32 + ",",
        ",".join(["ab" * 32] * 4),
        "ab" * 31 + "zz",
        "$(ab)",
    ],
)
def test_invalid_keys_are_refused(tmp_path, image_keys):
    done = make(tmp_path, image_keys)
    assert done.returncode != 0
    assert "IMAGE_KEYS" in done.stderr
    assert not (tmp_path / "build" / "image_keys.h").exists()


HSS = "00000001" + "cd" * 56


def test_one_to_three_keys_are_taken_with_and_without_hss(tmp_path):
    for entries in itertools.chain.from_iterable(itertools.product(("", HSS), repeat=n) for n in (1, 2, 3)):
        keys = ["ab" * 32 + (f":{hss}" if hss else "") for hss in entries]
        assert make(tmp_path, ",".join(keys)).returncode == 0
        wanted = [
            "{{" + "0xab," * 32 + "}, " + (_initialiser(hss) if hss else "0, {0x00,}") + "}"
            for hss in entries
        ]
        text = (tmp_path / "build" / "image_keys.h").read_text()
        assert text == "#define IMAGE_KEYS_INIT " + ",".join(wanted) + ",\n"


def _initialiser(hss: str) -> str:
    return "1, {" + "".join(f"0x{byte:02x}," for byte in bytes.fromhex(hss)) + "}"
