"""Errors of servers and of connections to them, one class for each case that a caller handles differently."""


class ServerError(RuntimeError):
    """A server could not be started, reached or stopped; the text names it and the next step."""


class ServerMissingError(ServerError):
    """The program of the server is not installed."""


class PortBusyError(ServerError):
    """The requested port is in use."""


class ReportError(ServerError):
    """A report cannot be written to the disk, so it is not acknowledged."""


class ReportShareError(ReportError):
    """A unit has used its share of the reports that are kept (report_share.py)."""


class TrackerError(ServerError):
    """The tracker's key does not sign."""
