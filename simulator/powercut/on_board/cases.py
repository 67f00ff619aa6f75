"""One power cut on the emulated board: cut, read the NVM file, start from it, compare and try the doors."""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass
from typing import Final

from device.errors import FirstbootError
from device.owner import lifecycle
from device.records.store import DEVICE, USER, Store
from provisioning.station.station import UnitFailedError
from renode.errors import ConsoleTimeoutError, MachineError
from renode.machine import CUTS, CutOrder
from simulator import boot as boot_rom
from simulator.ports.flash import SimFlash
from simulator.powercut import checks
from simulator.powercut.checks import Findings
from simulator.powercut.on_board.bench import PATIENCE_S, BoardBench
from simulator.powercut.on_board.flows import FLOWS, BoardFlow, Outside, forget_station, provision, sign_in
from simulator.story.runner import StepFailed

DOOR_RECORDS: Final = {
    DEVICE: ("identity", "setup", "owned", "press", "web.key", "web.crt"),
    USER: ("credential", "attempts"),
}
JOIN_S: Final = 0.5  # time to read an answer that arrived before the power was cut
CUT_LINE: Final = r"^nvm: power cut (\w+) operation (\d+): (.*)\n"
ROM_LINE: Final = r"^rom: (?:slot (\d) (trial|confirmed), image (\d+)\.|no valid image)"
STATE_LINE: Final = r"^firstboot (\S+) on \w+: (.*)\n"
WRONG_CODES: Final = (200, 303)  # answers that a stranger's form must not get
# Errors that a script may raise when the power is cut. Any other error is a bug of the script.
_GONE = (OSError, PermissionError, StepFailed, MachineError, UnitFailedError, FirstbootError)


def order_of(seed: int) -> CutOrder:
    """Return the cut that `seed` (0 or greater) names: operation seed // 3 + 1, and before, torn or after it."""
    return CutOrder(seed // len(CUTS) + 1, CUTS[seed % len(CUTS)], seed)


@dataclass(frozen=True)
class CaseResult:
    """The result of one case. `was_reached` False: the flow ended before the operation."""

    was_reached: bool
    cut: str
    found: Findings


def count_operations(bench: BoardBench, name: str) -> int:
    """Run the flow without a cut and return its number of operations. Raises every error of its script."""
    flow = FLOWS[name]
    outside = _begin(bench, flow)
    machine = bench.world.machine
    machine.console.skip()
    machine.power_on(button_held=flow.is_button_held)
    try:
        flow.script(outside)
        return bench.operations
    finally:
        machine.cut_power()


def run_case(bench: BoardBench, name: str, seed: int) -> CaseResult:
    """Cut the flow as `seed` specifies and check the unit."""
    flow, order = FLOWS[name], order_of(seed)
    outside = _begin(bench, flow)
    machine = bench.world.machine
    # Every start of the case has the same power-on seed, so only the stored state keeps random values unique.
    power_on_seed = hashlib.sha256(f"{name} {seed}".encode()).digest()
    asked = len(bench.requests)
    machine.console.skip()
    begin = len(
        machine.console.text
    )  # before power-on: on a busy machine the cut may come before the next line
    machine.power_on(button_held=flow.is_button_held, fixed_seed=power_on_seed, cut=order)
    cut = f"--on qemu --flow {name} --seed {seed} ({order.when} operation {order.operation}"
    found = Findings()
    try:
        what, script = _drive(outside, flow, begin)
    except Exception as error:  # the flow failed before the cut
        found.add(checks.BRICKED, f"{type(error).__name__}: {error}")
        return CaseResult(True, cut + ")", found)
    if what is None:
        return CaseResult(False, cut + ", which it does not reach)", found)
    flash = bench.nvm()
    found.merge(checks.check_at_rest(flash, outside), "at rest")
    begin = len(machine.console.text)
    machine.power_on(fixed_seed=power_on_seed)
    try:
        script.join(PATIENCE_S)  # the new start ends requests that still wait for an answer
        if script.is_alive():
            raise StepFailed("the flow's script to end after the cut", "it still runs")
        _look(Outside(bench, outside.known), flow, flash, begin, found)
    except (ConsoleTimeoutError, StepFailed, UnitFailedError, OSError, FirstbootError) as error:
        found.add(checks.BRICKED, f"{type(error).__name__}: {error}")
    finally:
        machine.cut_power()
    requests = bench.requests[asked:]
    if len(set(requests)) != len(requests):
        found.add(checks.NONCE_REUSE, "a freshness nonce was used twice")
    return CaseResult(True, f"{cut}, {what})", found)


def _begin(bench: BoardBench, flow: BoardFlow) -> Outside:
    bench.publish(**flow.published)
    forget_station(bench)
    bench.put(flow.begins_at)
    bench.world.owner.sign_out()
    return Outside(bench, dict.fromkeys(flow.facts, True))


def _drive(outside: Outside, flow: BoardFlow, start: int) -> tuple[str | None, threading.Thread]:
    """Run the script until the unit prints that it cut its power. Returns the operation, None if the script ended.

    `start` is where the console's text of this power-on begins. The script's thread may still wait for an answer that
    can no longer arrive. Raises the script's error.
    """
    failure: list[BaseException] = []

    def run() -> None:
        try:
            flow.script(outside)
        except _GONE as error:
            if not outside.is_over:
                failure.append(error)
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="flow", daemon=True)
    machine = outside.bench.world.machine
    thread.start()
    found, is_alive = None, True
    while found is None and is_alive:
        thread.join(0.02)
        is_alive = thread.is_alive()  # first, so that everything printed before the end is in the text
        found = re.search(CUT_LINE, machine.console.text[start:], re.MULTILINE)
    outside.is_over = True
    machine.cut_power()
    thread.join(JOIN_S)
    if found is None and failure:
        raise failure[0]
    return found.group(3) if found is not None else None, thread


