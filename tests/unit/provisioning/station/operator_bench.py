"""The operator's page over a line of boards in memory, served on a free port of loopback."""

from __future__ import annotations

import http.client
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import uvicorn

from device.errors import LinkError
from provisioning.station.line import Line, Timing
from provisioning.station.link import HandlerStream
from provisioning.station.ports import CallPort, fixed
from provisioning.station.web.app import make_app
from provisioning.station.web.floor import Floor
from provisioning.station.web.hosts import hosts_of
from provisioning.station.web.listener import listen
from provisioning.station.web.login import Login, set_password
from tests import patience
from tests.unit.provisioning.station.station_bench import PRODUCT, Bench, MemoryUnit

PASSWORD = "the password of station 4"
QUICK = Timing(poll_s=0.02, probe_s=0.5, misses=2)


class Stream(HandlerStream):
    """A board's line that can be closed."""

    def close(self) -> None:
        """Nothing is held."""


class OperatorBench:
    """Places for boards, a line over them, the page in its own thread. `close` ends all of them."""

    def __init__(self, directory: Path, places: int = 3, *, start_on_scan: bool = False) -> None:
        self.bench = Bench(directory)
        self.units: dict[str, MemoryUnit | None] = {f"port {number}": None for number in range(1, places + 1)}
        station = self.bench.station(timeout_s=5.0)
        ports = [CallPort(name, lambda name=name: self._stream(name)) for name in self.units]  # type: ignore[misc]
        self.floor = Floor(
            self.bench.registry, directory / "labels", f"{PRODUCT.brand} {PRODUCT.model}", PRODUCT.batch
        )
        self.line = Line(
            station, fixed(ports), start_on_scan=start_on_scan, listener=self.floor.report, timing=QUICK
        )
        self.floor.attach(self.line)
        set_password(directory / "login", PASSWORD)
        self.login = Login.load(directory / "login")
        app = make_app(self.floor, self.login, hosts_of("127.0.0.1"))
        config = uvicorn.Config(
            app, loop="asyncio", log_level="error", timeout_graceful_shutdown=1, access_log=False
        )
        self._server = uvicorn.Server(config)
        self.listener = listen("127.0.0.1", 0)
        self.port = self.listener.getsockname()[1]
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self.listener]})
        self._thread.start()
        until(lambda: self._server.started)
        self.address = f"http://127.0.0.1:{self.port}"

    def _stream(self, name: str) -> Stream:
        unit = self.units[name]
        if unit is None:
            raise LinkError(reason="no board")
        return Stream(unit.handle)

    def state(self, name: str) -> str:
        return next((str(view.state) for view in self.line.views() if view.name == name), "")

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self.line.stop()
        self.bench.registry.close()


class Browser:
    """Requests as a browser sends them, with one cookie; redirects are not followed."""

    def __init__(self, bench: OperatorBench) -> None:
        self.bench = bench
        self.cookie = ""

    def ask(
        self, method: str, path: str, form: dict[str, str] | None = None, **headers: str
    ) -> tuple[int, dict[str, str], str]:
        """Send a request; return (status, headers in lower case, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.bench.port, timeout=600)
        sent: dict[str, str] = {"Cookie": self.cookie} if self.cookie else {}
        body: Any = None
        if form is not None:
            body = urlencode(form)
            sent |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.bench.address}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            got = {name.lower(): value for name, value in answer.getheaders()}
            for cookie in answer.headers.get_all("Set-Cookie") or ():
                if cookie.startswith("station="):
                    self.cookie, got["set-cookie"] = cookie.partition(";")[0], cookie
            return answer.status, got, answer.read().decode("latin-1")
        finally:
            connection.close()

    def get(self, path: str) -> str:
        return self.ask("GET", path)[2]

    def post(self, path: str, **form: str) -> int:
        return self.ask("POST", path, form)[0]

    def sign_in(self) -> Browser:
        assert self.post("/login", password=PASSWORD) == 303
        return self


def until(condition: Any) -> None:
    """Wait for another thread. The limit only ends a test that hangs."""
    patience.until("what another thread does", condition, 240)
