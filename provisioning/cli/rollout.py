"""`firstboot rollout`: let a release reach the fleet in stages, and stop it if units fail."""

from __future__ import annotations

from provisioning.cli.commands import CommandGroup
from provisioning.cli.rollout_begin import begin
from provisioning.cli.rollout_decide import end, pause, resume
from provisioning.cli.rollout_run import run
from provisioning.cli.rollout_show import show

HELP = """Let a release reach the fleet in stages, and stop it if units fail.

The tracker signs the present stage into every answer, and each unit computes whether its turn has come. So no broker
can skip a stage. No unit is held back for more than 72 hours of running time.

Example: `firstboot rollout begin release-12 --store published --stage 1%:24h --stage 10%:24h --stage 100%`
"""

app = CommandGroup(HELP)

# In the order of use, which is the order of the help.
app.command()(begin)
app.command()(run)
app.command()(show)
app.command()(pause)
app.command()(resume)
app.command()(end)
