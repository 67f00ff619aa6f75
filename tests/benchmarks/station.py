"""`make bench ARGS=--station`: the factory station's pace. Prints the figures and marks those that are not reached.

    python -m tests.benchmarks.station [--full] [--seconds 6] [--part registry|rendering|line ...]

Three parts: the registry compared with a bare commit loop of its database, labels and statements per second, and a line
of sixteen boards of fifteen seconds each for a minute (--full: ten). Times of one machine cannot be compared, so the
registry's figure is a ratio within one run, and the station's is processor time.
"""

from __future__ import annotations

import argparse
from typing import Final

from tests.benchmarks import floor, registry_pace, rendering

PARTS: Final = ("registry", "rendering", "line")


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen parts and print their figures. Return 0."""
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=--station",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--full", action="store_true", help="ten minutes of the line instead of one")
    parser.add_argument("--seconds", type=float, default=6.0, help="for each line of the registry's table")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part; may be repeated")
    options = parser.parse_args(arguments)
    parts = options.part or PARTS
    if "registry" in parts:
        registry_pace.report(options.seconds)
    if "rendering" in parts:
        rendering.report(options.seconds / 6)
    if "line" in parts:
        floor.report(is_full=options.full)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
