"""Main of the `test` firmware: run tests/dual on the board and print one line for each test.

Prints `PASS module.name` or `FAIL module.name` with a traceback, at the end `dual: N passed, N failed`. Then the board
waits until the machine is switched off. A module that cannot be imported counts as one failure. The same file runs
in MicroPython's unix port and on RV32 (tests/ports), which have no watchdog to feed.
"""

import gc
import sys

try:
    import _mps2
except ImportError:
    _mps2 = None
from dual_modules import MODULES  # type: ignore[import-not-found]  # made by the build


def _run(name: str, function: object) -> bool:
    if _mps2 is not None:
        _mps2.watchdog_feed()
    gc.collect()
    try:
        function()  # type: ignore[operator]
    except BaseException as error:
        print("FAIL", name)
        sys.print_exception(error)  # type: ignore[attr-defined]
        return False
    print("PASS", name)
    return True


def _tests(module: object) -> "list[str]":
    return sorted(
        [name for name in dir(module) if name.startswith("test_") and callable(getattr(module, name))]
    )


def main() -> None:
    passed = failed = 0
    for module_name in MODULES:
        try:
            module = __import__(module_name)
        except BaseException as error:
            print("FAIL", module_name, "(import)")
            sys.print_exception(error)  # type: ignore[attr-defined]
            failed += 1
            continue
        for name in _tests(module):
            if _run(module_name + "." + name, getattr(module, name)):
                passed += 1
            else:
                failed += 1
    print("dual: {} passed, {} failed".format(passed, failed))


def wait() -> None:
    """Feed the watchdog until the machine is switched off."""
    while _mps2 is not None:
        _mps2.watchdog_feed()


if __name__ == "__main__":
    main()
    wait()
