"""An application to begin with: the package `app` of a device. It shows what an application is given.

    firstboot release sign IMAGE --app examples/lamp ...

It runs after the owner's set-up, beside the local pages and the updates, in the same event loop: it waits with `await`,
never in a loop of its own, or the watchdog restarts the device. What it raises is an event on the status page.
"""

import asyncio

from app.scene import brightness

STEP_S = 5


async def run(context):
    """Run until the device restarts. `context` is device.agent.apps.Context."""
    table = context.read("data/day.bin")
    seconds = 0
    while True:
        now = brightness(table, seconds // 60)
        context.report(f"brightness {now} %, security updates: {context.support_state()}")
        await asyncio.sleep(STEP_S)
        seconds = (seconds + STEP_S) % 86400
