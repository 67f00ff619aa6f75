"""Signed runs of this project's own table for tests: every named test passed, unless a test says otherwise."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from provisioning.compliance.evidence import read_table
from provisioning.compliance.evidence_run import Checkout
from provisioning.evidence import folder
from provisioning.evidence.runs import CONSOLE, JUNIT, record
from provisioning.release.image import image_info
from tests.unit.provisioning.compliance.image_bench import signed
from tests.unit.provisioning.compliance.statement_bench import RUNNER_KEY, RUNNER_TRUST, TODAY
from tests.unit.provisioning.real_maker import REAL

ROOT = Path(__file__).resolve().parents[4]
RAW = b"the firmware that this commit builds" * 40
IMAGE = signed(RAW)
OTHER = signed(b"the firmware of another commit" * 40)
DIGEST = image_info(IMAGE).digest.hex()
BOARD = "emulated board (QEMU, MPS2 AN385)"
HOST = "this machine, CPython"
Test = tuple[str, str, str]  # file, name, parameters


def inputs() -> dict[str, bytes]:
    """Return the files that `evidence build` reads from the commit: here from the working tree."""
    return {name: (ROOT / path).read_bytes() for name, path in folder.SOURCES.items()}


def every_test(table: bytes) -> list[Test]:
    """One case for each test that a table names; "test_all" for a whole file."""
    rows = read_table(table.decode()).values()
    return sorted({(file, name or "test_all", "") for row in rows for file, name in row.tests})


def junit(tests: Iterable[Test], outcomes: Mapping[str, str]) -> bytes:
    """Return JUnit XML; `outcomes`: failure or skipped, by test name."""
    suite = ElementTree.Element("testsuite")
    for file, name, parameters in tests:
        full = f"{name}[{parameters}]" if parameters else name
        place = file.removesuffix(".py").replace("/", ".")
        case = ElementTree.SubElement(suite, "testcase", classname=place, name=full)
        noted = ElementTree.SubElement(case, "properties")
        target = BOARD if "emulated" in file else HOST
        ElementTree.SubElement(noted, "property", name="target", value=target)
        if name in outcomes:
            ElementTree.SubElement(case, outcomes[name], message="words of the test")
    return ElementTree.tostring(suite)


def runner(tests: Sequence[Test], outcomes: Mapping[str, str]) -> Callable[[Path, Sequence[str], Path], None]:
    """Return what writes these results in place of a run."""

    def run(_root: Path, _files: Sequence[str], out: Path) -> None:
        (out / JUNIT).write_bytes(junit(tests, outcomes))
        (out / CONSOLE).write_text("".join(f"{file}::{name} PASSED\n" for file, name, _ in tests))

    return run


def checkout(raw: bytes = RAW) -> Checkout:
    return Checkout(ROOT, lambda _: "c0" * 20, lambda _: raw, lambda *_: b"", lambda *_: "")


def make_run(
    out: Path,
    outcomes: Mapping[str, str] | None = None,
    tests: Sequence[Test] | None = None,
    image: bytes = IMAGE,
    today: dt.date = TODAY,
) -> Path:
    """Write a signed run of every test of the table, and return its folder."""
    named = every_test(inputs()["requirements.md"]) if tests is None else tests
    tree = checkout(RAW if image == IMAGE else b"the firmware of another commit" * 40)
    record(tree, image, [], RUNNER_KEY, today, [runner(named, outcomes or {})], out)
    return out


def make_folder(root: Path, *runs: Path, today: dt.date = TODAY, text: str = REAL) -> folder.Evidence:
    """Write the evidence folder `root`/evidence of these runs, or of one in which everything passed."""
    (root / "product.toml").write_text(text)
    taken = [folder.read_run(run, RUNNER_TRUST) for run in runs or (make_run(root / "run"),)]
    return folder.build_folder(
        root / "evidence", root / "product.toml", inputs(), taken, {}, DIGEST, RUNNER_KEY, today
    )
