"""Addresses of the emulated board, and the numbers of the two pages that machine, boot ROM and firmware share.

The firmware is built without this module. `provisioning.firmware.header` writes every number of it into
`addresses.h` (C) and `addresses.ld` (linker scripts); `renode` imports it. Files that cannot import it (the Renode
platform and script, the tables of docs/reference/memory-map.md) are compared with it by
tests/unit/provisioning/firmware/test_memory_map.py. Offsets inside NVM are in device/layout.py.
"""

from device.boards.mps2_an385.board import COLLECT_EVERY_BYTES as COLLECT_EVERY_BYTES
from device.boards.mps2_an385.board import CPU_HZ as CPU_HZ
from device.boards.mps2_an385.board import HEAP_BYTES as HEAP_BYTES
from device.boards.mps2_an385.board import TLS_ARENA_BYTES as TLS_ARENA_BYTES
from device.layout import IMAGE_HEADER_BYTES, IMAGE_LOAD_ADDRESS, MPS2

# Memory. An END is the first address after the region.
ROM_ADDRESS = 0x00000000
ROM_BYTES = 0x00100000
CODE_RAM_ADDRESS = IMAGE_LOAD_ADDRESS
CODE_RAM_END = 0x00400000
RAM_ADDRESS = 0x20000000
RAM_END = 0x203FE000
ROM_WORK_ADDRESS = 0x20300000  # the ROM's own data, heap and stack: free after its jump
ROM_WORK_BYTES = 0x00040000
HANDOVER_ADDRESS = RAM_END
POWER_ON_ADDRESS = 0x203FF000
NVM_ADDRESS = 0x21000000

# Where the linker puts the firmware: after the image header, and small enough for a slot with its TLVs and trailer.
FIRMWARE_ADDRESS = IMAGE_LOAD_ADDRESS + IMAGE_HEADER_BYTES
FIRMWARE_MAX_BYTES = MPS2.slot_bytes - 2 * MPS2.sector_bytes - IMAGE_HEADER_BYTES

# Peripherals (Arm DDI 0479C; DAI0385D for FPGAIO).
UART_BASE_ADDRESS = 0x40004000  # UART 0; UART n is n * UART_STRIDE_BYTES further on
UART_STRIDE_BYTES = 0x1000
WATCHDOG_ADDRESS = 0x40008000
FPGAIO_ADDRESS = 0x40028000  # LED register: bit 0 is the unit's light

# Power-on page: the machine writes it at power-on and restores it at every reset.
POWER_ON_MAGIC = 0x4F504246  # "FBPO"
POWER_ON_SEED_PRESENT = 1 << 0
POWER_ON_SEED_FIXED = 1 << 1
POWER_ON_BUTTON_HELD = 1 << 2

# After the power-on page, for the firmware variant `cut` only: a power cut that a test orders (port/nvm_cut.h).
CUT_ORDER_ADDRESS = POWER_ON_ADDRESS + 0x40
CUT_ORDER_MAGIC = 0x54554346  # "FCUT"

# Handover page: the ROM writes it, the firmware reads it. It survives a reset, not a power cut.
HANDOVER_MAGIC = 0x4F484246  # "FBHO"
HANDOVER_VERSION = 2

# Why the last run ended, one word in the handover page.
RUN_MARK_ADDRESS = HANDOVER_ADDRESS + 0x100
RUN_MARK_RUNNING = 0x4E4E5552  # "RUNN": written by the ROM before the jump
RUN_MARK_SOFTWARE = 0x54464F53  # "SOFT": written by the firmware before SYSRESETREQ
RUN_MARK_WATCHDOG = 0x474F4457  # "WDOG": written by the firmware in the watchdog's NMI

# NVM operations since power-on. Only the variant `cut` counts them; a reset keeps the count.
CUT_COUNT_ADDRESS = HANDOVER_ADDRESS + 0x140

# Where the firmware's receive rings are, for a machine that records a run (renode/rings.py): a table in the handover
# page. The ROM clears its magic number at every start.
RINGS_ADDRESS = HANDOVER_ADDRESS + 0x180
RINGS_MAGIC = 0x474E5246  # "FRNG"
