"""Times of the local pages on the emulated board: prints figures, asserts none.

    .venv/bin/python -m tests.benchmarks.pages            # --on sim for the simulator

The wall time of QEMU does not predict that of a chip: the emulator runs about a hundred million instructions a second,
the real board 25 million. It shows only which part takes the time.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from simulator.story.runner import wait_until
from simulator.story.running import ANSWERS_S, running_unit
from simulator.story.world import World

PASSWORD = "orange kettle under the bridge"
BEFORE = ("/", "/setup", "/style.css", "/public.json", "/contact", "/statement")
AFTER = ("/status", "/status.json", "/updates", "/support", "/password", "/reset", "/licences")
ROUNDS = 5
FAILURES: list[str] = []


def median_s(world: World, path: str) -> tuple[float, int]:
    """Return the median seconds of one request with its TLS handshake, and the bytes of the body."""
    taken, size = [], 0
    while len(taken) < ROUNDS:
        began = time.perf_counter()
        try:
            size = len(world.owner.request("GET", path).body)
        except OSError as error:  # printed, because a page that does not answer is a finding
            print(f"GET {path}: {type(error).__name__} after {time.perf_counter() - began:.1f} s")
            print("  console: " + " / ".join(world.machine.console.text.splitlines()[-4:]))
            FAILURES.append(path)
            if len(FAILURES) > ROUNDS:
                raise
            continue
        taken.append(time.perf_counter() - began)
    return statistics.median(taken), size


def first_page_s(world: World) -> float:
    world.machine.cut_power()
    began = time.perf_counter()
    world.machine.power_on()
    wait_until(
        "the first page", lambda: world.owner.request("GET", "/").status == 200 or None, ANSWERS_S, 0.02
    )
    return time.perf_counter() - began


def measure(on: str) -> None:
    with tempfile.TemporaryDirectory(prefix="firstboot-bench-") as folder:
        with running_unit(on, Path(folder), transports=("mqtt",)) as world:
            firsts = sorted(first_page_s(world) for _ in range(3))
            print(f"power-on to first page   {firsts[1]:.2f} s (median of 3)")
            for path in BEFORE:
                print("GET {:12} {:6.0f} ms {:6} bytes".format(path, *_milli(median_s(world, path))))
            began = time.perf_counter()
            assert world.owner.set_up(world.unit.setup_code, PASSWORD).status == 303
            print(f"set-up                   {time.perf_counter() - began:.2f} s")
            began = time.perf_counter()
            assert world.owner.sign_in(PASSWORD)
            print(f"sign-in                  {time.perf_counter() - began:.2f} s")
            for path in AFTER:
                print("GET {:12} {:6.0f} ms {:6} bytes".format(path, *_milli(median_s(world, path))))
            memory = world.owner.status()["memory"]
            for name in sorted(memory):
                print(f"{name:24} {memory[name]}")


def _milli(found: tuple[float, int]) -> tuple[float, int]:
    return found[0] * 1000, found[1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--on", choices=("qemu", "sim"), default="qemu")
    measure(parser.parse_args().on)
