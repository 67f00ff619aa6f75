"""`firstboot keys`: generate, show, rotate and revoke the maker's keys."""

from __future__ import annotations

from provisioning.cli.commands import CommandGroup
from provisioning.cli.keys_authority import app as authority_app
from provisioning.cli.keys_generate import app as generate_app
from provisioning.cli.keys_init import init
from provisioning.cli.keys_replace import revoke, rotate, stolen_key_drill
from provisioning.cli.keys_show import show
from provisioning.cli.keys_sign_set import sign_set
from provisioning.cli.keys_station import assign_station

HELP = """Generate, show, rotate and revoke keys.

A new maker starts with `firstboot keys init`. It generates all keys in one folder. A key may also be in a PKCS#11
token; Firstboot then never sees its private part.

When a key is stolen: `revoke` or `rotate` it, then sign a new key set with `sign-set` and publish the file with
`firstboot release publish --keyset`. Devices take the new key set over on their own.

No command prints a private key, a PIN or a passphrase, and none takes them from the command line. They are asked for,
or read from `FIRSTBOOT_PKCS11_PIN` and `FIRSTBOOT_KEY_PASSPHRASE` (or from the file that `..._FILE` names).

Example: `firstboot keys init maker --product product.toml`
"""

app = CommandGroup(HELP)
app.command()(init)
app.add_typer(generate_app, name="generate")
app.command()(show)
app.command("assign-station")(assign_station)
app.command()(rotate)
app.command()(revoke)
app.command("sign-set")(sign_set)
app.command("drill")(stolen_key_drill)
app.add_typer(authority_app, name="ca")
