"""ESP-IDF's images as a unit reads them before it asks the boot loader to start one."""

from binascii import unhexlify
from hashlib import sha256

from memory_flash import SMALL, MemoryFlash
from test_flow import drive, manifest_of

from device.codec.esp_image import SECTOR_BYTES, parse_esp_image
from device.codec.frame import crc32
from device.errors import ImageFormatError, SecurityCounterError
from device.update import flow
from device.update.slots import BootState

ESP32_C3 = 5


def esp_image(version=b"2.0.0+2", sizes=(256, 40), counter=1, chip=ESP32_C3, count=None):
    """Return an image built from ESP-IDF's description of the format, and not from the reader under test."""
    description = (
        unhexlify("3254cdab") + counter.to_bytes(4, "little") + bytes(8) + version + bytes(32 - len(version))
    )
    body, checksum = b"", 0xEF
    for number, size in enumerate(sizes):
        data = description if number == 0 else b""
        data += b"\x5a" * (size - len(data))
        body += bytes(4) + len(data).to_bytes(4, "little") + data
        for byte in data:
            checksum ^= byte
    header = bytes([0xE9, len(sizes) if count is None else count]) + bytes(10) + chip.to_bytes(2, "little")
    data = header + bytes(9) + b"\x01" + body
    data += bytes(15 - len(data) % 16) + bytes([checksum])
    return data + sha256(data).digest()


def block(digest, version=2):
    """Return a signature block over `digest`; only the boot loader verifies the signature itself."""
    data = bytes([0xE7, version, 0, 0]) + digest + b"\x33" * (1196 - 36)
    return data + crc32(data).to_bytes(4, "little") + bytes(16)


def signed(image, blocks=1, version=2, filler=b"\xff"):
    """Return `image` filled to a sector, with its signature sector."""
    filled = image + filler * (-len(image) % SECTOR_BYTES)
    sector = block(sha256(filled).digest(), version) * blocks
    return filled + sector + b"\xff" * (SECTOR_BYTES - len(sector))


def parse(data, is_signed=False, chip=None, limit=16384):
    padded = data + b"\xff" * (limit - len(data))
    return parse_esp_image(lambda offset, length: padded[offset : offset + length], limit, is_signed, chip)


def refusal(data, is_signed=False, chip=None, limit=16384):
    try:
        parse(data, is_signed, chip, limit)
    except ImageFormatError as error:
        return error.fields["reason"]
    raise AssertionError("accepted")


def changed(data, offset, value):
    return data[:offset] + value + data[offset + len(value) :]


def test_the_image_tells_length_digest_version_counter_and_chip():
    image = esp_image(b"1.2.3+4", counter=7)
    assert parse(image) == (len(image), image[-32:], (1, 2, 3, 4), 7, ESP32_C3)


def test_a_version_without_build_number_has_build_0():
    assert parse(esp_image(b"2.0.1")).version == (2, 0, 1, 0)


def test_a_version_that_is_no_four_numbers_is_refused():
    for version in (b"", b"1.2", b"v1.2.3", b"1.2.3-dirty", b"1.2.3.4.5", b"1..2.3", b"1.2.3+1234567890"):
        assert refusal(esp_image(version)) == "version", version


def test_each_damage_has_its_name():
    good = esp_image()
    end = len(good) - 32
    rows = (
        (b"\xe9", "segments"),
        (changed(good, 0, b"\xe8"), "magic"),
        (changed(good, 23, b"\x00"), "no digest"),
        (changed(good, 1, b"\x00"), "segments"),
        (changed(good, 1, b"\x11"), "segments"),
        (changed(good, 28, b"\xff\xff\xff\x7f"), "segment size"),
        (changed(good, 28, b"\xfc\xff\xff\x7f"), "size"),
        (changed(good, end - 1, bytes([good[end - 1] ^ 1])), "checksum"),
        (changed(good, 300, b"\x00"), "checksum"),
        (changed(good, end, b"\x00\x00\x00\x00"), "digest"),
        (changed(good, 5, b"\x01"), "digest"),
    )
    for data, reason in rows:
        found = refusal(data + b"\x00" * 22 if len(data) == 1 else data)
        assert found in (reason, "no digest"), (reason, found)


