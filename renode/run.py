"""`python -m renode.run`: run the Robot scenarios under Renode, on QEMU or in the simulator.

The keywords start the emulator themselves, so this Python's Robot Framework runs the suites. `renode-test` runs the
same files with its own Robot Framework (suites/keywords.py).
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from renode import install
from renode.renode import REMEDY

SUITES: Final = Path(__file__).parent / "suites"
NOT_INSTALLED: Final = os.EX_TEMPFAIL  # 75: nothing was run, so this is neither success nor a failed scenario


def robot_command(emulator: str, output: Path, arguments: Sequence[str]) -> list[str]:
    """Return the command that runs every suite on `emulator`; reports go to the folder `output`."""
    options = ["--outputdir", str(output), "--xunit", "junit.xml", "--variable", f"EMULATOR:{emulator}"]
    if emulator == "sim":
        options += ["--exclude", "story", "--exclude", "board"]  # they need an emulated board
    return [sys.executable, "-m", "robot", *options, *arguments, str(SUITES)]


def main(arguments: Sequence[str]) -> int:
    """Run the suites and return the exit code of Robot, NOT_INSTALLED if Renode is not installed."""
    parser = argparse.ArgumentParser(prog="python -m renode.run", description=__doc__)
    parser.add_argument("--on", choices=("renode", "qemu", "sim"), default="renode", help="where (renode)")
    parser.add_argument(
        "--output", type=Path, help="folder for the reports of Robot Framework and junit.xml; kept"
    )
    known, rest = parser.parse_known_args(arguments)
    if known.on == "renode" and install.find() is None:
        sys.stderr.write(f"Renode is not installed, so no scenario was run. To run them, {REMEDY}.\n")
        return NOT_INSTALLED
    if importlib.util.find_spec("robot") is None:
        sys.stderr.write(
            f"No scenario was run: `{sys.executable} -m pip install robotframework` is missing.\n"
        )
        return NOT_INSTALLED
    output = known.output or Path(tempfile.mkdtemp(prefix="firstboot-robot-"))
    sys.stdout.write(f"reports: {output}\n")
    sys.stdout.flush()
    return subprocess.run(robot_command(known.on, output, rest), check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
