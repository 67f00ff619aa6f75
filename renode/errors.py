"""Errors of the emulated hardware. The device's own errors are in device/errors.py."""

from __future__ import annotations


class MachineError(Exception):
    """Base class: the machine failed, not the firmware. The text names the log to read."""


class ToolMissingError(MachineError):
    """A program or library of the host is not installed; the text names its source."""

    def __init__(self, tool: str, remedy: str) -> None:
        super().__init__(f"{tool} is not installed: {remedy}")
        self.tool = tool
        self.remedy = remedy


class PowerStateError(MachineError):
    """The operation needs a board in the other power state."""


class EmulatorError(MachineError):
    """The emulator ended or refused a command; the text contains its last output."""


class LineClosedError(MachineError, ConnectionError):
    """A serial line has no board at its other end: the power is off."""


class ConsoleTimeoutError(MachineError, TimeoutError):
    """The console did not print the expected text in time; the error contains its last lines."""


class GatewayError(MachineError):
    """The network gateway could not start, or it stopped."""
