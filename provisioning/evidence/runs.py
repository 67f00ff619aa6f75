"""A test run that its runner signed: result files, console log, and an in-toto test-result statement over them.

Rules:
1. The tests run on the image's firmware, as for `statement evidence` (`evidence_run.py`). Nothing is taken from an
   older run, and no file of another origin becomes a result.
2. The statement names the image, the commit, the day, the tools, and the SHA-256 of each file. A file that differs from
   it is refused.
3. A run is at most EVIDENCE_DAYS old when evidence is made of it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from provisioning.compliance.check_outcomes import FAIL, NOT_RUN, PASS, EvidenceError
from provisioning.compliance.evidence_run import UNSET, Checkout, checked_commit, tool_versions
from provisioning.compliance.junit import Case, read_cases
from provisioning.compliance.signed_evidence import COMMIT, EVIDENCE_DAYS
from provisioning.evidence import envelope
from provisioning.evidence.errors import EnvelopeError, EvidenceRefusedError
from provisioning.file_system import read_bounded, replace_file

if TYPE_CHECKING:
    from provisioning.keys.key_id import AnchorKey
    from provisioning.keys.signer import Signer

TEST_RESULT: Final = "https://in-toto.io/attestation/test-result/v0.1"
ENVELOPE: Final = "run.dsse.json"
JUNIT, ROBOT, CONSOLE = "junit.xml", "robot.xml", "console.log"
RESULTS: Final = (JUNIT, ROBOT)
NAMES: Final = (JUNIT, ROBOT, CONSOLE)
FILE_BYTES: Final = 64 << 20

Runner = Callable[[Path, Sequence[str], Path], None]


@dataclass(frozen=True)
class TestRun:
    """A run whose signature was verified. `files`: result files and log by name; `cases` of all result files."""

    __test__ = False  # for pytest

    image_sha256: str
    version: str
    commit: str
    made: dt.date
    tools: str
    runner: str
    files: Mapping[str, bytes]
    record: bytes
    cases: tuple[Case, ...]


def record(
    checkout: Checkout,
    image: bytes,
    files: Sequence[str],
    signer: Signer,
    today: dt.date,
    runners: Sequence[Runner],
    out: Path,
) -> None:
    """Run the test files on the firmware of `image`, and write results, log and signed statement into `out`.

    `runners` start the tests: (root, test files, folder for the results). Raises EvidenceError, OSError.
    """
    info, commit = checked_commit(checkout, image)
    if out.exists() and any(out.iterdir()):
        raise EvidenceError(f"{out} is not empty, and results of two runs must not mix")
    out.mkdir(parents=True, exist_ok=True)
    for run in runners:
        run(checkout.root, files, out)
    kept = {name: (out / name).read_bytes() for name in NAMES if (out / name).is_file()}
    cases = [case for name in RESULTS if name in kept for case in read_cases(kept[name])]
    if not cases:
        raise EvidenceError(f"the run wrote no result: read {out / CONSOLE}")
    predicate = _predicate(info.version_text, commit, today, kept, cases)
    statement = envelope.make_statement("firmware image", info.digest.hex(), TEST_RESULT, predicate)
    replace_file(out / ENVELOPE, envelope.sign(envelope.payload_of(statement), signer))


def _predicate(
    version: str, commit: str, today: dt.date, kept: Mapping[str, bytes], cases: Sequence[Case]
) -> dict[str, Any]:
    """Return the predicate of the in-toto test-result, version 0.1."""
    named = {
        outcome: sorted({_full_name(case) for case in cases if case.outcome == outcome})
        for outcome in (PASS, FAIL, NOT_RUN)
    }
    return {
        "result": "FAILED" if named[FAIL] else "PASSED",
        "configuration": [
            {"name": "source", "digest": {"gitCommit": commit}},
            {
                "name": "run",
                "annotations": {"made": today.isoformat(), "tools": tool_versions(), "version": version},
            },
            *({"name": name, "digest": {"sha256": sha256(data)}} for name, data in sorted(kept.items())),
        ],
        "passedTests": named[PASS],
        "failedTests": named[FAIL],
        "warnedTests": named[NOT_RUN],
    }


def _full_name(case: Case) -> str:
    return f"{case.file}::{case.name}" + (f"[{case.parameters}]" if case.parameters else "")


def sha256(data: bytes) -> str:
    """Return the digest in hex."""
    return hashlib.sha256(data).hexdigest()


def read_run(folder: Path, runners: Iterable[AnchorKey], source: str = "") -> TestRun:
    """Return the run in a folder (rule 2). Raises EvidenceError, EvidenceRefusedError, OSError."""
    name = source or str(folder)
    record_bytes = read_file(folder / ENVELOPE, envelope.ENVELOPE_BYTES)
    found = envelope.read(record_bytes, runners, (TEST_RESULT,), f"{name}/{ENVELOPE}")
    try:
        parts = {part["name"]: part for part in found.predicate["configuration"]}
        commit, about = str(parts["source"]["digest"]["gitCommit"]), parts["run"]["annotations"]
        made = dt.date.fromisoformat(about["made"])
        version, tools = str(about["version"]), str(about["tools"])
        digests = {part: str(parts[part]["digest"]["sha256"]) for part in NAMES if part in parts}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise EnvelopeError(f"{name}/{ENVELOPE} is not the statement of a test run") from None
    if not COMMIT.fullmatch(commit):
        raise EnvelopeError(f"{name}/{ENVELOPE} does not name the commit that was tested")
    files = {}
    for part, digest in digests.items():
        files[part] = read_file(folder / part, FILE_BYTES)
        if sha256(files[part]) != digest:
            raise EvidenceRefusedError([f"{name}/{part} is not the file that the test runner signed"])
    cases = tuple(case for part in RESULTS if part in files for case in read_cases(files[part]))
    return TestRun(
        found.subject, version, commit, made, tools, found.key_id.hex(), files, record_bytes, cases
    )


def read_file(path: Path, limit: int) -> bytes:
    """Return a file's bytes. Raises EvidenceError for one above `limit`, OSError."""
    data = read_bounded(path, limit)
    if data is None:
        raise EvidenceError(f"{path} has more than {limit} bytes")
    return data


