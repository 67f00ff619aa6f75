"""Join the ports of the emulated MPS2 boards with the agent."""

from collections import namedtuple

from device.agent import agent
from device.compat import const
from device.ports import appfiles, mps2

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

Board = namedtuple("Board", ("NAME", "PBKDF2_ITERATIONS", "IS_DEVELOPMENT", "HAS_BUTTON", "HOST_NAMES"))


def run(board: "Any", wifi: "Any" = None, improv: "Any" = None) -> None:
    """Start the agent; if this returns, the unit restarts. Raises OSError if the ROM did not start this firmware.

    `board`: the module with the board's facts. `wifi`, `improv`: of a firmware that has a model of a radio
    (mps2_an385/variants/radio.py); the boards have none.
    """
    regions = mps2.regions(mps2.is_unit_locked())
    ports = agent.Ports(
        flash=mps2.Mps2Flash(),
        layout=mps2.layout,
        boot=mps2.Mps2Boot().start(),
        clock=mps2.Mps2Clock(),
        entropy=mps2.Mps2Entropy(),
        network=mps2.Mps2Network(),
        factory_stream=mps2.factory_stream(),
        mount=regions.mount,
        format=regions.format,
        say=print,
        memory=mps2.memory,
        indicator=mps2.Mps2Indicator(),
        key_store=None,  # no secure element
        load_app=appfiles.load,
        wifi=wifi,
        improv=improv,
        board=Board(
            board.NAME, board.PBKDF2_ITERATIONS, mps2.is_development(), board.HAS_BUTTON, board.HOST_NAMES
        ),
    )
    agent.run(ports)
