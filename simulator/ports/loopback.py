"""The host's network for a simulated unit: the pages listen on loopback, on the same port after every restart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from device.ports.host import HostNetwork, HostServer, ServedHostStream


class LoopbackNetwork(HostNetwork):
    """Keeps the port of the pages over restarts. The first start picks a free port; `port` is 0 before it.

    `group_port`: the port of multicast groups on loopback, None: no multicast.
    """

    def __init__(
        self, trusted_time: Callable[[], int | None], port: int, group_port: int | None = None
    ) -> None:
        group_on = None if group_port is None else ("127.0.0.1", group_port)
        super().__init__(trusted_time, listen_on=("127.0.0.1", port), group_on=group_on)
        self.port = port

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
