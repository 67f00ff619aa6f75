"""A sensor as an application: it measures, keeps the extremes, and warns above a limit that the owner sets.

The measured value comes from `app.probe`, which replaces the driver of a real sensor.
"""

from app.probe import celsius

PERIODS_S = {"every 10 seconds": 10, "every minute": 60, "every 10 minutes": 600}


def declare(context):
    """Declare the page for the owner: what can be set, what is measured, what can be done."""
    parts = context.parts
    context.page(
        "Sensor",
        settings=(
            parts.number("limit", "Warn above", 30, -20, 60, "°C"),
            parts.choice("period", "Measure", "every minute", sorted(PERIODS_S)),
        ),
        readings=(
            parts.Reading("now", "Temperature", "°C"),
            parts.Reading("lowest", "Lowest", "°C"),
            parts.Reading("highest", "Highest", "°C"),
            parts.Reading("warm", "Above the limit", ""),
        ),
        actions=(parts.Action("measure", "Measure now"), parts.Action("forget", "Forget lowest and highest")),
    )


async def run(context):
    """Run until the device restarts. `context` is device.agent.apps.Context."""
    declare(context)
    lowest = highest = None
    count = 0
    while True:
        now = celsius(count)
        count += 1
        lowest = now if lowest is None else min(lowest, now)
        highest = now if highest is None else max(highest, now)
        is_warm = now > context.setting("limit")
        for name, value in (("now", now), ("lowest", lowest), ("highest", highest), ("warm", is_warm)):
            context.measure(name, value)
        context.report("{} °C{}".format(now, ", above the limit" if is_warm else ""))
        if await context.action(PERIODS_S[context.setting("period")]) == "forget":
            lowest = highest = None
