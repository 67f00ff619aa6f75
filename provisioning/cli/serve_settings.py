"""The options of `firstboot serve tracker`, `coap` and `all`, and the plan that they describe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from provisioning.servers.maker_servers import ServerPlan, SharedState
    from provisioning.servers.mqtt_client import MqttAccess

from provisioning.cli.addresses import parse_address, parse_listen, registry_place, signer_place
from provisioning.cli.errors import InputError
from provisioning.cli.options import CA, STORE_HELP, NameOption
from provisioning.cli.settings_fields import RelativeText

HEALTH: Final = "127.0.0.1:9465"
COAP: Final = "127.0.0.1:5683"
STOP_S: Final = 10


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """The options of every server: products, release store, the tracker's key, state, health endpoint."""

    product: Annotated[
        list[Path],
        typer.Option(
            "--product",
            metavar="FILE",
            help="A product definition: its class is served. Repeat it for several.",
        ),
    ]
    store: Annotated[
        str,
        typer.Option("--store", metavar="STORE", help=STORE_HELP),
        RelativeText(registry_place),
    ]
    signer: Annotated[
        str,
        typer.Option(
            "--signer",
            metavar="KEY",
            help="The tracker's key, which signs the time: a PEM file (mode 0600) or a pkcs11: URI. Passphrase and PIN"
            " come from FIRSTBOOT_KEY_PASSPHRASE[_FILE] and FIRSTBOOT_PKCS11_PIN[_FILE].",
        ),
        RelativeText(signer_place),
    ]
    state: Annotated[
        Path,
        typer.Option(
            "--state", metavar="DIR", help="Folder for the latest signed time. Only this process may use it."
        ),
    ]
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            metavar="DB",
            help="What several server processes share: OSCORE numbers, replay windows and reports. postgresql://..., or"
            " a SQLite file for processes of one machine; `firstboot serve init-database` creates it.",
        ),
        RelativeText(registry_place),
    ] = None
    health: Annotated[
        str,
        typer.Option(
            "--health",
            metavar="HOST:PORT",
            help="Address of /healthz, /readyz and /metrics (HTTP, no login). `off`: none.",
        ),
    ] = HEALTH
    name_keyset: Annotated[
        bool,
        typer.Option(
            "--name-keyset",
            help="Also name the newest key set, so that units notice if it is withheld. Use it when no unit has"
            " firmware of version 0.1: that firmware refuses the answer.",
        ),
    ] = False
    trust_clock: Annotated[
        bool,
        typer.Option(
            "--trust-clock",
            help="Sign the time although the kernel does not report a synchronised clock: for a container or a virtual"
            " machine whose host keeps the time. Jumps are still refused.",
        ),
    ] = False
    stop_within: Annotated[
        int,
        typer.Option(
            "--stop-within", metavar="SECONDS", min=1, max=300, help="Longest time of a graceful stop."
        ),
    ] = STOP_S
    log_json: Annotated[
        bool,
        typer.Option("--log-json", help="Write the log on standard error as one JSON document per line."),
    ] = False
    is_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print one JSON document per change on standard output: listening, ready, stopped."
        ),
    ] = False

    def access(self) -> MqttAccess | None:
        """Return how the broker is reached; None: these servers use none."""
        return None

    def coap_address(self) -> tuple[str, int] | None:
        """Return where the CoAP server listens; None without one."""
        return None

    def oscore_folder(self) -> Path | None:
        """Return the CoAP server's credential store."""
        return None

    def shared(self) -> SharedState | None:
        """Return what several processes share; None: this one is alone. Raises SharedStoreError."""
        if self.database is None:
            return None
        from provisioning.shared_store.state import DatabaseState

        return DatabaseState(self.database)

    def plan(self) -> ServerPlan:
        """Opens the product definitions and the key. Raises ProductError, InputError, ValueError, OSError."""
        from provisioning.keys.signers import open_signer
        from provisioning.product.product import load_product
        from provisioning.servers.maker_servers import ServerPlan
        from provisioning.shared_store.places import release_stores

        if not self.product:
            raise InputError("Give --product at least once.")
        return ServerPlan(
            class_ids=tuple(dict.fromkeys(load_product(path).class_id for path in self.product)),
            store_of=release_stores(self.store, is_reader=True),
            state=self.state,
            signer=open_signer(self.signer),
            mqtt=self.access(),
            coap=self.coap_address(),
            oscore=self.oscore_folder(),
            health=None if self.health == "off" else parse_listen(self.health, "--health"),
            is_keyset_named=self.name_keyset,
            is_clock_trusted=self.trust_clock,
            shared=self.shared(),
        )


@dataclass(frozen=True, kw_only=True)
class TrackerSettings(ServeSettings):
    """The options of `serve tracker`: those of every server, and the broker."""

    mqtt: Annotated[str, typer.Option("--mqtt", metavar="HOST:PORT", help="The broker.")]
    ca: Annotated[Path, CA]
    cert: Annotated[
        Path,
        typer.Option(
            "--cert",
            metavar="FILE",
            help="Client certificate (PEM). Its name is `tracker`, or `tracker-NAME` for one of several.",
        ),
    ]
    key: Annotated[
        Path,
        typer.Option("--key", metavar="FILE", help="Private key of that certificate (PEM, mode 0600)."),
    ]
    name: NameOption = None

    def access(self) -> MqttAccess:
        """As ServeSettings. Raises InputError."""
        from provisioning.servers.mqtt_client import MqttAccess

        host, port = parse_address(self.mqtt)
        return MqttAccess(host, port, self.ca, self.cert, self.key, self.name)


@dataclass(frozen=True, kw_only=True)
class CoapSettings(ServeSettings):
    """The options of `serve coap`: those of every server, the UDP address and the credential store."""

    oscore: Annotated[
        Path,
        typer.Option(
            "--oscore",
            metavar="DIR",
            help="The credential store: the secrets that the servers share with units. Only one process may use it.",
        ),
    ]
    udp: Annotated[
        str,
        typer.Option(
            "--udp", metavar="HOST:PORT", help="UDP address of the CoAP server. Port 0: a free one."
        ),
    ] = COAP
    secrets: Annotated[
        Path | None,
        typer.Option(
            "--secrets",
            metavar="FILE",
            help="Read this file of `firstboot registry export secrets` at the start and on SIGHUP. Needs"
            " --secrets-key.",
        ),
    ] = None
    secrets_key: Annotated[
        Path | None,
        typer.Option(
            "--secrets-key",
            metavar="FILE",
            help="Private key that opens that file (oscore.key, made by `firstboot keys generate server`).",
        ),
    ] = None

    def coap_address(self) -> tuple[str, int]:
        """As ServeSettings. Raises InputError."""
        return parse_listen(self.udp, "--udp")

    def oscore_folder(self) -> Path:
        """As ServeSettings."""
        return self.oscore

    def plan(self) -> ServerPlan:
        """As ServeSettings."""
        if (self.secrets is None) != (self.secrets_key is None):
            raise InputError("--secrets and --secrets-key belong together: give both.")
        return super().plan()


@dataclass(frozen=True, kw_only=True)
class AllSettings(TrackerSettings, CoapSettings):
    """The options of `serve all`: those of `serve tracker` and `serve coap`."""
