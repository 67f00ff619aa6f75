"""The product of the story: the example product, with the servers of this run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from provisioning.firmware.emulated import DEFAULT, EmulatedBoard
from provisioning.product.example import EXAMPLE
from simulator.story.inputs import for_board, without_servers

SERVER_NAME: Final = "updates.firstboot.test"
CHECK_INTERVAL_S: Final = {"sim": 1, "qemu": 3, "renode": 3}  # a real product asks at most once an hour


def product_text(
    on: str,
    host: str,
    ports: Mapping[str, int],
    base: str = EXAMPLE,
    check_interval_s: int | None = None,
    *,
    board: EmulatedBoard = DEFAULT,
) -> str:
    """Return the product definition `base` (TOML) with the servers of this run. `ports` is by transport: mqtt, coap.

    `check_interval_s`: None for that of a story.
    """
    interval_s = CHECK_INTERVAL_S[on] if check_interval_s is None else check_interval_s
    text = without_servers(base) + f"\n[update]\ncheck_interval_s = {interval_s}\n"
    for transport, port in ports.items():
        text += f'[[servers]]\ntransport = "{transport}"\nhost = "{host}"\nport = {port}\n'
        text += f'tls_name = "{SERVER_NAME}"\n' if transport == "mqtt" else ""
    return for_board(text, "simulator" if on == "sim" else board.name)
