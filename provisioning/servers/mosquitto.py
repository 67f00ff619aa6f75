"""Debian's mosquitto as a child process: TLS with client certificates, rights by certificate name.

Rules:
1. It listens on loopback only, with its own configuration, no anonymous users and no passwords (PW-17).
2. If root starts it, mosquitto changes to its own user before it reads the key. So it runs from a private directory
   that belongs to that user (mode 0700), and nothing in the caller's directory changes owner.
3. Retained messages outlive the broker. mosquitto saves them after SAVED_AFTER_CHANGES changes, so that messages that a
   publisher reported as published survive a kill. stop() copies them into `directory`. If this process was killed
   before that, the next start() finds them with the file RUN_FILE, and ends the mosquitto that is still running.
4. The child is stopped by its pid, at the latest when the interpreter ends.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from provisioning import fair_time
from provisioning.keys.pem import write_private
from provisioning.servers.access import mosquitto_acl
from provisioning.servers.broker import (
    BrokerSetup,
    free_port,
    is_port_free,
    replace_file,
)
from provisioning.servers.errors import PortBusyError, ServerError, ServerMissingError
from provisioning.servers.mosquitto_config import CONFIGURATION, BrokerFiles, configuration_text
from provisioning.servers.service import Service

START_TIMEOUT_S: Final = 10.0
STOP_TIMEOUT_S: Final = 5.0
PORT_ATTEMPTS: Final = 5
RUNTIME_PREFIX: Final = "fb-mqtt-"
STATE_FILE: Final = "mosquitto.db"
RUN_FILE: Final = "mosquitto.run"  # pid and private directory of the running broker, one on each line


def find_mosquitto() -> Path | None:
    """Return the mosquitto program: on PATH or in /usr/sbin."""
    found = shutil.which("mosquitto", path=os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/sbin")
    return Path(found) if found else None


class MosquittoBroker(Service):
    """A `Broker` on mosquitto. Use it as a context manager, or with start() and stop()."""

    def __init__(self, setup: BrokerSetup) -> None:
        self._setup = setup
        self._units = setup.units
        self._process: subprocess.Popen[bytes] | None = None
        self._runtime: Path | None = None
        self.host = setup.host
        self.port = setup.port or 0
        self.log_path = setup.directory / "mosquitto.log"

    def start(self) -> None:
        """Start and wait until it listens. Raises ServerMissingError, PortBusyError, ServerError."""
        if self._process is not None:
            raise ServerError("this broker is running")
        program = find_mosquitto()
        if program is None:
            raise ServerMissingError("mosquitto is not installed (Debian package mosquitto)")
        self._setup.directory.mkdir(parents=True, exist_ok=True)
        self._recover()
        atexit.register(self.stop)
        for _ in range(PORT_ATTEMPTS if self._setup.port is None else 1):
            self.port = self._setup.port or self.port or free_port(self.host)
            if is_port_free(self.host, self.port) and self._run(program):
                return
            self.stop()
            busy, self.port = self.port, 0
        raise PortBusyError(f"port {busy} of {self.host} is in use")

    def stop(self) -> None:
        """Stop the child and keep its retained messages."""
        atexit.unregister(self.stop)
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        runtime, self._runtime = self._runtime, None
        if runtime is not None:
            self._keep_state(runtime)

    def _keep_state(self, runtime: Path) -> None:
        replace_file(runtime / STATE_FILE, self._setup.directory / STATE_FILE)
        shutil.rmtree(runtime, ignore_errors=True)
        (self._setup.directory / RUN_FILE).unlink(missing_ok=True)

    def _recover(self) -> None:
        """Take over the messages of a killed process, and end its broker (rule 3)."""
        try:
            pid_text, path = (self._setup.directory / RUN_FILE).read_text().splitlines()
            pid, runtime = int(pid_text), Path(path)
        except (FileNotFoundError, ValueError):
            return
        if _runs_from(pid, runtime):
            os.kill(pid, signal.SIGTERM)
            deadline = fair_time.now() + STOP_TIMEOUT_S
            while _runs_from(pid, runtime):
                if fair_time.now() > deadline:
                    raise ServerError(
                        f"the broker with the process id {pid} was left behind and does not end"
                    )
                time.sleep(0.01)
        if runtime.name.startswith(RUNTIME_PREFIX) and runtime.is_dir():
            self._keep_state(runtime)

    def _run(self, program: Path) -> bool:
        """Start the child. Returns whether it listens; False if another process took the port meanwhile."""
        self._runtime = runtime = self._prepare()
        with self.log_path.open("ab") as log:
            log_start = log.tell()
            self._process = subprocess.Popen(
                [str(program), "-c", str(runtime / "mosquitto.conf")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C goes to the caller only; stop() ends the broker
            )
        (self._setup.directory / RUN_FILE).write_text(f"{self._process.pid}\n{runtime}\n")
        deadline = fair_time.now() + START_TIMEOUT_S
        while fair_time.now() < deadline:
            text = self._log_since(log_start)
            if " running" in text:
                return True
            if self._process.poll() is not None:
                if "Address already in use" in text:
                    return False
                raise self._failed(f"mosquitto ended with status {self._process.returncode}: {text.strip()}")
            time.sleep(0.01)
        raise self._failed("mosquitto did not listen in time")

    def _failed(self, text: str) -> ServerError:
        self.stop()
        return ServerError(f"{text} (log: {self.log_path})")

    def _log_since(self, offset: int) -> str:
        with self.log_path.open("rb") as log:
            log.seek(offset)
            return log.read().decode(errors="replace")

    def serve_units(self, device_ids: Iterable[bytes]) -> None:
        """Serve these units only. A running broker reads its rights again and applies them to open connections too."""
        self._units = tuple(device_ids)
        if self._process is None or self._runtime is None:
            return
        self._write_rights(self._runtime)
        _give_away(self._runtime)
        with self.log_path.open("rb") as log:
            begin = log.seek(0, os.SEEK_END)
        self._process.send_signal(signal.SIGHUP)  # mosquitto(8): reload the configuration, rights among it
        deadline = fair_time.now() + START_TIMEOUT_S
        while "Reloading config" not in self._log_since(begin):
            if fair_time.now() > deadline or self._process.poll() is not None:
                raise ServerError(f"mosquitto did not reload its access rights (log: {self.log_path})")
            time.sleep(0.01)

    def _write_rights(self, runtime: Path) -> None:
        draft = runtime / "acl.new"
        draft.write_text(mosquitto_acl(self._setup.class_ids, self._units, self._setup.services))
        os.chmod(draft, 0o600)
        draft.replace(runtime / "acl")

    def _prepare(self) -> Path:
        """Return a private directory with everything that mosquitto reads, owned by the user it runs as."""
        runtime = Path(tempfile.mkdtemp(prefix=RUNTIME_PREFIX))
        setup = self._setup
        files = BrokerFiles(
            runtime / "clients.crt", runtime / "server.crt", runtime / "server.key", runtime / "acl", runtime
        )
        files.clients.write_bytes(setup.client_ca_pem)
        files.certificate.write_bytes(setup.server.certificate_pem)
        write_private(files.key, setup.server.private_key_pem)
        self._write_rights(runtime)
        (runtime / "mosquitto.conf").write_text(
            configuration_text(files, self.host, self.port, CONFIGURATION)
        )
        replace_file(setup.directory / STATE_FILE, runtime / STATE_FILE)
        _give_away(runtime)
        return runtime


def _runs_from(pid: int, runtime: Path) -> bool:
    """Return whether `pid` is still the broker that reads its configuration from `runtime`."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return os.fsencode(runtime / "mosquitto.conf") in command.split(b"\0")


def _give_away(runtime: Path) -> None:
    """Let mosquitto's own user read and write `runtime`, if this process runs as root."""
    if os.geteuid() != 0:
        return
    import pwd

    try:
        user = pwd.getpwnam("mosquitto")
    except KeyError:  # then mosquitto falls back to nobody
        user = pwd.getpwnam("nobody")
    for path in (runtime, *runtime.iterdir()):
        os.chown(path, user.pw_uid, user.pw_gid)
