"""Row 9: power cuts a second and their findings, by `firstboot powercut` in the simulator and on the emulated board.

These are the only figures in wall time of the machine. The complete campaign is `make powercut`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests import patience

HARM: Final = ("bricked", "open", "mixed", "lost", "nonce_reuse")
SIM: Final = ("--stride", "7")
BOARD: Final = ("--on", "qemu", "--sample", "20")
TIMEOUT_S: Final = 300


class NotMeasuredError(Exception):
    """A figure could not be measured; the text is the reason."""


def figures(work: Path, name: str, arguments: tuple[str, ...]) -> dict[str, float]:
    """Return `NAME` (cuts a second) and `NAME.harm` of one run of the command. Raises NotMeasuredError."""
    command = [sys.executable, "-m", "provisioning.cli.main", "powercut", "run", "--json", *arguments]
    try:
        done = patience.run(command, TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise NotMeasuredError(
            f"firstboot powercut {' '.join(arguments)}: not ended after {TIMEOUT_S} s"
        ) from None
    if not done.stdout.startswith("{"):
        last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        raise NotMeasuredError(f"firstboot powercut {' '.join(arguments)}: {last}")
    found = json.loads(done.stdout)
    return {name: found["cuts_per_s"], f"{name}.harm": sum(found[kind] for kind in HARM)}
