"""The tests' own PostgreSQL cluster: in a new folder, on a Unix socket there, deleted afterwards.

No TCP port is opened and the package's own cluster is not touched. initdb refuses root, so as root everything runs
as the package's user postgres.
"""

from __future__ import annotations

import getpass
import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final

USER: Final = "postgres"
MEMORY: Final = Path("/dev/shm")
START_S: Final = "900"  # an idle machine needs one second


def binaries() -> Path | None:
    """The folder of the newest installed server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def missing_reason() -> str | None:
    """Return why this machine cannot run a cluster, None if it can."""
    if binaries() is None:
        return "PostgreSQL is not installed (Debian package postgresql)"
    if os.geteuid() == 0 and shutil.which("runuser") is None:
        return "runuser is missing: PostgreSQL does not run as root"
    return None


class Cluster:
    """One server with any number of databases. Use as a context manager."""

    def __init__(self, *, is_on_disk: bool = False) -> None:
        """`is_on_disk`: for benchmarks; tests keep it in memory, where syncs take no time."""
        found = binaries()
        if found is None:
            raise RuntimeError("PostgreSQL is not installed")
        self._binaries = found
        self._numbers = itertools.count(1)
        self.folder = Path(
            tempfile.mkdtemp(
                prefix="firstboot-pg-", dir=None if is_on_disk or not MEMORY.is_dir() else MEMORY
            )
        )
        self.data = self.folder / "data"
        self._user = USER if os.geteuid() == 0 else getpass.getuser()

    def __enter__(self) -> Cluster:
        try:
            if os.geteuid() == 0:
                shutil.chown(self.folder, USER)
            self.folder.chmod(0o755)
            self._run(
                "initdb", "-D", str(self.data), "-A", "trust", "-U", USER, "-E", "UTF8", "--no-instructions"
            )
            self.start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start the server and wait for it. Durability stays on, as by default."""
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c max_connections=60"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.data), "-o", options, "-l", log, "-t", START_S, "-w", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; mode "immediate" is its crash."""
        self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-t", START_S, "-w", "stop")

    def new_database(self) -> str:
        """Return the address of a new, empty database."""
        name = f"t{next(self._numbers)}"
        self._run("createdb", "-h", str(self.folder), "-U", USER, name)
        return f"postgresql://{USER}@/{name}?host={self.folder}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", self._user, "--", *command]
        # pg_ctl's server would keep a pipe open permanently, so output goes to a file.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                command, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
            )
            if done.returncode:
                output.seek(0)
                raise RuntimeError(f"{program} failed: {output.read().decode(errors='replace')[-500:]}")
