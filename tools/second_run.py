"""Run the few tests that failed beside others once more, each alone, and print which of them pass then.

    python tools/second_run.py FILE [pytest's arguments]    FILE: what `pytest --failed-to FILE` wrote

A test that fails, and passes alone, depends on what else the machine does. That is a fault of the test or of the
product, and it is printed as UNSTABLE, but it is not a verdict on the change that is tested. A test that fails again
fails the run. More than MOST failures are not tried again: so many have one cause, and it is not the machine.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

MOST: Final = 3  # tests


def read_names(file: Path) -> list[str]:
    """Return the node ids of the tests that failed, one a line in `file`: no names if there is no such file."""
    if not file.is_file():
        return []
    return [line for line in file.read_text(encoding="utf-8").splitlines() if line]


def run_alone(name: str, arguments: Sequence[str]) -> bool:
    """Return whether the test passes in a pytest of its own. A test that only skips has not passed."""
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider", *arguments, name]
    result = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, text=True, encoding="utf-8", errors="replace"
    )
    print(result.stdout, end="", flush=True)
    return result.returncode == 0 and " passed" in result.stdout.rstrip().rsplit("\n", 1)[-1]


def report(names: Sequence[str], passes: Callable[[str], bool]) -> int:
    """Try each of `names` with `passes`, print what came of it, and return the exit code: 0 if all pass alone."""
    if not names:
        print("the run failed, and not because of a test (see above)", file=sys.stderr)
        return 1
    if len(names) > MOST:
        print(f"{len(names)} tests failed: more than {MOST} are not tried again", file=sys.stderr)
        return 1
    print(f"\n== {len(names)} failed beside other tests: once more, each alone", flush=True)
    failed = [name for name in names if not passes(name)]
    for name in names:
        print(f"FAILED TWICE  {name}" if name in failed else f"UNSTABLE      {name}")
    if failed:
        return 1
    print(
        "Each failed beside other tests and passed alone. The run passes. Repair them: their failures stand above."
    )
    return 0


def main(arguments: Sequence[str]) -> int:
    """Return the exit code of the second run, of the command line's arguments."""
    file, *rest = arguments
    return report(read_names(Path(file)), lambda name: run_alone(name, rest))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
