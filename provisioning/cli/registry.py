"""`firstboot registry`: check, back up, export and sync the records of production."""

from __future__ import annotations

from provisioning.cli.commands import CommandGroup
from provisioning.cli.options import FilesOption, JsonOption, RegistryOption
from provisioning.cli.output import print_report
from provisioning.cli.registry_backup import backup, check_backup, restore
from provisioning.cli.registry_check import checkpoint, verify
from provisioning.cli.registry_consignees import list_consignees, record_consignee
from provisioning.cli.registry_decide import close_batch, decisions, incidents, settle, ship_batch, withdraw
from provisioning.cli.registry_export import export_command, import_secrets
from provisioning.cli.registry_sync import export_sync, finish_sync, import_sync, join, lease, sync
from provisioning.registry.registry import Registry

HELP = """Check, back up, export and sync the records of production.

A registry is a SQLite file, or `postgresql://HOST/NAME` with `--files` for its key files. Put the database password
into `~/.pgpass` or `PGPASSWORD`, never into the address.

Example: `firstboot registry verify --registry registry.db --checkpoint checkpoints`
"""

app = CommandGroup(HELP)


def init(registry: RegistryOption, files: FilesOption = None, is_json: JsonOption = False) -> None:
    """Create a registry. No other command creates one, so a mistyped name is an error and not a second registry.

    Example: `firstboot registry init --registry registry.db`
    """
    created = Registry.create(registry, files=files)
    created.close()
    key = str(created.database.location.key_path)
    lines = [f"Created the registry {registry}. Its key is {key}: back up both."]
    document = {"registry": registry, "registry_id": created.registry_id.hex(), "key": key}
    print_report(lines, document, is_json)


# In the order of use, which is the order of the help.
app.command()(init)
app.command()(checkpoint)
app.command()(verify)
app.command()(join)
app.command()(sync)
app.command("close-batch")(close_batch)
app.command("ship-batch")(ship_batch)
app.command("consignee")(record_consignee)
app.command("consignees")(list_consignees)
app.command()(incidents)
app.command()(decisions)
app.command()(settle)
app.command()(withdraw)
app.command("export")(export_command)
app.command("import-secrets")(import_secrets)
app.command()(backup)
app.command("check-backup")(check_backup)
app.command()(restore)
app.command()(lease)
app.command("export-sync")(export_sync)
app.command("import-sync")(import_sync)
app.command("finish-sync")(finish_sync)

for old, new in (
    ("station-key", "firstboot keys assign-station"),
    ("server-key", "firstboot keys generate server"),
    ("revoke", "firstboot registry withdraw"),
    ("drill", "firstboot registry check-backup"),
    ("release-batch", "firstboot registry ship-batch"),
):
    app.moved(old, new)
