"""The address of a registry: a SQLite file, or a PostgreSQL database with a folder for its key files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from provisioning.registry.errors import RegistryError


@dataclass(frozen=True)
class Location:
    """The location of a registry: a file, or `postgresql://...` with a folder for its key files."""

    url: str
    key_path: Path
    file: Path | None

    @classmethod
    def of(cls, named: Path | str, files: Path | None = None, *, noun: str = "registry") -> Location:
        """Return the location that a person names. `files`: folder for the keys; PostgreSQL needs it.

        `noun`: what it is, for messages.

        Raises RegistryError for any other form, and for a password in the address (rule 4 of `database.py`).
        """
        text = str(named)
        if "://" not in text:
            path = Path(named)
            key_path = path.with_suffix(path.suffix + ".key") if files is None else files / f"{path.name}.key"
            return cls(f"sqlite:///{path}", key_path, path)
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):
            raise RegistryError(
                f"the {noun}'s address is not valid; use a file or postgresql://..."
            ) from None
        if url.password:
            raise RegistryError(
                f"the {noun}'s address must not hold a password: put it into ~/.pgpass or PGPASSWORD"
            )
        if not url.drivername.startswith("postgresql"):
            raise RegistryError(f"a {noun} is a SQLite file or postgresql://, not {url.drivername}")
        if files is None:
            raise RegistryError(f"a {noun} in PostgreSQL needs a folder for its key files (--files)")
        text = url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        return cls(text, files / "registry.key", None)

    @property
    def folder(self) -> Path:
        return self.key_path.parent

    @property
    def name(self) -> str:
        """Return the name for messages: the file, or the address, which holds no password."""
        return str(self.file) if self.file is not None else self.url.replace("+psycopg", "", 1)
