"""`python -m renode.run`: run the board's Robot scenarios under Renode.

The keywords start Renode themselves, so the suite runs with the Robot Framework of this environment. `renode-test` is
not used: it brings its own Python, which does not have this project.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from renode.renode import PROGRAM, REMEDY

SUITES: Final = Path(__file__).parent / "suites"
NOT_INSTALLED: Final = os.EX_TEMPFAIL  # 75: nothing was run, so this is neither success nor a failed scenario


def robot_command(emulator: str, output: Path, arguments: Sequence[str]) -> list[str]:
    """Return the command that runs every suite on `emulator`; reports go to the folder `output`."""
    options = ["--outputdir", str(output), "--variable", f"EMULATOR:{emulator}"]
    return [sys.executable, "-m", "robot", *options, *arguments, str(SUITES)]


def main(arguments: Sequence[str]) -> int:
    """Run the suites and return the exit code of Robot, NOT_INSTALLED if Renode is not on PATH."""
    parser = argparse.ArgumentParser(prog="python -m renode.run", description=__doc__)
    parser.add_argument("--on", choices=("renode", "qemu"), default="renode", help="which emulator (renode)")
    parser.add_argument("--output", type=Path, help="folder for Robot's reports; kept")
    known, rest = parser.parse_known_args(arguments)
    if known.on == "renode" and shutil.which(PROGRAM) is None:
        sys.stderr.write(f"Renode is not installed, so no scenario was run. To run them, {REMEDY}.\n")
        return NOT_INSTALLED
    output = known.output or Path(tempfile.mkdtemp(prefix="firstboot-robot-"))
    sys.stdout.write(f"Robot's reports: {output}\n")
    sys.stdout.flush()
    return subprocess.run(robot_command(known.on, output, rest), check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
