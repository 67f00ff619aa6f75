"""Main of the `bench` firmware: run tests/bench/board, one line for each measurement.

`BENCH name ticks bytes`: SysTick ticks (40 instructions each under `-icount shift=0`) of one call, and the most
bytes of heap that lived during a second call, looked at whenever 2048 bytes were allocated. Ends with `bench: N done`.
"""

import gc
import time

import _mps2
from bench_modules import MODULES  # type: ignore[import-not-found]  # made by the build

_COLLECT_EVERY = 2048


def _ticks(function: object) -> int:
    gc.collect()
    start = time.ticks_cpu()  # type: ignore[attr-defined]
    function()  # type: ignore[operator]
    end = time.ticks_cpu()  # type: ignore[attr-defined]
    return int(time.ticks_diff(end, start))  # type: ignore[attr-defined]


def _heap(function: object) -> int:
    gc.collect()
    before = gc.mem_alloc()  # type: ignore[attr-defined]
    gc.threshold(_COLLECT_EVERY)  # type: ignore[attr-defined]
    peak = _peak(function)
    gc.threshold(-1)  # type: ignore[attr-defined]
    return int(peak - before)


def _peak(function: object) -> int:
    _mps2.heap_peak_restart()
    function()  # type: ignore[operator]
    gc.collect()
    return int(_mps2.heap_peak())


def main() -> None:
    done = 0
    for module_name in MODULES:
        for name, function in __import__(module_name).MEASUREMENTS:
            _mps2.watchdog_feed()
            function()  # whatever is made once is made now
            ticks = _ticks(function)
            _mps2.watchdog_feed()
            print("BENCH", name, ticks, _heap(function))
            done += 1
    print("bench: {} done".format(done))


main()
while True:
    _mps2.watchdog_feed()
