"""The operator's page of `firstboot station run --web`: where it listens, and how it is protected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioning.cli.errors import InputError, err
from provisioning.cli.station_settings import RunSettings
from provisioning.station.web.floor import Floor
from provisioning.station.web.login import Login

if TYPE_CHECKING:
    import uvicorn

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
ENDING: Final = "Ending after the runs in progress."


def serve_page(floor: Floor, address: str, settings: RunSettings) -> None:
    """The operator's page until Ctrl-C. Raises InputError if it would be served unsafely."""
    import uvicorn

    from provisioning.station.web.listener import listen

    host, port = _page_address(address)
    settings.require_safe_page()
    is_tls = settings.tls_certificate is not None and settings.tls_key is not None
    if host not in LOOPBACK and not is_tls:
        raise InputError(
            f"The operator's page on {host} can be reached from other machines, so it needs --tls-certificate and "
            "--tls-key."
        )
    config = _config(floor, host, port, settings, is_tls=is_tls)
    try:
        listener = listen(host, port)
    except OSError as error:
        floor.stop()
        raise InputError(f"The operator's page cannot listen on {host}:{port}: {error.strerror}.") from error
    err.print(f"The operator's page: {'https' if is_tls else 'http'}://{host}:{port}/ (Ctrl-C ends it)")
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        err.print(ENDING)
    finally:
        floor.stop()


def _config(floor: Floor, host: str, port: int, settings: RunSettings, *, is_tls: bool) -> uvicorn.Config:
    import uvicorn

    from provisioning.station.web.app import make_app
    from provisioning.station.web.hosts import hosts_of

    assert settings.login is not None  # noqa: S101 - require_safe_page
    hosts = hosts_of(host, settings.tls_certificate if is_tls else None)
    return uvicorn.Config(
        make_app(floor, Login.load(settings.login), hosts, is_tls=is_tls),
        host=host,
        port=port,
        loop="asyncio",  # listener.py
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # a client names no other address than its own
        timeout_graceful_shutdown=2,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )


def _page_address(text: str) -> tuple[str, int]:
    """Return (host, port) of PORT or HOST:PORT; loopback without a host. Raises InputError."""
    host, _, number = text.rpartition(":")
    if not number.isdecimal() or not 0 < int(number) < 65536:
        raise InputError("--web must be PORT or HOST:PORT.")
    return host.strip("[]") or LOOPBACK[0], int(number)
