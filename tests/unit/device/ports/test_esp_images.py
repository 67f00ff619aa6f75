"""The reader of ESP-IDF's images against images and signature blocks that Espressif's esptool writes."""

from pathlib import Path

import pytest

from device.codec.esp_image import EspImage, parse_esp_image
from device.errors import ImageFormatError
from tests.unit.device.ports import esp_tools

CHIPS = [("esp32c3", 5), ("esp32s3", 9)]


def parse(path: Path, *, is_signed: bool, chip: int | None = None, limit: int = 0x100000) -> EspImage:
    slot = path.read_bytes().ljust(limit, b"\xff")
    return parse_esp_image(lambda offset, length: slot[offset : offset + length], limit, is_signed, chip)


@pytest.mark.parametrize(("name", "number"), CHIPS)
@pytest.mark.parametrize("padded", [False, True])
def test_an_image_of_elf2image_is_read_whole(tmp_path: Path, name: str, number: int, padded: bool) -> None:
    made = esp_tools.image(tmp_path, name, padded=padded)
    found = parse(made, is_signed=False)
    content = made.read_bytes()
    assert found == (len(content), content[-32:], (1, 2, 3, 4), 7, number)
    assert content[-32:].hex() in esp_tools.run("esptool", "image-info", made)


@pytest.mark.parametrize(("scheme", "padded"), [("rsa3072", True), ("ecdsa256", False)])
def test_an_image_that_espsecure_signed_is_read_to_its_end(tmp_path: Path, scheme: str, padded: bool) -> None:
    made = esp_tools.sign(esp_tools.image(tmp_path, padded=padded), scheme, tmp_path / "key.pem")
    assert parse(made, is_signed=True, chip=5).total_bytes == made.stat().st_size


def test_three_signature_blocks_are_read(tmp_path: Path) -> None:
    keys = [tmp_path / f"key{number}.pem" for number in range(3)]
    made = esp_tools.sign(esp_tools.image(tmp_path), "ecdsa256", *keys)
    assert parse(made, is_signed=True).total_bytes == made.stat().st_size


def test_a_signature_over_sha_384_is_refused(tmp_path: Path) -> None:
    made = esp_tools.sign(esp_tools.image(tmp_path), "ecdsa384", tmp_path / "key.pem")
    with pytest.raises(ImageFormatError, match="signed digest"):
        parse(made, is_signed=True)


def test_an_image_that_was_changed_after_espsecure_signed_it_is_refused(tmp_path: Path) -> None:
    made = esp_tools.sign(esp_tools.image(tmp_path), "ecdsa256", tmp_path / "key.pem")
    other = esp_tools.image(tmp_path, version="1.2.3+5")
    made.write_bytes(other.read_bytes() + made.read_bytes()[other.stat().st_size :])
    with pytest.raises(ImageFormatError, match="signed digest"):
        parse(made, is_signed=True)


def test_an_unsigned_image_is_refused_by_a_board_with_secure_boot(tmp_path: Path) -> None:
    with pytest.raises(ImageFormatError, match="no signature"):
        parse(esp_tools.image(tmp_path), is_signed=True)


def test_an_image_for_the_other_chip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageFormatError, match="chip"):
        parse(esp_tools.image(tmp_path, "esp32s3"), is_signed=False, chip=5)
