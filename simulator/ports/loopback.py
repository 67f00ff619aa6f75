"""The host's network for a simulated unit: the pages listen on loopback, on the same port after every restart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from device.errors import LinkError
from device.ports.host import HostDatagram, HostNetwork, HostServer, HostStream, ServedHostStream
from simulator.ports.radio import SimWifi


class LoopbackNetwork(HostNetwork):
    """Keeps the port of the pages over restarts. The first start picks a free port; `port` is 0 before it.

    `group_port`: the port of multicast groups on loopback, None: no multicast. `radio`: the servers are reached only
    while it is on a network that lets the unit through; None: always.
    """

    def __init__(
        self,
        trusted_time: Callable[[], int | None],
        port: int,
        group_port: int | None = None,
        radio: SimWifi | None = None,
    ) -> None:
        self._radio = radio
        group_on = None if group_port is None else ("127.0.0.1", group_port)
        super().__init__(trusted_time, listen_on=("127.0.0.1", port), group_on=group_on)
        self.port = port

    def _require_link(self) -> None:
        if self._radio is not None and not self._radio.reaches_internet:
            raise LinkError(reason="no network")

    async def open_tls(
        self, host: str, port: int, name: str, ca_der: bytes, cert_der: bytes, key_der: bytes
    ) -> HostStream:
        """As HostNetwork.open_tls. Raises LinkError without a network too."""
        self._require_link()
        return await super().open_tls(host, port, name, ca_der, cert_der, key_der)

    async def open_udp(self, host: str, port: int) -> HostDatagram:
        """As HostNetwork.open_udp. Raises LinkError without a network too."""
        self._require_link()
        return await super().open_udp(host, port)

    async def serve_tls(
        self,
        port: int,
        cert_der: bytes,
        key_der: bytes,
        handler: Callable[[ServedHostStream], Awaitable[None]],
    ) -> HostServer:
        """As HostNetwork.serve_tls, on `self.port` instead of the port that the unit asks for."""
        server = await super().serve_tls(port, cert_der, key_der, handler)
        self.port = server.port
        return server
