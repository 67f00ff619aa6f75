"""`firstboot statement`: issue and keep statements of compliance, check a unit by its serial number."""

from __future__ import annotations

from provisioning.cli.commands import CommandGroup
from provisioning.cli.statement_archive import dispose, list_command, sign_withdrawals
from provisioning.cli.statement_evidence import evidence
from provisioning.cli.statement_issue import issue_command
from provisioning.cli.statement_scope import scope_command
from provisioning.cli.statement_verify import verify

HELP = """Issue and keep statements of compliance, and check a unit by its serial number.

The manufacturer makes the statement: a named person reads it and signs it with a key that only they can open. Firstboot
checks, prints and keeps statements. It never signs by itself, and it is not legal advice.

Example: `firstboot statement list --archive archive`
"""

app = CommandGroup(HELP)

# In the order of use, which is the order of the help.
app.command("scope")(scope_command)
app.command()(evidence)
app.command("issue")(issue_command)
app.command()(verify)
app.command("sign-withdrawals")(sign_withdrawals)
app.command("list")(list_command)
app.command()(dispose)
app.moved("draw-key", "firstboot keys generate signatory")
