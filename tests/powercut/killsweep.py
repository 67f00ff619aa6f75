"""Stations killed with SIGKILL at every step boundary and at random moments; registry and units must stay complete.

    python -m tests.powercut.killsweep --kills 1000 --database both

The unit runs in this process (its flash survives the station); each station is a forked process with only the data on
disk. A boundary is a call that changes something: a request to the unit, a commit, the label's file. A random kill may
come at any instruction. After each kill another station finishes the unit, which is checked:

1. the unit is locked and passed once, under one identity, the one that it stores itself;
2. the label shows the code that the unit accepts and that the registry has as live; no other code of it is live;
3. at the end: no serial or device id occurs twice, every unit passed, chains and signatures are complete.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from device.codec import cbor
from device.codec.frame import FrameDecoder, encode_frame
from device.errors import LinkError
from device.owner.setup_code import verifier
from device.records import identity
from provisioning.keys.key_ring import KeyRing
from provisioning.registry.registry import Registry
from provisioning.registry.sealed import ServerPrivateKey
from provisioning.station import labels
from provisioning.station.link import SocketStream
from provisioning.station.station import Station, StationConfig, UnitRefusedError
from tests.patience import joined
from tests.postgres import Cluster, missing_reason
from tests.unit.provisioning.station.station_bench import PRODUCT, MemoryUnit

DONE: Final = 0
REFUSED: Final = 3
OPERATIONS: Final = ("open_batch", "document", "reserve", "complete", "record_pass", "add_phases")
FINISH_S: Final = 60
SERVER: Final = ServerPrivateKey.generate()  # the CoAP server's: units' OSCORE secrets are sealed to it
COUNT_NAME: Final = "boundaries"  # boundaries of an undisturbed run


@dataclass(frozen=True)
class Place:
    """The files of the stations of a sweep."""

    folder: Path
    registry: str
    keys: KeyRing

    def open(self) -> Registry:
        return Registry.create(self.registry, exist_ok=True, files=self.folder / "files")


class Doom:
    """Counts boundaries in a station's process and kills it at one of them: before or directly after the call."""

    def __init__(self, at: int | None) -> None:
        self._at = at
        self.count = 0

    def wrap(self, action: Callable[..., Any]) -> Callable[..., Any]:
        def doomed(*args: Any, **options: Any) -> Any:
            self._pass()
            result = action(*args, **options)
            self._pass()
            return result

        return doomed

    def _pass(self) -> None:
        self.count += 1
        if self.count == self._at:
            os.kill(os.getpid(), signal.SIGKILL)


