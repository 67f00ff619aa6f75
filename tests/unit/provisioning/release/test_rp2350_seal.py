"""Sealed images, partition table, OTP plan and UF2 of an RP2350, against picotool's results for the same inputs.

rp2350_picotool.json was made once with picotool 2.1.1 (the commands are in the file), with a key that no longer exists:
the recorded signatures take the place of its private half.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import test_rp2350_image  # tests/dual is on the path
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from test_rp2350_image import block, image_type, u32

from device.codec.rp2350_image import parse_rp2350_image
from device.errors import ImageFormatError
from provisioning.firmware.uf2 import uf2
from provisioning.release import rp2350
from provisioning.release.image import ImageSigningError

ROOT = Path(__file__).resolve().parents[4]
PICOTOOL = json.loads(Path(__file__).with_name("rp2350_picotool.json").read_text())
PARTITIONS = json.loads((ROOT / "device/boards/rp2350/partitions.json").read_text())


@dataclass(frozen=True)
class RecordedKey:
    """A key that gives a recorded signature."""

    point: bytes
    signature: bytes

    def sign(self, _digest: bytes) -> bytes:
        return self.point + self.signature


def recorded(entry: dict) -> RecordedKey:
    return RecordedKey(bytes.fromhex(entry["public_key"]), bytes.fromhex(entry["signature"]))


def firmware(size: int = 5000) -> bytes:
    """Return a linked firmware as the SDK's start code lays it out: vectors, first block, code, an ignored block."""
    vectors = u32(0x20082000) + u32(0x1000015D) + bytes(range(256))[8:]
    code = bytes(at * 7 & 0xFF for at in range(size - 276))
    first = block([image_type(0x1021)], size - 256)
    return vectors + first + code + block([u32(0xFE | 1 << 8)], 256 - size)


@pytest.fixture(scope="module")
def key() -> rp2350.Rp2350Key:
    return rp2350.Rp2350Key(ec.generate_private_key(ec.SECP256K1()))


def written(path: Path, key: object) -> Path:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))  # type: ignore[attr-defined]
    return path


# Images -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("entry", PICOTOOL["images"], ids=lambda entry: entry["version"])
def test_a_sealed_image_has_the_bytes_of_picotools(entry: dict) -> None:
    image = rp2350.seal(
        firmware(),
        recorded(entry),  # type: ignore[arg-type]
        version=entry["version"],
        security_counter=entry["security_counter"],
        is_trial=False,
    )
    assert hashlib.sha256(image).hexdigest() == entry["sha256"]
    assert rp2350.read_image(image).digest.hex() == entry["digest"]


def test_an_update_differs_from_the_factorys_image_in_the_trial_flag_alone(key: rp2350.Rp2350Key) -> None:
    made = {
        is_trial: rp2350.seal(firmware(), key, version="1.2.0+3", security_counter=1, is_trial=is_trial)
        for is_trial in (True, False)
    }
    update, factory = (rp2350.read_image(made[is_trial]) for is_trial in (True, False))
    assert update.digest == factory.digest
    covered = len(made[True]) - 64 - 12  # without signature and the block's end
    different = [at for at in range(covered) if made[True][at] != made[False][at]]
    assert different == [5020 + 7] and made[True][5027] ^ made[False][5027] == 0x80


def test_the_device_takes_the_update_and_refuses_the_factorys_image(key: rp2350.Rp2350Key) -> None:
    def parsed(data: bytes) -> object:
        return parse_rp2350_image(lambda at, length: data[at : at + length], len(data))

    update = rp2350.seal(firmware(), key, version="1.2.0+3", security_counter=2)
    assert parsed(update).version == (1, 2, 0, 3)  # type: ignore[attr-defined]
    factory = rp2350.seal(firmware(), key, version="1.2.0+3", security_counter=2, is_trial=False)
    with pytest.raises(ImageFormatError, match="no trial"):
        parsed(factory)


@pytest.mark.parametrize("at", [0, 300, 4999, 5020 + 12, 5020 + 16])
def test_a_change_anywhere_is_found_by_the_signature(key: rp2350.Rp2350Key, at: int) -> None:
    image = bytearray(rp2350.seal(firmware(), key, version="1.2.0+3", security_counter=2))
    image[at] ^= 1
    with pytest.raises(ImageFormatError, match="signature"):
        rp2350.read_image(bytes(image))


@pytest.mark.parametrize("counter", [-1, 0, 48])
def test_a_counter_that_the_boot_rom_cannot_keep_is_refused(key: rp2350.Rp2350Key, counter: int) -> None:
    with pytest.raises(ImageSigningError, match="takes 1 to 47"):
        rp2350.seal(firmware(), key, version="1.0.0+1", security_counter=counter)


@pytest.mark.parametrize("version", ["1.0.1+1", "1.0.0+65536", "256.0.0+1", "1.0"])
def test_a_version_that_the_format_cannot_express_is_refused(key: rp2350.Rp2350Key, version: str) -> None:
    with pytest.raises(ImageSigningError, match="cannot be used"):
        rp2350.seal(firmware(), key, version=version, security_counter=1)


def test_a_sealed_image_is_not_sealed_again(key: rp2350.Rp2350Key) -> None:
    image = rp2350.seal(firmware(), key, version="1.0.0+1", security_counter=1)
    with pytest.raises(ImageSigningError, match="sealed already"):
        rp2350.seal(image, key, version="1.0.0+2", security_counter=1)


