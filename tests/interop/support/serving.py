"""A maker's folder with everything that `firstboot serve` needs, and the command as a real process."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any

from provisioning.keys.pem import private_pem, write_private
from provisioning.product.example import EXAMPLE
from provisioning.servers.broker import BrokerSetup
from provisioning.servers.oscore_store import OscoreStore
from tests.interop.support.maker import CLASS_ID, SERVER_NAME, Maker, Unit
from tests.patience import ended, next_of, until

ROOT = Path(__file__).resolve().parents[3]
ANSWERS_S = 600  # of a socket, which cannot be looked at meanwhile; an idle machine needs milliseconds


class MakersFolder:
    """Keys, certificates, product definition and settings file of one maker, in `folder`."""

    def __init__(self, folder: Path, maker: Maker) -> None:
        self.folder, self.maker = folder, maker
        folder.mkdir(parents=True, exist_ok=True)
        text = EXAMPLE.replace("1492af14-2569-5e48-bf42-9b2d51f2ab45", str(uuid.UUID(bytes=CLASS_ID)))
        (folder / "product.toml").write_text(text)
        write_private(folder / "tracker.pem", private_pem(maker.tracker_signer._key))
        (folder / "server-ca.crt").write_bytes(maker.server_ca.certificate_pem)
        maker.device_ca.issue_client("tracker").save(folder, "tracker")
        maker.device_ca.issue_client("publisher").save(folder, "publisher")
        self.store, self.oscore = folder / "published", OscoreStore(folder / "oscore")

    def unit(self) -> Unit:
        """A unit with access over CoAP."""
        unit = self.maker.unit()
        self.oscore.add(unit.device_id, unit.secret, unit.salt)
        return unit

    def broker_setup(self, port: int | None = None) -> BrokerSetup:
        clients = self.maker.device_ca.certificate_pem
        return BrokerSetup(self.folder / "broker", self.maker.server, clients, (CLASS_ID,), port)

    def settings(self, mqtt_port: int, coap_port: int = 0, **changes: Any) -> Path:
        """Write firstboot.toml with a table [serve]."""
        values: dict[str, Any] = {
            "product": ["product.toml"], "store": "published", "state": "state", "signer": "tracker.pem",
            "health": "127.0.0.1:0", "trust-clock": True,
        }  # fmt: skip
        values |= {
            "mqtt": f"127.0.0.1:{mqtt_port}", "ca": "server-ca.crt", "cert": "tracker.crt", "key": "tracker.key",
            "name": SERVER_NAME, "oscore": "oscore", "udp": f"127.0.0.1:{coap_port}",
        }  # fmt: skip
        lines = ["[serve]", *(f"{name} = {json.dumps(value)}" for name, value in (values | changes).items())]
        path = self.folder / "firstboot.toml"
        path.write_text("\n".join(lines) + "\n")
        return path


class Serving:
    """`firstboot serve COMMAND` with a settings file. Use as a context manager; it is killed at the end."""

    def __init__(self, command: str, config: Path, *options: str, **environment: str) -> None:
        self.stderr_path = config.with_name(f"{command}-{uuid.uuid4().hex[:8]}.log")
        self._log = self.stderr_path.open("wb")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "provisioning.cli.main", "serve", command),
                *("--config", str(config), "--json", "--log-json", *options),
            ],
            cwd=config.parent,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        self.seen: list[dict[str, Any]] = []
        self._lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def __enter__(self) -> Serving:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._log.close()

    def event(self, name: str) -> dict[str, Any]:
        """The next event of this name on standard output; those before it are skipped."""
        while True:
            try:
                found: dict[str, Any] = json.loads(next_of(self._lines))
            except queue.Empty:
                raise AssertionError(f"no event {name!r}; {self.seen}\n{self.log()}") from None
            self.seen.append(found)
            if found["event"] == name:
                return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Return the exit code of the command once it has ended."""
        return ended(self.process)

    def log(self) -> str:
        return self.stderr_path.read_text()

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of the health endpoint, whose address the event `listening` named."""
        address = next(one["health"] for one in self.seen if "health" in one)
        try:
            with urllib.request.urlopen(address + path, timeout=ANSWERS_S) as answer:  # noqa: S310 - http on loopback
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self) -> dict[str, float]:
        """The samples of /metrics by name and labels."""
        lines = [line for line in self.get("/metrics")[1].splitlines() if line and line[0] != "#"]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def wait_for(self, what: str, probe: Any) -> Any:
        """Return the first true result of `probe()`."""
        return until(what, probe, log=self.log)
