"""`python -m renode.run`: the board's scenarios under Renode, or a loud skip where Renode is not installed.

The suite is a plain Robot suite whose keywords start Renode themselves. It runs with the Robot Framework of this
environment, because renode-test brings a Python of its own that does not know this project; an installed
renode-test still says that Renode is complete, so both are asked for.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from renode.renode import REMEDY

SUITES: Final = Path(__file__).parent / "suites"
PROGRAMS: Final = ("renode", "renode-test")


def robot_command(back: str, output: Path, arguments: Sequence[str]) -> list[str]:
    """The command that runs every suite on `back`; reports go to `output`."""
    options = ["--outputdir", str(output), "--variable", f"BACK:{back}"]
    return [sys.executable, "-m", "robot", *options, *arguments, str(SUITES)]


def main(arguments: Sequence[str]) -> int:
    """Exit code of Robot; 0 with a message where Renode is not installed."""
    parser = argparse.ArgumentParser(prog="python -m renode.run", description=__doc__)
    parser.add_argument("--on", choices=("renode", "qemu"), default="renode", help="which emulator (renode)")
    parser.add_argument("--output", type=Path, help="folder for Robot's reports; kept")
    known, rest = parser.parse_known_args(arguments)
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if known.on == "renode" and missing:
        sys.stdout.write(f"SKIPPED: {', '.join(missing)} not on PATH, nothing was run under Renode.\n")
        sys.stdout.write(f"To run it: {REMEDY}.\n")
        return 0
    output = known.output or Path(tempfile.mkdtemp(prefix="firstboot-robot-"))
    sys.stdout.write(f"Robot's reports: {output}\n")
    sys.stdout.flush()
    return subprocess.run(robot_command(known.on, output, rest), check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
