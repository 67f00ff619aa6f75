"""The one place that knows what the two Pythons do differently: `micropython.const`, and when memory is given back."""

import gc

try:
    from micropython import const as const
except ImportError:

    def const(value: int) -> int:
        """Give `value` back; mpy-cross folds the name away on a board."""
        return value


def forget() -> None:
    """Collect what nobody holds any more, where that is when memory is given back (MicroPython); the emulated
    board's port wipes it then (PW-13). CPython gives it back at once and wipes nothing.
    """
    if hasattr(gc, "mem_free"):
        gc.collect()
