"""`firstboot support`: extend the support period of a product, from the definition to the devices."""

from __future__ import annotations

from provisioning.cli.commands import CommandGroup
from provisioning.cli.support_extend import extend

HELP = """Extend the support period of a product, from the definition to the devices.

A published period can be extended, and never shortened (SI 2023/1007 Schedule 1 paragraph 3). An extension has to be
published as soon as is practicable.

Example: `firstboot support extend --config firstboot.toml --until 2033-12-31`
"""

app = CommandGroup(HELP)


@app.callback()
def group() -> None:
    """Keep `extend` a subcommand."""


app.command()(extend)