@pytest.mark.parametrize("raw", [b"", b"\x7fELF" * 500, block([image_type(0x1021)], 64) + bytes(100)])
def test_what_is_no_firmware_of_this_chip_is_refused(key: rp2350.Rp2350Key, raw: bytes) -> None:
    with pytest.raises(ImageSigningError, match="not a firmware for an RP2350"):
        rp2350.seal(raw, key, version="1.0.0+1", security_counter=1)


def test_bytes_after_the_image_are_refused(key: rp2350.Rp2350Key) -> None:
    image = rp2350.seal(firmware(), key, version="1.0.0+1", security_counter=1)
    with pytest.raises(ImageFormatError, match="bytes after"):
        rp2350.read_image(image + bytes(4))


def test_the_image_of_the_devices_own_tests_has_no_valid_signature() -> None:
    with pytest.raises(ImageFormatError, match="signature"):
        rp2350.read_image(test_rp2350_image.signed()[0])


# Keys -------------------------------------------------------------------------------------------------------------
def test_a_key_of_another_curve_or_no_key_is_refused(tmp_path: Path) -> None:
    other = written(tmp_path / "p256.pem", ec.generate_private_key(ec.SECP256R1()))
    for load in (rp2350.load_key, rp2350.key_hash):
        with pytest.raises(ImageSigningError, match="secp256k1"):
            load(other)
        with pytest.raises(ImageSigningError, match=r"cannot|does not contain a key"):
            load(tmp_path / "absent.pem")


def test_the_hash_of_a_key_is_the_one_of_its_point(tmp_path: Path) -> None:
    private = ec.generate_private_key(ec.SECP256K1())
    path = written(tmp_path / "key.pem", private)
    assert rp2350.key_hash(path) == hashlib.sha256(rp2350.load_key(path).point).digest()
    # picotool's OTP file has this hash for the point of its images.
    point = bytes.fromhex(PICOTOOL["images"][0]["public_key"])
    assert hashlib.sha256(point).hexdigest() == PICOTOOL["key_hash"]


# Partition table --------------------------------------------------------------------------------------------------
def test_the_signed_partition_table_has_the_bytes_of_picotools() -> None:
    table = PICOTOOL["partition_table"]
    assert rp2350.partition_table(PARTITIONS, recorded(table)).hex() == table["bytes"]  # type: ignore[arg-type]


def test_an_unsigned_partition_table_has_no_hash_and_no_signature() -> None:
    plain = rp2350.partition_table(PARTITIONS)
    signed = bytes.fromhex(PICOTOOL["partition_table"]["bytes"])
    assert plain[:-12] == signed[: len(plain) - 12] and len(signed) - len(plain) == 8 + 132


@pytest.mark.parametrize("change", [{"start": "9K"}, {"size": "0K"}, {"size": "4M"}, {"link": ["owner", 0]}])
def test_a_partition_that_cannot_be_expressed_is_refused(change: dict) -> None:
    first, *others = PARTITIONS["partitions"]
    with pytest.raises(ValueError, match=r"sectors|KiB|link"):
        rp2350.partition_table({**PARTITIONS, "partitions": [{**first, **change}, *others]})


# OTP and UF2 ------------------------------------------------------------------------------------------------------
def test_the_otp_plan_enables_its_keys_and_makes_the_other_slots_invalid() -> None:
    hashes = [bytes([number]) * 32 for number in range(3)]
    plan = rp2350.otp_plan(hashes)
    assert [plan[f"bootkey{number}"] for number in range(3)] == [list(one) for one in hashes]
    assert plan["boot_flags1"] == {"key_valid": 0b0111, "key_invalid": 0b1000}
    assert plan["crit1"]["secure_boot_enable"] == plan["crit1"]["debug_disable"] == 1
    assert list(plan)[-1] == "crit1"  # secure boot is switched on last


@pytest.mark.parametrize("hashes", [[], [b"k" * 32] * 5, [b"k" * 31]])
def test_a_plan_for_another_number_or_length_of_hashes_is_refused(hashes: list[bytes]) -> None:
    with pytest.raises(ValueError, match="one to four"):
        rp2350.otp_plan(hashes)


@pytest.mark.nightly  # which builds for the RP2350
def test_the_plan_names_rows_and_fields_of_the_chip() -> None:
    """The SDK's header is the chip's list of rows; it is in the cache once an RP2350 firmware was built."""
    headers = [
        *ROOT.glob(
            ".cache/sources/tree-rp2-*/lib/pico-sdk/src/rp2350/hardware_regs/include/hardware/regs/otp_data.h"
        )
    ]
    if not headers:
        pytest.skip("nothing was built for the RP2350 here, so the Pico SDK is not in the cache")
    text = headers[0].read_text()
    for row, content in rp2350.otp_plan([b"k" * 32]).items():
        if row.startswith("0x"):
            found = re.search(r"OTP_DATA_PAGE58_LOCK1_ROW _u\(0x0*(\w+)\)", text)
            assert found and int(found[1], 16) == int(row, 16)
        elif row.startswith("bootkey"):
            assert f"OTP_DATA_{row.upper()}_0_ROW" in text
        else:
            for field in content:
                assert f"OTP_DATA_{row.upper()}_{field.upper()}_BITS" in text, field


def test_the_uf2_file_has_the_bytes_of_picotools() -> None:
    assert hashlib.sha256(uf2(firmware())).hexdigest() == PICOTOOL["uf2_sha256"]


@pytest.mark.parametrize(("image", "address"), [(b"", 0x10000000), (b"x", 0x10000010)])
def test_an_empty_uf2_or_one_inside_a_page_is_refused(image: bytes, address: int) -> None:
    with pytest.raises(ValueError, match="empty image"):
        uf2(image, address)
