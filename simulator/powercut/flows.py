"""The flows of a unit's life, as what people and servers do: each can be started again wherever a cut left it.

A flow is a starting point (another flow's end, and what is then published) and a script. The script does what a
station, an owner or nobody does until the flow's goal is reached, looking first at what the unit says of itself,
since it may come back after a cut. It tells (`machine.tell`) what the unit had promised to the outside.

New flows are added with `register`; `firstboot powercut` and `make powercut` run every one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from device.codec import cbor
from device.codec.frame import FrameDecoder, encode_frame
from device.errors import LinkError, LockedError, TrialFailedError
from provisioning.release.delta import has_detools
from provisioning.release.release import build_release
from simulator.ports.peers import Content
from simulator.powercut import bench as made
from simulator.powercut.machine import BrickedError, LostError, Machine, OpenedError, World
from simulator.powercut.releases import left_behind

Script = Callable[[Machine], Awaitable[None]]


@dataclass(frozen=True)
class Flow:
    """`after` names the flow whose end this one begins at, None for a bare board. `arrange` changes the world first."""

    name: str
    after: str | None
    script: Script
    arrange: Callable[[World], None] = lambda world: None
    # After a cut the world may be another: the next source answers, the owner has lost patience.
    rearrange: Callable[[World], None] = lambda world: None


FLOWS: dict[str, Flow] = {}


def register(flow: Flow) -> None:
    """Add a flow to every campaign. Raises ValueError for a name that is taken."""
    if flow.name in FLOWS:
        raise ValueError(f"flow {flow.name} exists")
    FLOWS[flow.name] = flow


# --- the factory -----------------------------------------------------------------------------------------------
class _Line:
    """A station's requests over the machine's factory line; a restart of the unit shows as LinkError."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._sequence = 0

    async def call(self, operation: str, **arguments: object) -> Any:
        """The results of one operation. Raises LockedError, LinkError, BrickedError for another refusal."""
        end = await self._machine.factory()
        if end is None:
            raise LinkError(reason="the unit does not listen")
        self._sequence += 1
        await end.write(encode_frame(cbor.encode([self._sequence, operation, arguments])))
        decoder = FrameDecoder()
        while True:
            data = await end.read(4096)
            if not data:
                raise LinkError(reason="the unit went away")
            for payload in decoder.feed(data):
                answer = cbor.decode(payload)
                if answer[1] == LockedError.code:
                    raise LockedError(state="locked")
                if answer[1]:
                    raise BrickedError(f"the station was refused: {answer[2]}")
                return answer[2]

    async def write(self, name: str, data: bytes) -> None:
        """A record in parts."""
        for offset in range(0, len(data), 2048):
            part = data[offset : offset + 2048]
            await self.call("write", name=name, offset=offset, data=part, total=len(data))


async def _provision_once(machine: Machine) -> bool:
    line = _Line(machine)
    if "hello" in await line.call("hello", nonce=b"n" * 16):
        machine.tell("locked")
        return True
    requests = {}
    for role in ("device", "web"):
        requests[role] = bytes((await line.call("make_key", role=role))["csr"])
    for name, data in machine.world.bench.station_records(requests).items():
        await line.write(name, data)
    sealed = await line.call("seal")
    await line.call("lock", record_hash=sealed["record_hash"])
    machine.tell("locked")
    return False


async def provision(machine: Machine) -> None:
    """A station provisions the unit, again from the start after each cut, until it proves its lock."""

    async def probe() -> bool | None:
        return await _provision_once(machine) or None

    await machine.until("a locked unit", probe)
    await machine.until("the set-up page", lambda: _answers(machine, "/setup"))


# --- the owner -------------------------------------------------------------------------------------------------
async def _answers(machine: Machine, path: str) -> bool:
    return (await machine.request("GET", path)).status == 200


