"""Modules that are in memory only while they are used, on CPython and on the board."""

import gc
import sys

from device.compat import unload

NAME = "device.codec.heatshrink"
IS_BOARD = hasattr(gc, "mem_free")


def test_a_board_forgets_an_unloaded_module_and_the_next_import_loads_it_again():
    from device.codec import heatshrink as first

    unload((NAME,))
    assert (NAME in sys.modules) is not IS_BOARD
    from device.codec import heatshrink as second

    assert sys.modules[NAME] is second
    assert (second is first) is not IS_BOARD
    assert second.Decoder is not None


def test_a_module_that_is_not_loaded_can_be_unloaded():
    unload(("device.codec.nothing", "device.no_package.nothing"))
    assert "device.codec.nothing" not in sys.modules
