"""Main of the `bench` firmware: run tests/benchmarks/board and print one line for each figure, then `bench: N done`.

A module has MEASUREMENTS (pairs of a name and a function without arguments), FIGURES (pairs of a name and a function
that measures by itself), or both:

    BENCH name ticks heap    SysTick ticks (40 instructions each under `-icount shift=0`) of one call; and the most
                             bytes in use at once during another call, found by collections
    FIGURE name value        the result of the function

The holes of the heap are filled before ticks are counted: the cost of an allocation depends on them, so the figure
would depend on earlier imports.
"""

import gc
import time

import _mps2
from bench_modules import MODULES  # type: ignore[import-not-found]  # made by the build

_BLOCK_BYTES = 16  # of the collector
_CALM_BLOCKS = 2048  # after so many allocations in a row there is no hole below them
_FINEST = 64  # bytes allocated between two collections: after every second allocation or so
_FINE = 2048
_COARSE = 16384  # the same for a call that allocates too much for _FINE
_SHORT_TICKS = 50000


def settle() -> object:
    """Collect, then fill the holes of the heap. Return the object that fills them until it is freed."""
    gc.collect()
    chain: "object" = None
    last = calm = 0
    while calm < _CALM_BLOCKS:
        chain = (chain,)
        at = id(chain)
        calm = calm + 1 if at == last + _BLOCK_BYTES else 0
        last = at
    return chain


def ticks(function: object) -> int:
    """Return the SysTick ticks of one call of `function`."""
    kept = settle()
    start = time.ticks_cpu()  # type: ignore[attr-defined]
    function()  # type: ignore[operator]
    end = time.ticks_cpu()  # type: ignore[attr-defined]
    del kept
    return int(time.ticks_diff(end, start))  # type: ignore[attr-defined]


def allocated(function: object) -> int:
    """Return the bytes that one call allocates, garbage included. They must fit without a collection."""
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()  # type: ignore[attr-defined]
    function()  # type: ignore[operator]
    after = gc.mem_alloc()  # type: ignore[attr-defined]
    gc.enable()
    return int(after - before)


def heap(function: object, every: int = _FINE) -> int:
    """Return the peak of the bytes in use during one call. It is measured once for every `every` bytes."""
    gc.collect()
    before = gc.mem_alloc()  # type: ignore[attr-defined]
    gc.threshold(every)  # type: ignore[attr-defined]
    _mps2.heap_peak_restart()
    function()  # type: ignore[operator]
    gc.collect()
    peak = _mps2.heap_peak()
    gc.threshold(-1)  # type: ignore[attr-defined]
    return max(0, int(peak - before))


def growth(function: object) -> int:
    """Return the bytes that stay in use after the second call; the first call does what is done once."""
    function()  # type: ignore[operator]
    gc.collect()
    before = gc.mem_alloc()  # type: ignore[attr-defined]
    function()  # type: ignore[operator]
    gc.collect()
    return int(gc.mem_alloc() - before)  # type: ignore[attr-defined]


def _measure(name: str, function: object) -> None:
    _mps2.watchdog_feed()
    function()  # type: ignore[operator]  # the first call does what is done once
    spent = ticks(function)
    _mps2.watchdog_feed()
    # A collection takes some million instructions: check long calls less often, or the watchdog resets the unit.
    every = _FINEST if spent < _SHORT_TICKS else _FINE if spent < 1000000 else _COARSE
    print("BENCH", name, spent, heap(function, every))


def main() -> None:
    done = 0
    for module_name in MODULES:
        module = __import__(module_name)
        for name, function in getattr(module, "MEASUREMENTS", ()):
            _measure(name, function)
            done += 1
        for name, function in getattr(module, "FIGURES", ()):
            _mps2.watchdog_feed()
            print("FIGURE", name, function())
            done += 1
    print("bench: {} done".format(done))


if __name__ == "__main__":  # run by the port; its functions are imported by the modules of measurements
    main()
    while True:
        _mps2.watchdog_feed()
