"""Main of the `bench` firmware: run tests/benchmarks/board, one line for each figure. Ends with `bench: N done`.

A module has MEASUREMENTS, pairs of a name and a function of no arguments, FIGURES, pairs of a name and a function that
measures by itself, or both:

    BENCH name ticks heap    SysTick ticks (40 instructions each under `-icount shift=0`) of one call; and the most
                             bytes that lived at once during another call, looked at by collections
    FIGURE name value        what the function gave

Ticks are taken on a heap whose holes are filled: what an allocation costs depends on them, and so would the figure on
whatever was imported before.
"""

import gc
import time

import _mps2
from bench_modules import MODULES  # type: ignore[import-not-found]  # made by the build

_BLOCK_BYTES = 16  # of the collector
_CALM_BLOCKS = 2048  # so many allocations in a row without a hole: there is none below them
_FINE = 2048  # bytes allocated between two looks at the heap
_COARSE = 16384  # the same where a call allocates more than a look for each _FINE can follow


def settle() -> object:
    """Collect, then fill the holes of the heap. Gives what fills them: keep it as long as they are to stay full."""
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
    """SysTick ticks of one call of `function`."""
    kept = settle()
    start = time.ticks_cpu()  # type: ignore[attr-defined]
    function()  # type: ignore[operator]
    end = time.ticks_cpu()  # type: ignore[attr-defined]
    del kept
    return int(time.ticks_diff(end, start))  # type: ignore[attr-defined]


def allocated(function: object) -> int:
    """Bytes that one call allocates, rubbish included; it must find them without a collection."""
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()  # type: ignore[attr-defined]
    function()  # type: ignore[operator]
    after = gc.mem_alloc()  # type: ignore[attr-defined]
    gc.enable()
    return int(after - before)


def heap(function: object, every: int = _FINE) -> int:
    """The most bytes that lived at once during one call, seen every `every` bytes; at most that much is missed."""
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
    """Bytes that live after one call and did not before; the call before it made whatever is made once."""
    function()  # type: ignore[operator]
    gc.collect()
    before = gc.mem_alloc()  # type: ignore[attr-defined]
    function()  # type: ignore[operator]
    gc.collect()
    return int(gc.mem_alloc() - before)  # type: ignore[attr-defined]


def _measure(name: str, function: object) -> None:
    _mps2.watchdog_feed()
    function()  # type: ignore[operator]  # whatever is made once is made now
    spent = ticks(function)
    _mps2.watchdog_feed()
    # A collection is some million instructions: a call of many is looked at more seldom, or the watchdog bites.
    print("BENCH", name, spent, heap(function, _FINE if spent < 1000000 else _COARSE))


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
