"""RP2350 images as a unit reads them before it asks the boot ROM to start one."""

from hashlib import sha256

from memory_flash import SMALL, MemoryFlash
from test_flow import drive, manifest_of

from device.codec.rp2350_image import parse_rp2350_image
from device.errors import ImageFormatError, SecurityCounterError
from device.update import flow
from device.update.slots import BootState

FLAGS = 0x9021  # try before you buy, RP2350, Arm, secure, executable


def u32(value):
    return (value & 0xFFFFFFFF).to_bytes(4, "little")


def block(items, link):
    """Return a block as the datasheet draws it."""
    body = b"".join(items)
    return u32(0xFFFFDED3) + body + u32(0xFF | (len(body) // 4) << 8) + u32(link) + u32(0xAB123579)


def image_type(flags=FLAGS):
    return u32(0x42 | 1 << 8 | flags << 16)


def version_item(major=2, minor=0, build=2, rollback=1, rows=(0x4E, 0x51)):
    halves = [rollback] + list(rows)
    halves += [0] * (len(halves) % 2)
    body = b"".join([half.to_bytes(2, "little") for half in halves])
    return (
        u32(0x48 | (2 + len(body) // 4) << 8 | len(rows) << 24)
        + u32(major << 24 | minor << 16 | build)
        + body
    )


def load_map(ranges, at):
    """Return the item at `at` of an image for `ranges` of (storage, size); storage is relative to the item."""
    entries = b"".join(
        [u32(storage - at) + u32(0x10000000 + storage) + u32(size) for storage, size in ranges]
    )
    return u32(0x06 | (1 + 3 * len(ranges)) << 8 | len(ranges) << 24) + entries


def body(size=4096):
    """Return code with its first block, whose link is filled in by `signed`."""
    return b"\x11" * 256 + block([image_type(0x1021)], 0) + b"\x22" * (size - 256 - 20)


def signed(code=None, flags=FLAGS, version=None, ranges=None, words=None, sign=None, loop=0):
    """Return an image with the signed block at its end, built from the datasheet and not from the reader."""
    code = body() if code is None else code
    at = len(code)
    code = code[:268] + u32(at - 256) + code[272:]  # the link of the first block
    items = [image_type(flags), version_item() if version is None else version]
    items.append(
        load_map([(0, at)] if ranges is None else ranges, at + 4 + sum([len(item) for item in items]))
    )
    count = 1 + sum([len(item) for item in items]) // 4 + 2
    items.append(u32(0x47 | 2 << 8 | 1 << 24) + u32(count if words is None else words))
    covered = u32(0xFFFFDED3) + image_type(flags & 0x7FFF) + b"".join(items[1:])
    digest = sha256(code + covered).digest()
    signature = b"K" * 64 + b"S" * 64 if sign is None else sign(digest)
    items.append(u32(0x09 | 33 << 8 | 1 << 24) + signature)
    return code + block(items, 256 - at + loop), digest


def parse(data, limit=16384):
    padded = data + b"\xff" * (limit - len(data))
    return parse_rp2350_image(lambda offset, length: padded[offset : offset + length], limit)


def refusal(data, limit=16384):
    try:
        parse(data, limit)
    except ImageFormatError as error:
        return error.fields["reason"]
    raise AssertionError("accepted")


def changed(data, offset, value):
    return data[:offset] + value + data[offset + len(value) :]


def test_the_image_gives_length_digest_version_counter_and_rows():
    data, digest = signed()
    found = parse(data)
    assert (found.total_bytes, found.digest) == (len(data), digest)
    assert (found.version, found.security_counter, found.rows) == ((2, 0, 0, 2), 1, (0x4E, 0x51))
    assert (found.public_key, found.signature) == (b"K" * 64, b"S" * 64)


def test_the_version_fields_are_major_minor_and_build():
    data, _ = signed(version=version_item(major=1, minor=255, build=65535, rollback=47))
    found = parse(data)
    assert (found.version, found.security_counter) == ((1, 255, 0, 65535), 47)


def test_one_row_counts_to_23_and_two_to_47_as_the_boot_rom_says():
    for rollback, rows, is_taken in (
        (23, (5,), 1),
        (24, (5,), 0),
        (47, (5, 6), 1),
        (48, (5, 6), 0),
        (0, (5,), 0),
    ):
        data, _ = signed(version=version_item(rollback=rollback, rows=rows))
        if is_taken:
            assert parse(data).rows == rows
        else:
            assert refusal(data) == "rollback version"


def test_an_image_without_a_rollback_version_is_refused():
    assert refusal(signed(version=u32(0x48 | 2 << 8) + u32(0x02000002))[0]) == "no rollback version"


def test_only_a_secure_arm_executable_for_this_chip_that_starts_as_a_trial_is_accepted():
    rows = (
        (0x9022, "image type"),  # data
        (0x9011, "image type"),  # non-secure
        (0x9121, "image type"),  # RISC-V
        (0x8021, "image type"),  # RP2040
        (0x1021, "no trial"),
    )
    for flags, reason in rows:
        assert refusal(signed(flags=flags)[0]) == reason


def test_the_running_image_is_read_after_its_trial_too():
    data, digest = signed(flags=0x1021)
    found = parse_rp2350_image(lambda offset, length: data[offset : offset + length], len(data), True)
    assert found.digest == digest == parse(signed()[0]).digest


def test_every_byte_before_the_block_is_in_the_load_map():
    size = len(body())
    half = size // 2
    assert parse(signed(ranges=[(0, half), (half, size - half)])[0]).version == (2, 0, 0, 2)
    for ranges in (
        [(0, size - 4)],
        [(4, size - 4)],
        [(0, half), (half + 4, size - half - 4)],
        [(0, size), (0, size)],
        [(0, size + 4)],
        [(0, 0xFFFFFFFC)],
    ):
        assert refusal(signed(ranges=ranges)[0]) == "load map"


def test_a_hash_that_does_not_cover_the_block_is_refused():
    for words in (0, 1, 13, 0xFFFF):
        assert refusal(signed(words=words)[0]) == "hash"


def test_each_damage_has_its_name():
    good, _ = signed()
    at = len(body())
    end = len(good)
    rows = (
        (b"", "no block"),
        (changed(good, 256, bytes(4)), "no block"),
        (changed(good, at, bytes(4)), "block"),
        (changed(good, end - 4, bytes(4)), "block end"),
        (changed(good, end - 11, b"\x01"), "block end"),
        (changed(good, end - 8, u32(4)), "block loop"),
        (changed(good, end - 8, u32(0x80000000)), "block loop"),
        (changed(good, 268, u32(0)), "no trial"),  # the first block alone
        (changed(good, at + 4, b"\x43"), "no image type"),
        (changed(good, at + 5, b"\x00"), "item size"),
        (changed(good, at + 9, b"\xff"), "item size"),
        (changed(good, at + 8, b"\x42"), "item twice"),
        (changed(good, end - 144 + 3, b"\x02"), "no signature"),
    )
    for data, reason in rows:
        found = refusal(data)
        assert found == reason or (reason == "no image type" and found == "no rollback version"), (
            reason,
            found,
        )


def test_a_marker_that_is_not_at_a_whole_word_begins_no_block():
    code = body()
    moved = b"\x00\x00" + u32(0xFFFFDED3) + code[6:]
    assert parse(signed(moved)[0]).version == (2, 0, 0, 2)


def test_a_loop_of_too_many_blocks_ends():
    code = b"".join([block([image_type()], 20) for _ in range(8)])
    assert refusal(code) == "block loop"


def test_no_cut_of_an_image_is_accepted():
    good, _ = signed(body(512))
    for length in range(0, len(good), 4):
        refusal(good[:length], len(good))
        if length >= 16:
            refusal(good[:length], length)


def state():
    return BootState(MemoryFlash(), SMALL, parse_rp2350_image)


def installed(payload, boot):
    manifest, chunk_list, chunks = manifest_of(payload)
    return drive(flow.install(manifest, boot, 1), chunk_list, chunks)


def test_a_board_with_rp2350_images_installs_one():
    boot = state()
    payload, digest = signed()
    info = installed(payload, boot)
    assert (info.digest, info.total_bytes) == (digest, len(payload))
    assert boot.marks(1).is_staged


def test_an_image_below_the_rollback_version_is_never_staged():
    boot = state()
    boot.raise_security_counter(3)
    try:
        installed(signed(version=version_item(rollback=2))[0], boot)
    except SecurityCounterError as error:
        assert error.fields == {"have": 3, "offered": 2} and not boot.marks(1).is_staged
        return
    raise AssertionError("installed")


def test_bytes_after_the_signed_block_are_refused():
    try:
        installed(signed()[0] + b"\xff" * 16, state())
    except ImageFormatError as error:
        assert error.fields == {"reason": "size"}
        return
    raise AssertionError("installed")
