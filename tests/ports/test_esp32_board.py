"""The ESP32 board folders as far as they can be checked without ESP-IDF and without a chip.

No test here builds an ESP32 image. They read the partition tables as ESP-IDF documents them, run MicroPython's own
manifest tool, check the types of the C module against the declarations in esp32/include/ (written here, not ESP-IDF's),
and burn virtual eFuses with Espressif's espefuse.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from device.layout import UNIT_LOCKED
from tests.ports.manifests import frozen_by_manifest, micropython, policy_files

__all__ = ["micropython"]

ROOT = Path(__file__).resolve().parents[2]
BOARDS = ROOT / "device" / "boards"
COMMON = BOARDS / "esp32"
HEADERS = Path(__file__).parent / "esp32" / "include"
CHIPS = {"esp32c3": ("partitions-4MiB.csv", 4), "esp32s3": ("partitions-8MiB.csv", 8)}

SECTOR, MAPPED = 0x1000, 0x10000  # ESP-IDF: data is aligned to a sector, an app partition to 64 KiB
TABLE_BYTES = 0x1000
SUBTYPES = {  # ESP-IDF, "Partition Tables"
    "app": ("factory", "test", *(f"ota_{number}" for number in range(16))),
    "data": ("ota", "phy", "nvs", "nvs_keys", "coredump", "efuse", "undefined", "fat", "spiffs"),
}
# The options of our files in ESP-IDF's Kconfig reference, version 5.4; no other name may appear.
OPTIONS = {
    "APP_EXCLUDE_PROJECT_VER_VAR", "APP_PROJECT_VER", "APP_PROJECT_VER_FROM_CONFIG", "APP_REPRODUCIBLE_BUILD",
    "BOOTLOADER_APP_ANTI_ROLLBACK", "BOOTLOADER_APP_ROLLBACK_ENABLE", "BOOTLOADER_APP_SECURE_VERSION",
    "BOOTLOADER_APP_SEC_VER_SIZE_EFUSE_FIELD", "BOOTLOADER_SKIP_VALIDATE_IN_DEEP_SLEEP", "BT_ENABLED",
    "ESP32C3_REV_MIN_3", "ESPTOOLPY_FLASHSIZE_4MB", "ESPTOOLPY_FLASHSIZE_8MB", "ESP_CONSOLE_NONE",
    "ESP_SYSTEM_HW_STACK_GUARD", "MBEDTLS_CCM_C", "MBEDTLS_ECDSA_DETERMINISTIC", "NVS_ENCRYPTION",
    "PARTITION_TABLE_CUSTOM", "PARTITION_TABLE_CUSTOM_FILENAME", "PARTITION_TABLE_OFFSET", "SECURE_BOOT",
    "SECURE_BOOT_BUILD_SIGNED_BINARIES", "SECURE_BOOT_V2_ENABLED", "SECURE_DISABLE_ROM_DL_MODE",
    "SECURE_FLASH_ENCRYPTION_MODE_RELEASE", "SECURE_FLASH_ENCRYPT_ONLY_IMAGE_LEN_IN_APP_PART",
    "SECURE_FLASH_ENC_ENABLED", "SECURE_SIGNED_APPS_RSA_SCHEME",
}  # fmt: skip


# Partition tables ----------------------------------------------------------------------------------------------
def rows(name: str) -> list[tuple[str, str, str, int, int, str]]:
    """Return (name, type, subtype, offset, size, flags) of each row of a table."""
    found = []
    for line in (COMMON / name).read_text().splitlines():
        if not line.startswith("#"):
            label, kind, subtype, offset, size, flags = (field.strip() for field in line.split(","))
            found.append((label, kind, subtype, int(offset, 16), int(size, 16), flags))
    return found


def options(*names: str) -> dict[str, str]:
    """Return the options of sdkconfig files, later ones win."""
    found: dict[str, str] = {}
    for name in names:
        for line in (BOARDS / name).read_text().splitlines():
            if line and not line.startswith("#"):
                key, value = line.removeprefix("CONFIG_").split("=", 1)
                found[key] = value
    return found


@pytest.mark.parametrize("chip", CHIPS)
def test_the_partitions_follow_each_other_inside_the_flash(chip: str) -> None:
    table, mebibytes = CHIPS[chip]
    at = int(options("esp32/sdkconfig.board")["PARTITION_TABLE_OFFSET"], 16) + TABLE_BYTES
    for label, _, _, offset, size, _ in rows(table):
        assert offset >= at and size > 0, label
        at = offset + size
    assert at <= mebibytes << 20


@pytest.mark.parametrize("chip", CHIPS)
def test_each_partition_is_aligned_and_of_a_known_type(chip: str) -> None:
    for label, kind, subtype, offset, size, flags in rows(CHIPS[chip][0]):
        step = MAPPED if kind == "app" else SECTOR
        assert offset % step == 0 and size % step == 0, label
        assert subtype in SUBTYPES[kind] and flags in ("", "encrypted") and len(label) <= 15, label


@pytest.mark.parametrize("chip", CHIPS)
def test_the_table_has_what_the_port_looks_for(chip: str) -> None:
    found = {row[0]: row for row in rows(CHIPS[chip][0])}
    sizes = [found[name][4] for name in ("fb_facts", "ota_0", "ota_1", "fb_device", "fb_user")]
    assert sizes[0] == 16 * SECTOR and sizes[1] == sizes[2]
    assert found["otadata"][4] == 2 * SECTOR  # the boot loader's record, two copies
    assert "factory" not in found  # it would start an image without the rules of the slots


@pytest.mark.parametrize("chip", CHIPS)
def test_secrets_are_in_encrypted_partitions_and_marks_are_not(chip: str) -> None:
    flags = {row[0]: row[5] for row in rows(CHIPS[chip][0])}
    assert [flags[name] for name in ("fb_device", "fb_user", "nvs_key")] == ["encrypted"] * 3
    assert flags["fb_facts"] == ""


# Configuration -------------------------------------------------------------------------------------------------
def test_every_option_is_one_of_esp_idf() -> None:
    texts = [
        path.read_text()
        for path in BOARDS.glob("esp32*/*")
        if path.suffix in (".cmake", ".board", ".chip", ".product")
    ]
    names = set(re.findall(r"CONFIG_(\w+)=", "\n".join(texts)))
    assert names == OPTIONS


def test_a_product_has_secure_boot_encryption_and_both_rollback_rules() -> None:
    found = options("esp32/sdkconfig.board", "esp32/sdkconfig.product")
    wanted = """SECURE_BOOT_V2_ENABLED SECURE_FLASH_ENC_ENABLED SECURE_FLASH_ENCRYPTION_MODE_RELEASE NVS_ENCRYPTION
        BOOTLOADER_APP_ROLLBACK_ENABLE BOOTLOADER_APP_ANTI_ROLLBACK SECURE_DISABLE_ROM_DL_MODE""".split()
    assert all(found[name] == "y" for name in wanted)
    assert not [name for name in found if "INSECURE" in name or "ALLOW" in name or "DEVELOPMENT" in name]
    assert found["BOOTLOADER_SKIP_VALIDATE_IN_DEEP_SLEEP"] == "n"  # MicroPython's base switches it on


def test_the_counter_of_the_configuration_is_the_one_of_the_port() -> None:
    size = options("esp32/sdkconfig.product")["BOOTLOADER_APP_SEC_VER_SIZE_EFUSE_FIELD"]
    port = (ROOT / "device" / "ports" / "esp32_fuses.py").read_text()
    code = (COMMON / "mod_fbesp.c").read_text()
    assert f"COUNTER_MAX = const({size})" in port and f"#define COUNTER_MAX ({size})" in code


def test_the_image_carries_the_version_that_the_port_reads(micropython: Path) -> None:
    base = (micropython / "ports/esp32/boards/sdkconfig.base").read_text()
    assert "CONFIG_APP_EXCLUDE_PROJECT_VER_VAR=y" in base  # the reason for the option below
    found = options("esp32/sdkconfig.board")
    assert found["APP_EXCLUDE_PROJECT_VER_VAR"] == "n" and found["APP_PROJECT_VER_FROM_CONFIG"] == "y"


def test_a_product_has_no_console() -> None:
    off = (COMMON / "console.h").read_text().split("#else")[0]
    for name in ("UART_REPL", "USBDEV"):
        assert f"MICROPY_HW_ENABLE_{name} (0)" in off
    for name in ("USB_CDC", "ESP_USB_SERIAL_JTAG"):
        assert f"MICROPY_HW_{name} (0)" in off


@pytest.mark.parametrize("chip", CHIPS)
def test_every_file_that_the_cmake_files_name_exists(chip: str, micropython: Path) -> None:
    places = {
        "${MICROPY_BOARD_DIR}": BOARDS / chip,
        "${FIRSTBOOT_ESP32_DIR}": COMMON,
        "${CMAKE_CURRENT_LIST_DIR}": COMMON,
        "boards": micropython / "ports/esp32/boards",
    }
    files = (BOARDS / chip / "mpconfigboard.cmake", BOARDS / chip / "mpconfigvariant_PRODUCT.cmake")
    text = "\n".join(path.read_text() for path in (*files, *COMMON.glob("*.cmake")))
    named = re.findall(
        r"((?:\$\{(?:MICROPY_BOARD_DIR|FIRSTBOOT_ESP32_DIR|CMAKE_CURRENT_LIST_DIR)\}|boards)/[\w./-]+)", text
    )
    assert len(named) > 8
    for name in named:
        place, rest = name.split("/", 1)
        assert (places[place] / rest).exists(), name
    assert f"partitions-{CHIPS[chip][1]}MiB.csv" in files[0].read_text()


# Frozen code ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("chip", CHIPS)
def test_micropythons_manifest_tool_freezes_all_of_device_for_the_board(
    chip: str, micropython: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = frozen_by_manifest(chip, "esp32", micropython, monkeypatch)
    assert policy_files() <= frozen
    assert {"main.py", "_boot.py", f"device/boards/{chip}/board.py", "microdot/microdot.py"} <= frozen
    assert not [
        name
        for name in frozen
        if "mps2" in name or "ports/rp2" in name or "host" in name or "webrepl" in name
    ]
    assert "boot.py" not in frozen


# C ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("product", [0, 1])
def test_the_c_module_has_no_error_of_syntax_or_type(product: int, micropython: Path, tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    source = COMMON / "mod_fbesp.c"
    (tmp_path / "genhdr").mkdir()
    names = sorted(set(re.findall(r"MP_QSTR_\w+", source.read_text())))
    (tmp_path / "names.h").write_text("enum {" + ",".join(["MP_QSTR_none_", *names]) + "};\n")
    (tmp_path / "genhdr" / "moduledefs.h").write_text("")
    includes = [HEADERS, tmp_path, micropython, ROOT / "device/cmodules/fbcrypto"]
    # MicroPython's build reads MP_REGISTER_MODULE before the compiler does.
    command = "gcc -std=gnu11 -fsyntax-only -Wall -Wextra -Wno-unused-parameter -Werror -DNO_QSTR".split()
    command += ["-DMP_REGISTER_MODULE(name, module)=struct none_", f"-DFIRSTBOOT_PRODUCT={product}"]
    command += ["-include", str(tmp_path / "names.h")]
    command += [part for folder in includes for part in ("-I", str(folder))]
    done = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


# eFuses ------------------------------------------------------------------------------------------------------------
def espefuse(chip: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run commands of Espressif's espefuse on the virtual eFuses of a chip, which are a file in `folder`."""
    command = [sys.executable, "-m", "espefuse", "--chip", chip, "--virt", "--do-not-confirm"]
    command += ["--path-efuse-file", str(folder / "efuses.bin"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("chip", CHIPS)
def test_the_plan_of_the_board_burns_on_virtual_efuses_and_only_once(chip: str, tmp_path: Path) -> None:
    files = {"key": bytes(range(32)), "lock": UNIT_LOCKED, "other": bytes(range(1, 33))}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    key = ["burn-key", "BLOCK_KEY5", str(tmp_path / "key"), "HMAC_UP"]
    lock = ["burn-block-data", "BLOCK_USR_DATA", str(tmp_path / "lock")]
    done = espefuse(chip, tmp_path, *key, *lock)
    assert done.returncode == 0, done.stdout
    again = espefuse(chip, tmp_path, "burn-block-data", "BLOCK_USR_DATA", str(tmp_path / "other"))
    assert again.returncode != 0

    shown = espefuse(chip, tmp_path, "summary", "--format", "json").stdout
    found = json.JSONDecoder().raw_decode(shown[shown.index("{") :])[0]
    assert found["BLOCK_USR_DATA"]["raw_value"] == "0x" + UNIT_LOCKED.hex()
    assert found["KEY_PURPOSE_5"]["value"] == "HMAC_UP"
    assert (found["BLOCK_KEY5"]["readable"], found["BLOCK_KEY5"]["writeable"]) == (False, False)
    assert (found["SECURE_VERSION"]["bit_len"], found["SECURE_VERSION"]["block"]) == (16, 0)
