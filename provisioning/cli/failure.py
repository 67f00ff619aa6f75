"""`firstboot failure`: investigate possible compliance failures, notify, and keep the records."""

from __future__ import annotations

from provisioning.cli.commands import CommandGroup
from provisioning.cli.failure_decide import (
    clear,
    close,
    confirm,
    evidence,
    give_up,
    recall,
    remedy,
    reopen,
    result,
    step,
)
from provisioning.cli.failure_notify import authority, notify
from provisioning.cli.failure_open import open_command
from provisioning.cli.failure_show import due, lift, list_failures, record, show

HELP = """Investigate possible compliance failures, notify those whom section 11 names, and keep the records.

An investigation keeps its batches from shipping until it is closed. It is in the case store of `firstboot report`, in
the same signed log. This is not legal advice.

Example: `firstboot failure due --cases reports.db --registry registry.db`
"""

app = CommandGroup(HELP)

# In the order of use, which is the order of the help.
app.command("open")(open_command)
app.command("list")(list_failures)
app.command()(show)
app.command()(evidence)
app.command()(confirm)
app.command()(clear)
app.command()(notify)
app.command()(authority)
app.command()(recall)
app.command()(step)
app.command()(result)
app.command()(remedy)
app.command("give-up")(give_up)
app.command()(close)
app.command()(reopen)
app.command()(record)
app.command()(due)
app.command()(lift)