def test_an_image_without_description_is_refused():
    image = esp_image()
    data = changed(image[:-33], 32, b"\x00")
    checksum = image[-33] ^ 0x32
    data += bytes([checksum])
    assert refusal(data + sha256(data).digest()) == "description"


def test_an_image_for_another_chip_is_refused():
    assert refusal(esp_image(), chip=9) == "chip"
    assert parse(esp_image(), chip=ESP32_C3).chip == ESP32_C3


def test_a_signed_image_ends_after_its_signature_sector():
    for blocks in (1, 2, 3):
        for version in (2, 3):
            assert parse(signed(esp_image(), blocks, version), True).total_bytes == 2 * SECTOR_BYTES


def test_an_image_that_fills_its_last_sector_has_its_signature_next():
    image = esp_image(sizes=(256, SECTOR_BYTES - 24 - 8 - 256 - 8 - 48))
    assert len(image) == SECTOR_BYTES
    assert parse(signed(image), True).total_bytes == 2 * SECTOR_BYTES


def test_a_board_with_secure_boot_refuses_what_its_boot_loader_would_refuse():
    good = signed(esp_image())
    rows = (
        (esp_image(), "no signature"),
        (good[:SECTOR_BYTES], "no signature"),
        (changed(good, SECTOR_BYTES, b"\xe6"), "signature block"),
        (changed(good, SECTOR_BYTES + 1, b"\x01"), "signature block"),
        (changed(good, SECTOR_BYTES + 40, b"\x00"), "signature crc"),
        (changed(good, SECTOR_BYTES, block(bytes(32))), "signed digest"),
        (changed(good, SECTOR_BYTES - 1, b"\x00"), "filler"),
        (signed(esp_image(), filler=b"\x00"), "filler"),
    )
    for data, reason in rows:
        assert refusal(data, True) == reason, (reason, refusal(data, True))


def test_a_signature_that_lies_outside_the_slot_is_refused():
    assert refusal(signed(esp_image()), True, limit=2 * SECTOR_BYTES - 1) == "no signature"


def test_no_cut_of_a_signed_image_is_accepted():
    good = signed(esp_image())
    for length in list(range(0, 420, 7)) + [SECTOR_BYTES, SECTOR_BYTES + 1199]:
        refusal(good[:length], True)


def state():
    return BootState(MemoryFlash(), SMALL, lambda read, limit: parse_esp_image(read, limit, True, ESP32_C3))


def test_a_board_with_esp_images_installs_one():
    payload = signed(esp_image(sizes=(256, 5000)))
    manifest, chunk_list, chunks = manifest_of(payload)
    boot = state()
    info = drive(flow.install(manifest, boot, 1), chunk_list, chunks)
    assert (info.version, info.total_bytes) == ((2, 0, 0, 2), len(payload))
    assert boot.marks(1).is_staged


def refused(error, payload, boot):
    manifest, chunk_list, chunks = manifest_of(payload)
    try:
        drive(flow.install(manifest, boot, 1), chunk_list, chunks)
    except error as found:
        assert not boot.marks(1).is_staged
        return found
    raise AssertionError("installed")


def test_a_mcuboot_image_is_never_staged_on_a_board_with_esp_images():
    from test_flow import image

    assert refused(ImageFormatError, image(), state()).fields == {"reason": "magic"}


def test_an_esp_image_below_the_security_counter_is_never_staged():
    boot = state()
    boot.raise_security_counter(3)
    payload = signed(esp_image(counter=2))
    assert refused(SecurityCounterError, payload, boot).fields == {"have": 3, "offered": 2}


def test_an_esp_image_of_another_release_is_never_staged():
    assert refused(ImageFormatError, signed(esp_image(b"2.0.0+3")), state()).fields == {
        "reason": "build number"
    }


def test_bytes_behind_the_signature_are_refused():
    payload = signed(esp_image()) + b"\xff" * 16
    assert refused(ImageFormatError, payload, state()).fields == {"reason": "size"}
