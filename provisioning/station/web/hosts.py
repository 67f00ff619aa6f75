"""The host names that the operator's page accepts. It refuses all others, which prevents DNS rebinding.

Rules:
1. A page on loopback accepts the names of loopback only.
2. A page on another interface accepts the address that it listens on, the names of its TLS certificate, the machine's
   own names, and any numeric address: a numeric address cannot be rebound.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Hosts:
    """The names in lower case. `has_addresses`: whether every numeric address is accepted (rule 2)."""

    names: frozenset[str]
    has_addresses: bool = False

    def accepts(self, header: str) -> bool:
        """Return whether a Host header (NAME, NAME:PORT, [IPv6]:PORT) is accepted."""
        name = _name_of(header)
        return name in self.names or (self.has_addresses and _is_address(name))


def hosts_of(host: str, certificate: Path | None = None) -> Hosts:
    """Return the hosts of a page that listens on `host`. Raises OSError; ValueError for an unreadable certificate."""
    if host in LOOPBACK:
        return Hosts(frozenset(LOOPBACK))
    names = {host.lower(), *certificate_names(certificate)}
    for own in (socket.gethostname(), socket.getfqdn()):
        names |= {own.lower(), own.partition(".")[0].lower() + ".local"}
    return Hosts(frozenset(names - {"0.0.0.0", "::", ""}), has_addresses=True)  # noqa: S104 - not bound here


def certificate_names(path: Path | None) -> set[str]:
    """Return the DNS names in a certificate (PEM). Raises OSError, ValueError."""
    if path is None:
        return set()
    found = x509.load_pem_x509_certificate(path.read_bytes())
    try:
        alternative = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {name.lower() for name in alternative.get_values_for_type(x509.DNSName)}


class HostCheck:
    """Refuses a request for any other host with status 400."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._hosts.accepts(Headers(scope=scope).get("host", "")):
            text = "This station does not have that name. Use the address that it printed at its start."
            await PlainTextResponse(text, 400)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _name_of(header: str) -> str:
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
