"""Options, spans of time and printed rows: the parts that the commands of `firstboot rollout` share."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from provisioning.cli.addresses import registry_place
from provisioning.cli.errors import InputError
from provisioning.cli.options import STORE_HELP
from provisioning.cli.output import print_result
from provisioning.cli.settings_fields import RelativeText
from provisioning.product.product import load_product
from provisioning.release.store import ReleaseStore
from provisioning.servers.rollout import FAILED, SILENT
from provisioning.servers.rollout_store import RolloutStore
from provisioning.servers.rollout_view import document_of
from provisioning.shared_store.places import is_database, release_stores

DEFAULT_ROLLOUTS: Final = Path("rollouts.db")
RolloutsOption = Annotated[
    Path, typer.Option("--rollouts", metavar="FILE", help="The rollouts; `rollout begin` creates the file.")
]
StoreOption = Annotated[
    str,
    typer.Option("--store", metavar="STORE", help=STORE_HELP),
    RelativeText(registry_place),
]
_SPAN: Final = re.compile(r"(\d{1,5})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_span(text: str, flag: str) -> int:
    """Return the seconds of `90m`, `24h` or `3d`. Raises InputError."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise InputError(f"{flag}: {text!r} is not a time such as 90m, 24h or 3d.")
    return int(found[1]) * _SECONDS[found[2]]


def store_of(place: str, product: Path) -> ReleaseStore:
    """Return the release store of a product. Raises as store_of_class, and ProductError."""
    return store_of_class(place, load_product(product).class_id)


def store_of_class(place: str, class_id: bytes) -> ReleaseStore:
    """Return the release store of a class. Raises SharedStoreError, and InputError for a folder that does not exist:

    no server reads one that a mistyped name made.
    """
    if not is_database(place) and not Path(place).is_dir():
        raise InputError(f"--store: {place} is not a folder. `firstboot release publish --store` makes it.")
    return release_stores(place)(class_id)


def print_rollout(kept: RolloutStore, class_id: bytes, is_json: bool) -> None:
    """Print the last rollout of a class. Raises RolloutError, OSError."""
    document = document_of(kept.latest(class_id))
    print_result(_rows(document), document, is_json)


def _rows(document: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [
        ("release", str(document["release"])),
        ("state", document["text"]),
        ("units that reported about it", str(document["units"])),
        ("restarted into it", str(document["began"])),
        ("confirmed", str(document["confirmed"])),
        (FAILED, str(document[FAILED])),
        (SILENT, str(document[SILENT])),
        ("stale", str(document["stale"])),
        *((f"run {version}", str(units)) for version, units in document["versions"].items()),
        *((f"reported {one['name']}", str(one["units"])) for one in document["errors"]),
    ]
    return rows + [(shown_time(one["time_s"]), one["what"]) for one in document["changes"]]


def shown_time(time_s: int) -> str:
    """Return a time as people read it, in UTC."""
    return dt.datetime.fromtimestamp(time_s, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
