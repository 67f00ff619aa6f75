"""Addresses and locations that options name."""

from __future__ import annotations

from pathlib import Path

from provisioning.cli.errors import InputError


def parse_address(text: str) -> tuple[str, int]:
    """HOST:PORT; an IPv6 host is in brackets. Raises InputError."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise InputError(f"{text!r} is not HOST:PORT.")
    return host, int(port)


def parse_listen(text: str, option: str) -> tuple[str, int]:
    """HOST:PORT to listen on; port 0 is a free one. Raises InputError, which names the option."""
    host, _, port = text.rpartition(":")
    if port == "0" and host:
        return host.removeprefix("[").removesuffix("]"), 0
    try:
        return parse_address(text)
    except InputError:
        raise InputError(f"{option}: {text!r} is not HOST:PORT.") from None


def registry_place(text: str, folder: Path) -> str:
    """Return the registry that a settings file in `folder` names."""
    return text if "://" in text else str(folder / text)
