"""Processes, as /proc shows them: the members of a process group, and the ports at which a process listens."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from provisioning import fair_time

_ENDED_S = 30.0
_LISTENING = "0A"  # proc_net_tcp(5)


def group_members(group: int) -> list[int]:
    """Return the running processes of a group, without those that have ended and wait to be read."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, number = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue  # it ended meanwhile
        if int(number) == group and state not in "ZX":
            found.append(int(folder.name))
    return sorted(found)


def require_ended(group: int) -> None:
    """Wait until no process of the group runs: the kernel ends a killed process later than it takes the signal."""
    end_s = fair_time.now() + _ENDED_S
    while group_members(group):
        assert fair_time.now() < end_s, f"processes of group {group} go on: {group_members(group)}"
        time.sleep(0.02)


def listening_ports(process: int) -> list[int]:
    """Return the TCP ports at which the process listens, on any address."""
    sockets = set()
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        try:
            sockets.update(re.findall(r"socket:\[(\d+)\]", os.readlink(descriptor)))
        except OSError:
            continue  # it was closed meanwhile
    ports = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == _LISTENING and columns[9] in sockets:
                ports.append(int(columns[1].rpartition(":")[2], 16))
    return sorted(ports)
