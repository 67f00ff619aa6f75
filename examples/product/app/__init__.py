"""The application of the example product: it reports a temperature on the status page.

`read_celsius` is where your driver goes.
"""

import asyncio

PERIOD_S = 2


def read_celsius(second):
    """Return a temperature in degrees Celsius: a slow triangle between 19 and 23, in place of a sensor."""
    step = second % 240
    return 19 + (step if step < 120 else 240 - step) / 30


async def run(context):
    """Run until the unit restarts. `context` is device.agent.apps.Context."""
    second = 0
    while True:
        context.report(f"temperature {read_celsius(second):.1f} C")
        await asyncio.sleep(PERIOD_S)
        second += PERIOD_S
