"""Print which lines of device/ ran on CPython and which on the emulated board; called by `make coverage`.

It reads the two data files of build/coverage, .coverage.host and .coverage.board, and writes their union as a report
in HTML, which says for each line where it ran. `--json FILE` keeps the numbers. A file that the board does not have
(another port, another board) has no number there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coverage import Coverage
from coverage.data import CoverageData
from coverage.python import PythonParser

ROOT: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = ROOT / "build" / "coverage"
HOST, BOARD = FOLDER / ".coverage.host", FOLDER / ".coverage.board"


@dataclass
class Count:
    """Statements of one file or package, and how many of them ran where."""

    statements: int = 0
    host: int = 0
    board: int = 0
    either: int = 0
    is_on_board: bool = False

    def add(self, other: Count) -> None:
        """Add the numbers of one more file."""
        self.statements += other.statements
        self.host += other.host
        self.board += other.board
        self.either += other.either
        self.is_on_board = self.is_on_board or other.is_on_board


def read(path: Path) -> CoverageData:
    """Return a data file. Raises SystemExit without one."""
    if not path.is_file():
        raise SystemExit(f"{path.relative_to(ROOT)} is missing: run make coverage")
    data = CoverageData(str(path))
    data.read()
    return data


def counts(host: CoverageData, board: CoverageData) -> Iterator[tuple[str, Count]]:
    """Yield (file, its numbers) for every file of device/ with a statement."""
    for path in sorted((ROOT / "device").rglob("*.py")):
        parser = PythonParser(filename=str(path))
        parser.parse_source()
        ran = [set(data.lines(str(path)) or ()) & parser.statements for data in (host, board)]
        if parser.statements:
            yield (
                path.relative_to(ROOT).as_posix(),
                Count(
                    len(parser.statements),
                    len(ran[0]),
                    len(ran[1]),
                    len(ran[0] | ran[1]),
                    str(path) in board.measured_files(),
                ),
            )


def by_package(found: dict[str, Count]) -> dict[str, Count]:
    """Return the numbers of each package of device/, and of all under the name "device"."""
    packages: dict[str, Count] = {}
    total = Count()
    for name, count in found.items():
        packages.setdefault(name.rpartition("/")[0], Count()).add(count)
        total.add(count)
    packages.pop("device", None)
    return {**dict(sorted(packages.items())), "device": total}


def table(packages: dict[str, Count]) -> str:
    """Return the numbers as a table of text."""
    lines = [f"{'package':34} {'statements':>10} {'CPython':>8} {'board':>8} {'either':>8}"]
    for name, count in packages.items():
        board = _percent(count.board, count.statements) if count.is_on_board else "-"
        host, either = (_percent(part, count.statements) for part in (count.host, count.either))
        lines.append(f"{name:34} {count.statements:10} {host:>8} {board:>8} {either:>8}")
    return "\n".join(lines)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def write_html() -> Path:
    """Write the union of both data files as HTML, and return its first page."""
    both = Coverage(data_file=str(FOLDER / ".coverage"), config_file=str(ROOT / "pyproject.toml"))
    both.combine([str(HOST), str(BOARD)], keep=True)
    both.save()
    both.html_report(directory=str(FOLDER / "html"), show_contexts=True)
    return FOLDER / "html" / "index.html"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers of every file")
    arguments = parser.parse_args()
    found = dict(counts(read(HOST), read(BOARD)))
    if arguments.json:
        arguments.json.write_text(
            json.dumps({name: vars(one) for name, one in found.items()}, indent=1) + "\n"
        )
    print(table(by_package(found)))
    print(write_html().relative_to(ROOT))


if __name__ == "__main__":
    main()