# checks after the cut ---------------------------------------------------------------------------------
def _look(outside: Outside, flow: BoardFlow, flash: SimFlash, begin: int, found: Findings) -> None:
    state = _compare_start(outside, flash, begin, found)
    if state == lifecycle.UNPROVISIONED:
        provision(outside)  # the station tries again
        _line(outside.bench, r"^firstboot \S+ on \w+: factory default\n", begin)
    elif state in (lifecycle.FACTORY_DEFAULT, lifecycle.INITIALISED) and flow.name != "provision":
        # Only the station of flow provision knows the certificate of its unit, so the doors of that flow are not tried.
        outside.wait_for_pages()
        rests_on = _doors_rest_on(outside, flash, state)
        if rests_on not in outside.bench.tried:
            _try_doors(outside, state, found)
            outside.bench.tried.add(rests_on)


def _line(bench: BoardBench, pattern: str, start: int) -> re.Match[str]:
    """Wait for the first match in the console's text from `start` on, without moving its cursor."""
    console = bench.world.machine.console
    return bench.until(pattern, lambda: re.search(pattern, console.text[start:], re.MULTILINE))


def _compare_start(outside: Outside, flash: SimFlash, begin: int, found: Findings) -> str:
    """Compare the output of boot ROM and agent with what the simulator reads from the same flash. Returns the state."""
    bench = outside.bench
    twin = SimFlash(flash.layout)
    twin.restore(flash.snapshot())
    facts = checks.facts_of(twin)
    # The start finishes an interrupted reset; otherwise a start does not change the state.
    expected = lifecycle.FACTORY_DEFAULT if facts.is_resetting else lifecycle.derive(facts)
    handover = boot_rom.start(twin, twin.layout, bench.key_hashes, lambda _: None)
    rom = _line(bench, ROM_LINE, begin)
    if handover is not None:
        kind = "trial" if handover.is_trial else "confirmed"
        wanted = (str(handover.slot), kind, str(handover.info.version[0]))
        if rom.groups() != wanted:
            found.add(
                checks.MIXED, f"the boot ROM starts {rom.groups()}; by the flash it should start {wanted}"
            )
    state = _line(bench, STATE_LINE, begin).group(2)
    if state != expected:
        found.add(checks.OPEN, f"the unit reports {state!r}; by the flash it is {expected!r}")
    return str(state)


def _doors_rest_on(outside: Outside, flash: SimFlash, state: str) -> bytes:
    """Return a digest of everything that decides who gets access, so that equal units are tried only once."""
    total = hashlib.sha256(repr((state, outside.passwords, "reset" in outside.known)).encode())
    for region, names in DOOR_RECORDS.items():
        try:
            store = Store(checks.Mounts(flash).mount(region), region)
            held = [(name, store.read(name)) for name in names]
        except FirstbootError as error:
            held = [(error.describe(), None)]
        total.update(repr(held).encode())
    return total.digest()


def _try_doors(outside: Outside, state: str, found: Findings) -> None:
    world = outside.bench.world
    owner = world.owner
    if owner.request("GET", "/status.json").status == 200:
        found.add(checks.OPEN, "the status page answers without a session")
    if state == lifecycle.FACTORY_DEFAULT:
        if owner.request("GET", "/setup").status != 200:
            found.add(checks.BRICKED, "a unit in factory default offers no set-up")
        if owner.request("POST", "/login", {"password": world.password}).status in WRONG_CODES:
            found.add(checks.OPEN, "the last owner's password opens the device")
        return
    form = {"code": world.unit.setup_code, "password": checks.WRONG_PASSWORD}
    if owner.request("POST", "/setup", form).status in WRONG_CODES:
        found.add(checks.OPEN, "the set-up code works on an owned unit")
    opened = [password for password in outside.passwords if sign_in(outside, password)]
    if len(opened) != 1:
        found.add(checks.LOST, f"{len(opened)} of the owner's passwords open the device")
    owner.sign_out()
    if sign_in(outside, checks.WRONG_PASSWORD):
        found.add(checks.OPEN, "a wrong password signs in")
