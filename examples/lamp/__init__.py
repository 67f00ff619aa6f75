"""An application to begin with: the package `app` of a device. It shows what an application is given.

    firstboot release sign IMAGE --app examples/lamp ...

It runs after the owner's set-up, beside the local pages and the updates, in the same event loop: it waits with `await`,
never in a loop of its own, or the watchdog restarts the device. What it raises is an event on the status page.
"""

from app.scene import brightness

STEP_S = 5


def declare(context):
    """Declare the page for the owner: what can be set, what is measured, what can be done."""
    parts = context.parts
    context.page(
        "Lamp",
        settings=(
            parts.number("most", "Brightest", 100, 10, 100, "%"),
            parts.switch("by_day", "Follow the time of day", True),
        ),
        readings=(parts.Reading("now", "Brightness now", "%"),),
        actions=(parts.Action("toggle", "Switch on or off"),),
    )


async def run(context):
    """Run until the device restarts. `context` is device.agent.apps.Context."""
    declare(context)
    table = context.read("data/day.bin")
    seconds = 0
    is_lit = True
    while True:
        now = brightness(table, seconds // 60) if context.setting("by_day") else 100
        now = now * context.setting("most") // 100 if is_lit else 0
        context.measure("now", now)
        context.report(f"brightness {now} %, security updates: {context.support_state()}")
        if await context.action(STEP_S) == "toggle":  # also returns when the owner changed a setting
            is_lit = not is_lit
        seconds = (seconds + STEP_S) % 86400
