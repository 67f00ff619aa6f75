"""Errors of the firmware build: each text names what is missing and the next step."""


class FirmwareError(Exception):
    """Base of the errors of provisioning.firmware. The text is for people and contains no secret."""


class SourcesError(FirmwareError):
    """The pinned sources are neither in the cache nor on the mirror."""


class CheckoutError(SourcesError):
    """A checkout that the user named lacks what the build needs."""


class MissingToolError(FirmwareError):
    """A program of the build is not installed. `package` is the Debian package that contains it."""

    def __init__(self, tool: str, package: str) -> None:
        self.tool, self.package = tool, package
        super().__init__(f"{tool} is not installed (Debian: apt-get install {package})")


class CompileError(FirmwareError):
    """The build failed; the text ends with the compiler's last lines."""
