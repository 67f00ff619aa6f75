"""The text form of an image version."""


def version_text(version: "tuple[int, int, int, int]") -> str:
    """Major, minor, revision and build of an image header as "1.2.3+4"."""
    return "{}.{}.{}+{}".format(*version)
