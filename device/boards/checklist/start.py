"""The parts together: what main.py gives the agent (agent.Ports)."""

from device.boards.checklist.expect import expect
from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any


def the_agent_gets_every_port(port: "Any", bench: "Any") -> None:
    found = __import__("main").ports()
    for name in (
        "flash",
        "layout",
        "boot",
        "clock",
        "entropy",
        "network",
        "factory_stream",
        "indicator",
        "board",
    ):
        expect(getattr(found, name) is not None, "main.ports() gives no " + name)
    for name in ("mount", "format", "say", "memory", "load_app"):
        expect(callable(getattr(found, name)), "main.ports() gives no function " + name)
    expect(isinstance(found.memory(), dict), "memory() returns no dictionary")
    expect(found.memory().get("heap_free_bytes", 0) > 0, "memory() has no heap_free_bytes")


def the_facts_of_the_board_are_there(port: "Any", bench: "Any") -> None:
    board = __import__("main").ports().board
    expect(bool(board.NAME), "board.NAME is empty")
    expect(board.PBKDF2_ITERATIONS >= 1000, "PBKDF2_ITERATIONS is {}".format(board.PBKDF2_ITERATIONS))
