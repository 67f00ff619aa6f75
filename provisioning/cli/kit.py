"""`firstboot kit`: build kits for importers and distributors, check deliveries with them, keep statements."""

from __future__ import annotations

from provisioning.cli.commands import CommandGroup
from provisioning.cli.kit_build import build
from provisioning.cli.kit_check import check, keep

HELP = """Build kits for importers and distributors, check deliveries with them, and keep statements of compliance.

A kit is one signed folder for one party. Its page checks serial numbers without a network and without your registry.
Build it for each delivery, and again within 30 days. This is not legal advice.

Example: `firstboot kit check kit FB1-000001 --station station.pub --trust signatory.pub`
"""

app = CommandGroup(HELP)

# In the order of use, which is the order of the help.
app.command()(build)
app.command()(check)
app.command()(keep)