async def is_owned(machine: Machine) -> bool:
    """Whether the unit has an owner, by its own pages. Waits until they answer."""

    async def probe() -> str | None:
        if await _answers(machine, "/login"):
            return "owned"
        return "new" if await _answers(machine, "/setup") else None

    return await machine.until("set-up or sign-in", probe) == "owned"


async def sign_in(machine: Machine, password: str) -> str:
    """The session that `password` opens, "" where it is refused. Waits while the unit throttles."""

    async def probe() -> list[str] | None:
        answer = await machine.request("POST", "/login", {"password": password})
        return None if answer.status in (429, 503) else [answer.session]

    return (await machine.until("sign-in", probe))[0]


async def set_up(machine: Machine) -> None:
    """The owner sets the device up, where a cut has not left it set up."""

    async def probe() -> bool | None:
        if await is_owned(machine):
            return True
        form = {"code": made.CODE, "password": made.PASSWORD}
        answer = await machine.request("POST", "/setup", form)
        if answer.status == 303:
            machine.tell("owned")
        return answer.status == 303 or None

    await machine.until("set-up", probe)
    if not await sign_in(machine, made.PASSWORD):
        raise BrickedError("the password that was set does not open the device")
    machine.tell("owned")
    machine.tell("password", made.PASSWORD)


async def status(machine: Machine, password: str = made.PASSWORD) -> Any:
    """The status page as data; signs in where the session is gone, since each sign-in writes to flash."""

    async def probe() -> Any:
        if not machine.session:
            machine.session = await sign_in(machine, password)
        answer = await machine.request("GET", "/status.json", session=machine.session)
        if answer.status == 200:
            return answer.json()
        machine.session = ""
        return None

    return await machine.until("the status page", probe)


async def change_password(machine: Machine) -> None:
    """The owner replaces the password; after a cut one of the two is valid, and never the old one once it was told."""

    async def probe() -> bool | None:
        if await sign_in(machine, made.NEW_PASSWORD):
            return True
        if machine.world.facts().get("password") == made.NEW_PASSWORD:
            raise LostError("the new password was taken and does not open the device")
        session = await sign_in(machine, made.PASSWORD)
        if not session:
            raise BrickedError("neither the old password nor the new one opens the device")
        form = {"current": made.PASSWORD, "password": made.NEW_PASSWORD}
        answer = await machine.request("POST", "/password", form, session)
        if answer.status in (200, 303):
            machine.tell("password", made.NEW_PASSWORD)
        return None

    await machine.until("the new password", probe)
    if await sign_in(machine, made.PASSWORD):
        raise OpenedError("the old password still opens the device")
    machine.tell("password", made.NEW_PASSWORD)


async def factory_reset(machine: Machine) -> None:
    """The owner gives the device away: all user data goes, then the set-up code is alive again (PW-03)."""

    async def probe() -> bool | None:
        if not await is_owned(machine):
            return True
        session = await sign_in(machine, made.PASSWORD)
        if session:
            machine.tell("reset")  # asked for: from here on it may happen, whether or not the answer comes
            form = {"password": made.PASSWORD, "confirm": "yes"}
            await machine.request("POST", "/reset", form, session)
        return None

    await machine.until("factory default", probe, 300.0, 1.0)
    if (await machine.request("POST", "/login", {"password": made.PASSWORD})).session:
        raise OpenedError("the last owner's password opens the device")


# --- updates ---------------------------------------------------------------------------------------------------
def _has_given_up(found: Any) -> bool:
    """Whether the status page says that a release did not stay (error 219, TrialFailedError)."""
    return TrialFailedError.code in [event["code"] for event in found["update"]["events"]]


async def updates(machine: Machine) -> None:
    """Release 2 comes to run, confirmed; where a cut ended its trial the unit gives it up, and release 3 comes."""

    async def probe() -> int | None:
        found = await status(machine)
        number = int(str(found["version"]).partition(".")[0])
        if number == 1 and _has_given_up(found):
            machine.world.publish(3)
        return None if number == 1 or found["is_trial"] else number

    machine.tell("confirmed", await machine.until("release 2 or 3", probe, 300.0, 1.0))


