"""The layout of NVM: the one definition that firmware, boot ROM, simulator and host share.

Rules:
1. NVM follows NOR rules: an erased sector reads 0xFF; a program operation writes whole units, each unit once between
   two erases.
2. The two slots are equal; the last sector of each holds its trailer marks, one mark to a unit. So has each of the
   two application slots (device/update/appset.py).
3. Boot facts (lock, security counter, key revocation) are only programmed, never erased in the field.

`provisioning.firmware` writes these numbers into the C header of the boot ROM and the port.
"""

from collections import namedtuple

# All values in bytes; offsets count from the start of NVM.
NvmLayout = namedtuple(
    "NvmLayout",
    (
        "size_bytes",
        "sector_bytes",
        "unit_bytes",  # smallest program operation
        "lock_offsets",  # two copies, each in a sector of its own
        "counter_offset",
        "counter_sectors",  # one unit per step
        "revocation_offset",  # unit k programmed = image key k revoked
        "entropy_offset",  # two sectors, written in turn at every start
        "slot_offsets",
        "slot_bytes",  # trailer sector included
        "device_offset",  # littlefs region that survives factory reset
        "device_bytes",
        "user_offset",  # littlefs region erased by factory reset
        "user_bytes",
        "set_offsets",  # two application slots; () on a board without application sets
        "set_bytes",  # of each: the bundle, a sector with the binding, a sector of marks
    ),
)

MPS2 = NvmLayout(
    size_bytes=0x1000000,
    sector_bytes=4096,
    unit_bytes=32,
    lock_offsets=(0x000000, 0x001000),
    counter_offset=0x002000,
    counter_sectors=4,
    revocation_offset=0x006000,
    entropy_offset=0x010000,
    slot_offsets=(0x100000, 0x300000),
    slot_bytes=0x200000,
    device_offset=0x500000,
    device_bytes=0x100000,
    user_offset=0x600000,
    user_bytes=0x100000,
    set_offsets=(0x700000, 0x780000),
    set_bytes=0x80000,
)

# Trailer marks: offset of the unit inside the trailer sector.
MARK_STAGED = 0
MARK_TRIED = 32
MARK_CONFIRMED = 64

# Content of a programmed unit. A torn `staged` or `confirmed` mark does not count; a torn `tried`, lock or
# counter unit does: both errors are on the safe side: fewer images start.
UNIT_STAGED = b"firstboot:staged" * 2
UNIT_TRIED = b"firstboot:tried!" * 2
UNIT_LOCKED = b"firstboot:locked" * 2
UNIT_COUNTED = b"firstboot:count+" * 2
UNIT_REVOKED = b"firstboot:revoke" * 2
# confirmed: b"firstboot:confrm" + sequence (4 bytes, little endian) + its complement + 8 zero bytes;
# the slot with the highest sequence was confirmed last.
CONFIRMED_PREFIX = b"firstboot:confrm"

# MCUboot image format: header size that images of this project carry, and where an image is linked to run.
IMAGE_HEADER_BYTES = 0x200
IMAGE_LOAD_ADDRESS = 0x00100000

# Limits of an image's structure: device/codec/image.py and the boot ROM refuse the same images.
IMAGE_BODY_MIN_BYTES = 8  # initial stack pointer and entry
IMAGE_TLV_AREA_BYTES = (
    6144  # two levels of HSS with H15 and W4 take 5396; key, digest and ECDSA less than 300
)
IMAGE_PUBLIC_KEY_BYTES = 91  # DER SubjectPublicKeyInfo of an uncompressed P-256 point (RFC 5480 2)
IMAGE_SIGNATURE_MIN_BYTES = 8  # DER Ecdsa-Sig-Value: two integers of 1 to 33 bytes
IMAGE_SIGNATURE_MAX_BYTES = 72

RESET_POWER_ON = 0
RESET_SOFTWARE = 1
RESET_WATCHDOG = 2
RESET_EXTERNAL = 3
