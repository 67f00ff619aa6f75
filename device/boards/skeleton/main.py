"""Start the unit with the board's ports (port.py). If this module returns, the unit restarts."""

from collections import namedtuple

import board
import port

from device.agent import agent
from device.ports import appfiles

Board = namedtuple("Board", ("NAME", "PBKDF2_ITERATIONS", "IS_DEVELOPMENT", "HAS_BUTTON", "HOST_NAMES"))


def ports() -> "agent.Ports":
    """Return the ports that the agent needs. Raises NotImplementedError while a step of the checklist is open."""
    flash = port.flash()
    boot = port.boot(flash)
    regions = port.regions(flash)
    return agent.Ports(
        flash=flash,
        layout=flash.layout,
        boot=boot,
        clock=port.clock(),
        entropy=port.entropy(),
        network=port.network(),
        factory_stream=port.factory_stream(),
        mount=regions.mount,
        format=regions.format,
        say=print,
        memory=port.memory,
        indicator=port.indicator(),
        key_store=port.key_store(),
        load_app=appfiles.load,
        wifi=port.wifi(),
        improv=None,
        board=Board(
            board.NAME, board.PBKDF2_ITERATIONS, port.is_development(), port.HAS_BUTTON, board.HOST_NAMES
        ),
    )


if __name__ == "__main__":  # frozen as main.py, importable by the checklist
    try:
        agent.run(ports())
    finally:
        import machine

        machine.reset()  # never the prompt
