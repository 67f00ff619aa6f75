"""mosquitto's configuration: one text for the broker of demo and tests and for a maker's own broker.

TLS 1.2 or newer, a client certificate for every connection, its common name as user name and client id, the rights of
provisioning.servers.access, and retained messages that are saved before a publisher reports success.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from provisioning.servers.broker import SAVED_AFTER_CHANGES
from provisioning.servers.errors import ServerError

USER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
CONFIGURATION: Final = """\
per_listener_settings false
listener {port} {host}
cafile {clients}
certfile {certificate}
keyfile {key}
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
acl_file {acl}
persistence true
persistence_location {data}/
autosave_on_changes true
autosave_interval {changes}
log_dest stderr
log_type error
log_type warning
log_type notice
log_type information
connection_messages true
max_packet_size 65536
set_tcp_nodelay true
"""


@dataclass(frozen=True)
class BrokerFiles:
    """The files and folders that a configuration names. `data` keeps the retained messages."""

    clients: Path  # authorities of devices and of the maker's own clients (PEM)
    certificate: Path
    key: Path
    acl: Path
    data: Path


def configuration_text(
    files: BrokerFiles, host: str, port: int, template: str = CONFIGURATION, run_as: str | None = None
) -> str:
    """Return the text of mosquitto.conf. `run_as`: the user that mosquitto changes to if root starts it.

    Raises ServerError for a path or user that mosquitto would read as something else.
    """
    paths = {name: str(path) for name, path in vars(files).items()}
    if any("\n" in path or path != path.strip() for path in paths.values()):
        raise ServerError("a path for mosquitto may not contain a line end, or begin or end with a space")
    if run_as is not None and USER.fullmatch(run_as) is None:
        raise ServerError(f"{run_as!r} is not the name of a user of this machine")
    user = "" if run_as is None else f"user {run_as}\n"
    return template.format(host=host, port=port, changes=SAVED_AFTER_CHANGES, **paths) + user
