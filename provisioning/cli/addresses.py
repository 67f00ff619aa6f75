"""Addresses, locations and key ids that options name."""

from __future__ import annotations

import os
from pathlib import Path

from provisioning.cli.errors import InputError
from provisioning.keys.schemes import FILE_SCHEME, HSS_SCHEME, PKCS11_SCHEME


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


def parse_key_id(text: str) -> bytes:
    """Return the 8 bytes of a key id. Raises InputError."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != 8:
        raise InputError(f"{text!r} is not a key id, which has 16 hex digits.")
    return found


def signer_place(text: str, folder: Path) -> str:
    """Return the signer that a settings file in `folder` names: a path is relative to that folder."""
    if text.startswith(PKCS11_SCHEME):
        return text
    scheme = next(one for one in (HSS_SCHEME, FILE_SCHEME, "") if text.startswith(one))
    return scheme + os.fspath(folder / text.removeprefix(scheme))


def registry_place(text: str, folder: Path) -> str:
    """Return the registry that a settings file in `folder` names."""
    return text if "://" in text else str(folder / text)


def package_place(text: str, folder: Path) -> str:
    """Return NAME=FILE of a settings file in `folder`, with the file relative to that folder."""
    name, is_there, path = text.partition("=")
    return f"{name}={folder / path}" if is_there and path else text