def weaknesses(runs: Sequence[TestRun], image_sha256: str, today: dt.date) -> list[str]:
    """Return why evidence for this image cannot be made of these runs today, one sentence each."""
    found = []
    for run in runs:
        if run.image_sha256 != image_sha256:
            found.append(f"a run is about image {run.image_sha256}, not {image_sha256}")
        if run.made > today:
            found.append(f"a run has a date in the future, {run.made}")
        if (today - run.made).days > EVIDENCE_DAYS:
            found.append(f"the run of {run.made} is older than {EVIDENCE_DAYS} days")
    if len({run.commit for run in runs}) > 1:
        found.append("the runs tested different commits")
    if len({run.record for run in runs}) != len(runs):
        found.append("one run is given twice")
    return found


# Starting the tests ---------------------------------------------------------------------------------------


def pytest_runner(workers: int, on_line: Callable[[str], None]) -> Runner:
    """Return what runs test files with pytest in `workers` processes; a run with failures has its results too.

    `on_line` gets each line of the log, as it is written.
    """
    # A file's tests stay in one process, as in `make test`: they share boards and servers.
    parallel = ("-n", str(workers), "--dist", "loadfile") if workers > 1 else ()

    def run(root: Path, files: Sequence[str], out: Path) -> None:
        options = ("-v", "-p", "no:cacheprovider", *parallel, f"--junitxml={out / JUNIT}")
        _run([sys.executable, "-m", "pytest", *options, *files], root, out, on_line)

    return run


def robot_runner(emulator: str) -> Runner:
    """Return what runs the Robot suites on `emulator` (qemu, renode or sim)."""

    def run(root: Path, _files: Sequence[str], out: Path) -> None:
        reports = out / "robot"
        _run(
            [sys.executable, "-m", "renode.run", "--on", emulator, "--output", str(reports)],
            root,
            out,
            _ignore,
        )
        if (reports / JUNIT).is_file():
            replace_file(out / ROBOT, (reports / JUNIT).read_bytes())

    return run


def _ignore(_line: str) -> None:
    pass


def _run(command: Sequence[str], root: Path, out: Path, on_line: Callable[[str], None]) -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(UNSET)}
    streams: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
    }
    with (
        (out / CONSOLE).open("ab", buffering=0) as log,
        subprocess.Popen(command, cwd=root, env=plain, **streams) as process,
    ):
        for line in process.stdout or ():
            log.write(line)
            on_line(line.decode(errors="replace"))
