"""Addresses of the emulated board MPS2 AN505 (Cortex-M33). As boards/mps2_an385/memory_map.py, which has the rest.

All memory is secure: the SAU is off, so the processor takes every address as a secure one, whichever alias it uses
(Armv8-M Architecture Reference Manual, SAU_CTRL). The firmware uses the aliases that a non-secure firmware would have
to use; the boot ROM runs from the secure alias, where the processor starts. Source: Arm DAI0505B, Memory map.
"""

from device.boards.mps2_an385.memory_map import CODE_RAM_ADDRESS as CODE_RAM_ADDRESS
from device.boards.mps2_an385.memory_map import CODE_RAM_END as CODE_RAM_END
from device.boards.mps2_an385.memory_map import COLLECT_EVERY_BYTES as COLLECT_EVERY_BYTES
from device.boards.mps2_an385.memory_map import CUT_ORDER_MAGIC as CUT_ORDER_MAGIC
from device.boards.mps2_an385.memory_map import FIRMWARE_ADDRESS as FIRMWARE_ADDRESS
from device.boards.mps2_an385.memory_map import FIRMWARE_MAX_BYTES as FIRMWARE_MAX_BYTES
from device.boards.mps2_an385.memory_map import HANDOVER_MAGIC as HANDOVER_MAGIC
from device.boards.mps2_an385.memory_map import HANDOVER_VERSION as HANDOVER_VERSION
from device.boards.mps2_an385.memory_map import HEAP_BYTES as HEAP_BYTES
from device.boards.mps2_an385.memory_map import POWER_ON_BUTTON_HELD as POWER_ON_BUTTON_HELD
from device.boards.mps2_an385.memory_map import POWER_ON_MAGIC as POWER_ON_MAGIC
from device.boards.mps2_an385.memory_map import POWER_ON_SEED_FIXED as POWER_ON_SEED_FIXED
from device.boards.mps2_an385.memory_map import POWER_ON_SEED_PRESENT as POWER_ON_SEED_PRESENT
from device.boards.mps2_an385.memory_map import RINGS_MAGIC as RINGS_MAGIC
from device.boards.mps2_an385.memory_map import ROM_BYTES as ROM_BYTES
from device.boards.mps2_an385.memory_map import ROM_WORK_BYTES as ROM_WORK_BYTES
from device.boards.mps2_an385.memory_map import RUN_MARK_RUNNING as RUN_MARK_RUNNING
from device.boards.mps2_an385.memory_map import RUN_MARK_SOFTWARE as RUN_MARK_SOFTWARE
from device.boards.mps2_an385.memory_map import RUN_MARK_WATCHDOG as RUN_MARK_WATCHDOG
from device.boards.mps2_an385.memory_map import TLS_ARENA_BYTES as TLS_ARENA_BYTES
from device.boards.mps2_an385.memory_map import UART_STRIDE_BYTES as UART_STRIDE_BYTES
from device.boards.mps2_an505.board import CPU_HZ as CPU_HZ

# Memory. SSRAM 1 has ROM and code RAM, SSRAM 2 and 3 the RAM, the PSRAM is NVM (docs/reference/memory-map.md).
ROM_ADDRESS = 0x10000000  # the secure alias of SSRAM 1; code RAM follows at its non-secure alias
RAM_ADDRESS = 0x28000000
RAM_END = 0x283FE000
ROM_WORK_ADDRESS = 0x28300000
HANDOVER_ADDRESS = RAM_END
POWER_ON_ADDRESS = 0x283FF000
NVM_ADDRESS = 0x80000000
CUT_ORDER_ADDRESS = POWER_ON_ADDRESS + 0x40
RUN_MARK_ADDRESS = HANDOVER_ADDRESS + 0x100
CUT_COUNT_ADDRESS = HANDOVER_ADDRESS + 0x140
RINGS_ADDRESS = HANDOVER_ADDRESS + 0x180

# Peripherals.
UART_BASE_ADDRESS = 0x40200000
WATCHDOG_ADDRESS = 0x50081000  # the secure one: its first expiry is an NMI
FPGAIO_ADDRESS = 0x40302000

# Security controls, for the boot ROM (rom/trustzone.c).
SECURITY_CONTROL_ADDRESS = 0x50080000  # secure privileged control block
MPC_SSRAM_1_ADDRESS = 0x58007000  # memory protection controllers
MPC_SSRAM_2_ADDRESS = 0x58008000
MPC_SSRAM_3_ADDRESS = 0x58009000
