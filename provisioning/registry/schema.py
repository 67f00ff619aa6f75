"""The tables of a registry: created if they are missing, migrated if they are older (alembic).

Rules:
1. A new registry gets its tables from the models, in one transaction. Tests show that the migrations lead to the same
   tables.
2. An older registry is migrated in one transaction, so an interruption leaves either the old or the new schema.
3. A registry that a newer program wrote is refused and not changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, MetaData, inspect, text

from provisioning.registry.errors import RegistryError
from provisioning.registry.models import Base, Setting

_VERSION_TABLE: Final = "alembic_version"


@dataclass(frozen=True)
class StoreKind:
    """A kind of database that this package opens: its tables, its revisions, and its words for messages.

    `setting`: the model of its facts about itself. `known`: every revision, the newest last.
    """

    noun: str
    metadata: MetaData
    setting: Any
    known: tuple[str, ...]
    scripts: str  # alembic's script location
    create: str  # the command that creates one
    user: str  # the program that is started again after a restore

    @property
    def head(self) -> str:
        """Return the newest revision."""
        return self.known[-1]


HEAD: Final = "0006"
KNOWN: Final = ("0001", "0002", "0003", "0004", "0005", "0006")
REGISTRY: Final = StoreKind(
    noun="registry",
    metadata=Base.metadata,
    setting=Setting,
    known=KNOWN,
    scripts="provisioning.registry:migrations",
    create="firstboot registry init",
    user="station",
)


def prepare(connection: Connection, kind: StoreKind = REGISTRY) -> bool:
    """Create the tables inside the running transaction. Return False if they exist already. Raises RegistryError."""
    found = revision(connection)
    if found == "":
        kind.metadata.create_all(connection)
        connection.execute(
            text(f"CREATE TABLE {_VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        )
        connection.execute(text(f"INSERT INTO {_VERSION_TABLE} VALUES (:head)"), {"head": kind.head})  # noqa: S608
        return True
    if found not in kind.known:
        raise RegistryError(
            f"the {kind.noun} was written by another version of this program (schema {found}): use that version"
        )
    return False


def revision(connection: Connection) -> str:
    """Return the schema's revision; "" if there are no tables, "0001" for registries from before alembic."""
    tables = set(inspect(connection).get_table_names())
    if _VERSION_TABLE in tables:
        row = connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).first()  # noqa: S608
        return str(row[0]) if row is not None else "none"
    if not tables:
        return ""
    return "0001" if "production_record" in tables else "unknown"


def migrate(connection: Connection, found: str, target: str = "", kind: StoreKind = REGISTRY) -> None:
    """Run the migrations from revision `found` to `target` (default: the newest) on this connection."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", kind.scripts)
    config.attributes["connection"] = connection
    if found == "0001" and _VERSION_TABLE not in inspect(connection).get_table_names():
        command.stamp(config, "0001")
    command.upgrade(config, target or kind.head)
