"""`firstboot release`: sign firmware into a release, inspect, verify and publish it."""

from __future__ import annotations

from provisioning.cli.commands import CommandGroup
from provisioning.cli.release_adoption import adoption_command
from provisioning.cli.release_affected import affected_command
from provisioning.cli.release_image import image_command
from provisioning.cli.release_inspect import inspect, verify
from provisioning.cli.release_publish import publish_command
from provisioning.cli.release_record import record_command
from provisioning.cli.release_sign import sign

HELP = """Sign firmware into releases, inspect releases, and verify them as a device would.

A release is a folder: `release.suit` (the signed SUIT envelope), `payload.bin` (the firmware) and `chunks.bin` (digests
of its chunks). If it has an application it also contains `app.bin` and `app-chunks.bin`, and for a delta `delta.bin`
and `delta-chunks.bin`.

Example: `firstboot release verify release-12 --key maker/keys/author.pem --product product.toml`
"""

app = CommandGroup(HELP)

# In the order of use, which is the order of the help.
app.command("image")(image_command)
app.command()(sign)
app.command("record")(record_command)
app.command("publish")(publish_command)
app.command()(inspect)
app.command()(verify)
app.command("affected")(affected_command)
app.command("adoption")(adoption_command)

for old, new in (
    ("init", "firstboot keys init"),
    ("keygen", "firstboot keys generate signing"),
    ("keyset", "firstboot keys sign-set"),
    ("rotate", "firstboot keys rotate"),
    ("revoke", "firstboot keys revoke"),
    ("drill", "firstboot keys drill"),
):
    app.moved(old, new)
