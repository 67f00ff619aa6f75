"""Main of the `lines` firmware: run tests/dual on the board, and print which lines of device/ ran.

After the output of dual.py it prints `LINES file hex` for each file: bit N of the number is set if line N ran. Then the
board waits until the machine is switched off. tools/board_lines.py reads it.
"""

import sys

_BYTES = 64  # for 512 lines; a file has at most 400 (tests/architecture)
_ran: "dict[str, bytearray]" = {}


def _trace(frame, event, _value):  # type: ignore[no-untyped-def]  # MicroPython's frame has no type
    name = frame.f_code.co_filename
    if not name.startswith("device/"):
        return None
    lines = _ran.get(name)
    if lines is None:
        lines = _ran[name] = bytearray(_BYTES)
    at = frame.f_lineno
    lines[at >> 3] |= 1 << (at & 7)
    return _trace


def main() -> None:
    sys.settrace(_trace)
    import dual  # type: ignore[import-not-found]  # a frozen module of its own name

    dual.main()
    sys.settrace(None)
    for name in sorted(_ran):
        print("LINES", name, _ran[name].hex())
    print("lines: {} files".format(len(_ran)))
    dual.wait()


main()