async def gives_up(machine: Machine) -> None:
    """Nobody does anything: the release in the other slot cannot confirm. Release 1 comes back and keeps the other one
    for another try; a cut or a missing server is no verdict.
    """

    async def probe() -> bool | None:
        found = await status(machine)
        settled = str(found["version"]).startswith("1.") and not found["is_trial"]
        return True if settled and _has_given_up(found) else None

    await machine.until("the release before runs again", probe, 3600.0, 30.0)


async def migrates(machine: Machine) -> None:
    """Release 2 or 3, whose records have another form, comes to run; then all of them are of that form."""
    await updates(machine)

    async def probe() -> bool | None:
        return not left_behind(machine._mount) or None

    await machine.until("records of the new form", probe)


async def takes_keys(machine: Machine) -> None:
    """The unit takes the next key set over and still believes its tracker."""
    wanted = machine.world.bench.next_key_set()

    async def probe() -> bool | None:
        if machine.records().read("keyset") != wanted:
            if "keys" in machine.world.facts():
                raise LostError("a key set that was taken over is gone")
            return None
        return (await status(machine))["time"] is not None or None

    await machine.until("the new key set", probe)
    machine.tell("keys")


def _new_keys(world: World) -> None:
    world.has_mqtt, world.has_coap = True, False
    world.published["keyset"] = world.bench.next_key_set()


def _over(*, mqtt: bool, coap: bool, number: int = 2) -> Callable[[World], None]:
    def arrange(world: World) -> None:
        world.has_mqtt, world.has_coap = mqtt, coap
        world.publish(number)

    return arrange


def _by_delta(world: World) -> None:
    """Release 2 with a patch from what the unit runs."""
    world.has_mqtt, world.has_coap = True, False
    bench = world.bench
    release = build_release(
        bench.images[2],
        vendor_id=bench.product.vendor_id,
        class_id=bench.product.class_id,
        sequence_number=2,
        signer=bench.ring.signer("author"),
        version="2.0.0",
        mitigates="what the campaign made up",
        interrupts="a restart",
        delta_from=bench.images[1],
    )
    content = Content(bench.product.class_id, lambda request: None)
    content.put_release(release)
    world.published.update(content.published)


def _switch(world: World) -> None:
    world.has_mqtt, world.has_coap = world.has_coap, world.has_mqtt


def _nobody(world: World) -> None:
    world.has_mqtt = world.has_coap = False


def _no_trials(world: World) -> None:
    """Servers are there until the trial begins, and gone in it."""
    _changed(world)
    world.serves_trials = False


def _changed(world: World) -> None:
    """Release 2 has records of another form: what it writes on trial, release 1 has to read."""
    _over(mqtt=True, coap=False)(world)
    world.changed_from = 2


register(Flow("provision", None, provision))
register(Flow("set-up", "provision", set_up, _nobody))
register(Flow("password-change", "set-up", change_password, _nobody))
register(Flow("factory-reset", "set-up", factory_reset, _nobody))
register(Flow("key-rotation", "set-up", takes_keys, _new_keys))
register(Flow("update-mqtt", "set-up", updates, _over(mqtt=True, coap=False)))
register(Flow("update-coap", "set-up", updates, _over(mqtt=False, coap=True)))
register(Flow("update-switch", "set-up", updates, _over(mqtt=True, coap=False), _switch))
register(Flow("update-switch-back", "set-up", updates, _over(mqtt=False, coap=True), _switch))
register(Flow("migrate", "set-up", migrates, _changed))
register(Flow("revert", "set-up", gives_up, _no_trials))
if has_detools():
    # A patch is applied from what is stored, and its transfer goes on over the other transport.
    register(Flow("update-delta", "set-up", updates, _by_delta, _switch))
