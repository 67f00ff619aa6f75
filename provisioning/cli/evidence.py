"""`firstboot evidence`: show from test runs which requirement is met, by which test, and what was not shown."""

from __future__ import annotations

from provisioning.cli.commands import CommandGroup
from provisioning.cli.evidence_build import build, run
from provisioning.cli.evidence_show import show, verify

HELP = """Show from test runs which requirement is met, by which code and test, on which target, and what was not shown.

`run` runs the tests and signs their results. `build` makes one folder for one image and batch of one or several runs:
the traceability matrix, ICS and IXIT of EN 303 645 and TS 103 701, as pages and JSON, signed as an in-toto statement in
a DSSE envelope. A statement of compliance can name it (`firstboot statement issue --traceability`).

Example: `firstboot evidence verify evidence --runner runner.pub`
"""

app = CommandGroup(HELP)

# In the order of use, which is the order of the help.
app.command()(run)
app.command()(build)
app.command()(show)
app.command()(verify)
