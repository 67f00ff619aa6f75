"""`firstboot station`: set up a station, provision units, check and ship them."""

from __future__ import annotations

from provisioning.cli.commands import CommandGroup
from provisioning.cli.output import print_json
from provisioning.cli.station_batch import check_batch, quarantine, rework
from provisioning.cli.station_init import init
from provisioning.cli.station_label import label
from provisioning.cli.station_provision import provision
from provisioning.cli.station_run import run, set_login
from provisioning.cli.station_sample import sample
from provisioning.cli.station_ship import ship
from provisioning.cli.station_show import show
from provisioning.product.sections import product_schema

HELP = """Set up a station, provision units, check and ship them.

The output of these commands contains no set-up code and no key. The set-up code is on the label's picture only (PNG,
mode 0600).

Example: `firstboot station init line --development` writes a product definition and prints the next command.
"""

app = CommandGroup(HELP)


def schema() -> None:
    """Print the JSON Schema (2020-12) of product definitions, for editors and other programs.

    Example: `firstboot station schema > product.schema.json`
    """
    print_json(product_schema())


# In the order of use, which is the order of the help.
app.command()(init)
app.command()(schema)
app.command()(provision)
app.command()(run)
app.command("set-login")(set_login)
app.command()(show)
app.command()(label)
app.command("check-batch")(check_batch)
app.command()(ship)
app.command()(sample)
app.command()(quarantine)
app.command()(rework)
app.moved("ca", "firstboot keys ca")
