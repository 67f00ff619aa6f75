"""Every error of the emulated hardware, apart from the device's own."""

from __future__ import annotations


class MachineError(Exception):
    """Base: the machine, not the firmware, failed. The text says what to look at."""


class ToolMissingError(MachineError):
    """A program or library of the host is not installed; the text names where it comes from."""

    def __init__(self, tool: str, remedy: str) -> None:
        super().__init__(f"{tool} is not installed: {remedy}")
        self.tool = tool
        self.remedy = remedy


class PowerStateError(MachineError):
    """The operation needs the board to be in the other power state."""


class EmulatorError(MachineError):
    """The emulator ended or refused by itself; the text carries its last words."""


class LineClosedError(MachineError, ConnectionError):
    """A serial line has no board at its other end (power is off)."""


class ConsoleTimeoutError(MachineError, TimeoutError):
    """The console did not print what was waited for; the text carries its last lines."""


class GatewayError(MachineError):
    """The network gateway could not start or keep going."""
