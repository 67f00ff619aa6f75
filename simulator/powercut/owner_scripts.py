"""The owner's actions in a flow: set the device up, sign in, change the password, reset it. Each can start again."""

from __future__ import annotations

from typing import Any

from simulator.powercut import bench as made
from simulator.powercut.errors import BrickedError, LostError, OpenedError
from simulator.powercut.machine import Machine


async def answers(machine: Machine, path: str) -> bool:
    """Return whether the unit has this page now. Raises LinkError."""
    return (await machine.request("GET", path)).status == 200


async def is_owned(machine: Machine) -> bool:
    """Return whether the unit has an owner, from its own pages. Waits until they answer."""

    async def probe() -> str | None:
        if await answers(machine, "/login"):
            return "owned"
        return "new" if await answers(machine, "/setup") else None

    return await machine.until("set-up or sign-in", probe) == "owned"


async def sign_in(machine: Machine, password: str) -> str:
    """Return the session that `password` opens, "" if it is refused. Waits while the unit throttles."""

    async def probe() -> list[str] | None:
        answer = await machine.request("POST", "/login", {"password": password})
        return None if answer.status in (429, 503) else [answer.session]

    return (await machine.until("sign-in", probe))[0]


async def set_up(machine: Machine) -> None:
    """Set the device up, unless it is set up already."""

    async def probe() -> bool | None:
        if await is_owned(machine):
            return True
        form = {"code": made.CODE, "password": made.PASSWORD}
        answer = await machine.request("POST", "/setup", form)
        if answer.status == 303:
            machine.record_fact("owned")
        return answer.status == 303 or None

    await machine.until("set-up", probe)
    if not await sign_in(machine, made.PASSWORD):
        raise BrickedError("the password that was set does not open the device")
    machine.record_fact("owned")
    machine.record_fact("password", made.PASSWORD)


async def status(machine: Machine, password: str = made.PASSWORD) -> Any:
    """Return the status page as data. Signs in only if the session has ended, because each sign-in writes to flash."""

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
    """Replace the password. After a cut one of the two is valid, and only the new one once the unit accepted it."""

    async def probe() -> bool | None:
        if await sign_in(machine, made.NEW_PASSWORD):
            return True
        if machine.world.facts().get("password") == made.NEW_PASSWORD:
            raise LostError("the unit accepted the new password, but it does not open the device")
        session = await sign_in(machine, made.PASSWORD)
        if not session:
            raise BrickedError("neither the old password nor the new one opens the device")
        form = {"current": made.PASSWORD, "password": made.NEW_PASSWORD}
        answer = await machine.request("POST", "/password", form, session)
        if answer.status in (200, 303):
            machine.record_fact("password", made.NEW_PASSWORD)
        return None

    await machine.until("the new password", probe)
    if await sign_in(machine, made.PASSWORD):
        raise OpenedError("the old password still opens the device")
    machine.record_fact("password", made.NEW_PASSWORD)


async def factory_reset(machine: Machine) -> None:
    """Reset the device: all user data is erased, then the set-up code is valid again (PW-03)."""

    async def probe() -> bool | None:
        if not await is_owned(machine):
            return True
        session = await sign_in(machine, made.PASSWORD)
        if session:
            machine.record_fact(
                "reset"
            )  # from here on the reset may happen, whether or not the answer arrives
            form = {"password": made.PASSWORD, "confirm": "yes"}
            await machine.request("POST", "/reset", form, session)
        return None

    await machine.until("factory default", probe, 300.0, 1.0)
    if (await machine.request("POST", "/login", {"password": made.PASSWORD})).session:
        raise OpenedError("the last owner's password opens the device")
