"""Boot images as a unit reads them before it stages one: each structural damage is refused by name."""

from test_flow import image

from device.codec.image import parse_image
from device.errors import ImageFormatError

GOOD = image(300, 7)


def parse(data):
    return parse_image(lambda offset, length: data[offset : offset + length], len(data))


def refusal(data):
    try:
        parse(data)
    except ImageFormatError as error:
        return error.fields["reason"]
    raise AssertionError("accepted")


def changed(offset, value):
    data = bytearray(GOOD)
    data[offset : offset + len(value)] = value
    return bytes(data)


def test_a_good_image_tells_version_counter_and_sizes():
    info = parse(GOOD)
    assert info.version == (2, 0, 0, 2)
    assert info.security_counter == 7
    assert (info.body_bytes, info.total_bytes) == (300, len(GOOD))


def test_each_damage_has_its_name():
    protected = 0x200 + 300
    free = protected + 12
    rows = (
        (GOOD[:100], "truncated"),
        (changed(0, b"\x00"), "magic"),
        (changed(4, b"\x01"), "load address"),
        (changed(16, b"\x21"), "flags"),
        (changed(8, b"\x01"), "header size"),
        (changed(12, bytes(4)), "body size"),
        (changed(12, b"\xff\xff\xff\xff"), "body size"),
        (changed(10, b"\x00"), "protected size"),
        (changed(protected, b"\x00"), "tlv magic"),
        (changed(protected + 2, b"\x03"), "tlv size"),
        (changed(protected + 4, b"\x51"), "tlv type"),
        (changed(protected + 6, b"\x05"), "tlv entry"),
        (changed(free + 4, b"\x11"), "tlv type"),
        (changed(free + 4 + 36, b"\x10"), "tlv type"),
        (GOOD[:-1], "tlv size"),
    )
    for data, reason in rows:
        assert refusal(data) == reason, (reason, refusal(data))


def test_no_cut_of_a_good_image_is_accepted():
    for length in range(len(GOOD)):
        refusal(GOOD[:length])
