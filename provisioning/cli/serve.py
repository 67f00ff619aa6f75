"""`firstboot serve`: run the servers that your units ask for updates, and write the files to deploy them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli import serve_broker, serve_recipe
from provisioning.cli.commands import CommandGroup
from provisioning.cli.errors import InputError
from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_report
from provisioning.cli.serve_settings import AllSettings, CoapSettings, ServeSettings, TrackerSettings
from provisioning.cli.settings import with_settings
from provisioning.file_system import paths_in

HELP = """Run the servers that your units ask for updates.

Units fetch releases from an MQTT broker, from a CoAP server, or from both. Three programs serve them:

- the **broker** holds the published releases. It is mosquitto; `serve broker-config` writes its configuration;
- the **tracker** signs the time and the newest release number for each unit that asks. A unit installs nothing without
  that answer. `serve tracker` runs it on a broker;
- the **CoAP server** serves a release folder and has a tracker of its own: `serve coap`.

`serve all` runs tracker and CoAP server in one process. All options can be in the table `[serve]` of `firstboot.toml`;
`--show-config` prints each value and its source. Servers end with exit code 0 on SIGTERM and Ctrl-C.

Example: `firstboot serve all --config firstboot.toml`
"""

app = CommandGroup(HELP)


@app.command()
@with_settings(TrackerSettings, "serve.tracker")
def tracker(settings: TrackerSettings) -> None:
    """Run the status tracker on a broker until SIGTERM or Ctrl-C.

    It waits for a broker that is down and connects again when the broker restarts. Several trackers on one broker need
    a certificate and a name each: `tracker-lamps`, `tracker-heaters`.

    Example: `firstboot serve tracker --product product.toml --store published --signer tracker.pem --state state --mqtt
    broker.example.com:8883 --ca server-ca.crt --cert tracker.crt --key tracker.key`
    """
    _run(settings)


@app.command()
@with_settings(CoapSettings, "serve.coap")
def coap(settings: CoapSettings) -> None:
    """Run the CoAP server until SIGTERM or Ctrl-C.

    It serves the folder that `firstboot release publish --store` writes, to the units whose secrets are in its
    credential store. It listens on loopback unless --udp names another address.

    Example: `firstboot serve coap --product product.toml --store published --signer tracker.pem --state state --oscore
    oscore --udp 0.0.0.0:5683`
    """
    _run(settings)


@app.command("all")
@with_settings(AllSettings, "serve.all")
def serve_all(settings: AllSettings) -> None:
    """Run tracker and CoAP server in one process until SIGTERM or Ctrl-C.

    The options are those of `serve tracker` and `serve coap`.

    Example: `firstboot serve all --config firstboot.toml --json`
    """
    _run(settings)


@app.command("accept-clock")
def accept_clock(
    state: Annotated[Path, typer.Option("--state", metavar="DIR", help="The server's --state folder.")],
    is_json: JsonOption = False,
) -> None:
    """Confirm that the clock of this machine is right, after a server refused to sign its time.

    A unit never accepts a time before one that it has accepted. So check the clock first. Then stop the server, run
    this command, and start the server.

    Example: `firstboot serve accept-clock --state /var/lib/firstboot/state`
    """
    from provisioning.servers.folder_lock import FolderLock
    from provisioning.servers.signing_clock import SigningClock, system_time_s

    files = paths_in(state, "*.clock")
    if not files:
        raise InputError(
            f"{state} contains no clock file of a server. Give the folder that the server gets as --state."
        )
    for file in files:
        with FolderLock(state, file.stem):
            SigningClock.accept(file, system_time_s())
    servers = [file.stem for file in files]
    print_report(
        [f"Confirmed for {', '.join(servers)}. Start the server again."], {"servers": servers}, is_json
    )


@app.command("init-database")
def init_database(
    address: Annotated[
        str, typer.Argument(metavar="DB", help="postgresql://..., or a SQLite file on this machine.")
    ],
    is_json: JsonOption = False,
) -> None:
    """Create the tables that several server processes share (`--database`). An existing database is not changed.

    A password for PostgreSQL is read from ~/.pgpass or PGPASSWORD. The tables hold no secret of a unit.

    Example: `firstboot serve init-database postgresql://firstboot@db.example.com/servers`
    """
    from provisioning.shared_store.database import SharedDatabase

    database = SharedDatabase.create(address)
    try:
        print_report(
            [f"Created {database.name}."], {"database": database.name, "id": database.id.hex()}, is_json
        )
    finally:
        database.close()


app.command("broker-config")(serve_broker.broker_config)
app.command("recipe")(serve_recipe.recipe)


def _run(settings: ServeSettings) -> None:
    from provisioning.cli.serve_run import run

    run(settings)
