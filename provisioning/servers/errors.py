"""What goes wrong around servers, as types that a caller can tell apart."""


class ServerError(RuntimeError):
    """A server could not be started, reached or stopped; the text says which and what to do."""


class ServerMissingError(ServerError):
    """The server's program is not installed."""


class PortBusyError(ServerError):
    """The port that was asked for is in use."""
