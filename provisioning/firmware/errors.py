"""Errors of the firmware build: each says what is missing and what helps."""


class FirmwareError(Exception):
    """Base of every refusal of provisioning.firmware; its text is for people and holds no secret."""


class SourcesError(FirmwareError):
    """The pinned sources can be had neither from the mirror nor from the cache."""


class MissingToolError(FirmwareError):
    """A program of the build is not installed. `package` is the Debian package that brings it."""

    def __init__(self, tool: str, package: str) -> None:
        self.tool, self.package = tool, package
        super().__init__(f"{tool} is not installed (Debian: apt-get install {package})")


class CompileError(FirmwareError):
    """The build failed; the text ends with the compiler's last lines."""
