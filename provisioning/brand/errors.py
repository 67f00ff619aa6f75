"""The error of a maker's brand folder."""


class BrandError(Exception):
    """The brand folder cannot be used. `problems`: one sentence each, which names the file and the value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