def print_plainly(label: labels.Label, path: Path) -> bytes:
    """Print the label as the text of its QR code: a picture would take most of a run, and other tests draw it."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(label.qr_text)
    return b""


def run_station(place: Place, line: socket.socket, doom: Doom) -> int:
    """Run one station for one unit in a new process; return its exit code."""
    labels.print_label = doom.wrap(print_plainly)
    labels.read_back = lambda label, path: "plain"
    registry = place.open()
    for name in OPERATIONS:
        setattr(registry, name, doom.wrap(getattr(registry, name)))
    stream = SocketStream(line)
    stream.write = doom.wrap(stream.write)  # type: ignore[method-assign]
    config = StationConfig(
        product=PRODUCT,
        labels_dir=place.folder / "labels",
        oscore_key=SERVER.public,
        development=True,
        timeout_s=5.0,
    )
    try:
        Station(config, registry, place.keys).provision(stream)
    except UnitRefusedError:
        return REFUSED
    (place.folder / COUNT_NAME).write_text(str(doom.count))
    return DONE


def serve(unit: MemoryUnit, line: socket.socket) -> None:
    """Serve the unit's side of the line until the station's end closes."""
    decoder = FrameDecoder()
    with line:
        while True:
            try:
                data = line.recv(4096)
                if not data:
                    return
                for payload in decoder.feed(data):
                    line.sendall(encode_frame(unit.handle(payload)))
            except (OSError, LinkError):
                return


def attempt(place: Place, unit: MemoryUnit, at: int | None, delay_s: float | None) -> int | None:
    """Run one station on the unit, killed at boundary `at` or after `delay_s`. Return its exit code, None if killed."""
    ours, theirs = socket.socketpair()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            ours.close()
            code = run_station(place, theirs, Doom(at))
        except BaseException as error:  # the parent sees the exit code; the text is for a person
            sys.stderr.write(f"station: {type(error).__name__}: {error}\n")
        finally:
            os._exit(code)
    theirs.close()
    server = threading.Thread(target=serve, args=(unit, ours))
    server.start()
    if delay_s is not None:
        time.sleep(delay_s)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    joined(server, seconds=FINISH_S)
    return None if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)


def check(place: Place, unit: MemoryUnit, registry: Registry) -> list[str]:
    """Return the faults of a finished unit (rules 1, 2)."""
    known = registry.find(hardware_id=unit.hardware_id)
    if known is None or known.status != "passed" or not unit.is_locked():
        return [f"a unit is lost: {known.status if known else 'unknown'}, locked {unit.is_locked()}"]
    problems = []
    held = identity.decode(unit.store.require("identity"))
    if (held.device_id, held.serial) != (known.device_id, known.serial):
        problems.append(f"unit {known.serial} holds another identity")
    text = (place.folder / "labels" / f"{known.serial}.png").read_text()
    code = text.partition("#code=")[2].partition("&")[0]
    setup = cbor.decode(unit.store.require("setup"))
    if setup[2] != verifier(code, setup[1]) or not registry.is_live_code(known.id, code):
        problems.append(f"unit {known.serial} does not take the code of its label")
    if registry.codes_generated(known.id)[1] != 1:
        problems.append(f"unit {known.serial} has {registry.codes_generated(known.id)[1]} live codes")
    return problems


@dataclass
class Sweep:
    """Counts of a sweep. `wasted`: random kills that came when the station had finished already."""

    kills: int = 0
    units: int = 0
    wasted: int = 0
    boundaries: int = 0
    problems: tuple[str, ...] = ()


def sweep(place: Place, kills: int, seed: int, say: Callable[[str], None] = lambda text: None) -> Sweep:
    """Kill `kills` stations: each boundary once (or evenly among them), the rest at random; then check it all."""
    source, result, problems = random.Random(seed), Sweep(), []
    run_s = 0.0
    for _ in range(2):  # the first one creates the registry, the second is like all others
        started = time.monotonic()
        if attempt(place, MemoryUnit(), None, None) != DONE:
            return Sweep(problems=("a station that nobody disturbs does not finish",))
        run_s, result.units = time.monotonic() - started, result.units + 1
    passed = int((place.folder / COUNT_NAME).read_text())
    while result.kills < kills and not problems:
        unit = MemoryUnit()
        result.units += 1
        for _ in range(source.randint(1, 3)):  # some units lose several stations
            at, delay_s = None, None
            if result.kills % 2 == 0:
                result.boundaries += 1
                at = result.boundaries % passed + 1
            else:
                delay_s = source.random() * run_s
            code = attempt(place, unit, at, delay_s)
            result.kills += code is None
            result.wasted += code is not None
            if code is not None and code not in (DONE, REFUSED):
                problems.append(f"a station ended with {code}")
        last = attempt(place, unit, None, None)
        registry = place.open()
        if last not in (DONE, REFUSED):
            problems.append(f"the next station ended with {last}")
        problems += check(place, unit, registry)
        registry.close()
        if result.units % 50 == 0:
            say(f"  {result.kills} kills, {result.units} units")
    result.problems = (*problems, *check_all(place, result.units))
    return result


def check_all(place: Place, count: int) -> list[str]:
    """Return the faults of the whole registry (rule 3)."""
    registry = place.open()
    units, problems = registry.units(), []
    if not len(units) == len({u.serial for u in units}) == len({u.device_id for u in units}) == count:
        problems.append(f"{count} boards have {len(units)} units in the registry")
    if {unit.status for unit in units} != {"passed"}:
        problems.append("a unit is not released")
    if registry.verify().records != count:
        problems.append("a production record is missing")
    registry.close()
    return problems


@contextmanager
def places(database: str) -> Iterator[Place]:
    """Yield a new place on "sqlite" or "postgresql"."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keys = KeyRing.generate_development(folder / "keys")
        if database == "sqlite":
            yield Place(folder, str(folder / "files" / "registry.db"), keys)
            return
        with Cluster() as cluster:
            yield Place(folder, cluster.new_database(), keys)


def main() -> int:
    """Run a sweep. Return exit code 0 if there was no fault."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=1000, help="for each database")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    wanted = ("sqlite", "postgresql") if options.database == "both" else (options.database,)
    is_bad = False
    for database in wanted:
        if database == "postgresql" and (reason := missing_reason()):
            print(f"postgresql: NOT CHECKED: {reason}")
            is_bad = True
            continue
        with places(database) as place:
            found = sweep(place, options.kills, options.seed, print)
        is_bad = is_bad or bool(found.problems)
        print(
            f"{database}: {found.kills} kills, {found.units} units, {found.wasted} came too late;"
            f" {len(found.problems)} problems (seed {options.seed})"
        )
        for problem in found.problems:
            print(f"  {problem}")
    return int(is_bad)


if __name__ == "__main__":
    sys.exit(main())
