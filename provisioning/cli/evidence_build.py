"""`firstboot evidence run` and `build`: sign the results of a test run, and make the evidence folder of signed runs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from provisioning.cli.addresses import signer_place
from provisioning.cli.compliance_inputs import today_utc, trusted_keys
from provisioning.cli.errors import InputError, RefusedError
from provisioning.cli.options import JsonOption, PackagesOption, ProductOption
from provisioning.cli.output import print_report
from provisioning.cli.settings import with_settings
from provisioning.cli.settings_fields import RelativeText
from provisioning.cli.signing_time import warn_of_clock
from provisioning.cli.statement_evidence import software_of
from provisioning.compliance.check_outcomes import FAIL, PASS
from provisioning.compliance.evidence import FIRMWARE, REQUIRED, read_table
from provisioning.compliance.evidence_run import TABLE, committed_text, signed_image, this_checkout
from provisioning.counted import counted
from provisioning.evidence.folder import SOURCES, Evidence, build_folder
from provisioning.evidence.runs import Runner, pytest_runner, read_run, record, robot_runner
from provisioning.keys.key_id import AnchorKey
from provisioning.keys.key_ring import ROLES
from provisioning.keys.signers import open_signer

_PERCENT = re.compile(r"\[ {0,2}(\d{1,3})%\]")
EMULATORS = ("qemu", "renode", "sim")
ImageOption = Annotated[
    Path, typer.Option("--image", metavar="FILE", help="The signed image that the units of the batch run.")
]
RunnerKeyOption = Annotated[
    str,
    typer.Option("--key", metavar="KEY", help="The test runner's key: a PEM file or a pkcs11: URI."),
    RelativeText(signer_place),
]
CheckoutOption = Annotated[
    Path, typer.Option("--checkout", metavar="DIR", help="The source tree that built the image.")
]


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The options of `evidence run`: the image, the tests, and the runner's key."""

    image: ImageOption
    key: RunnerKeyOption
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="New folder for the results.")]
    test: Annotated[
        list[str],
        typer.Option(
            "--test",
            metavar="PATH",
            help="Test file or folder of the source tree. Default: every test that the table of requirements names.",
        ),
    ] = field(default_factory=list)
    workers: Annotated[
        int,
        typer.Option(
            "--workers", metavar="N", min=1, help="Processes that run the tests (needs pytest-xdist)."
        ),
    ] = 1
    robot: Annotated[
        str | None,
        typer.Option("--robot", metavar="WHERE", help="Also run the Robot scenarios on qemu, renode or sim."),
    ] = None
    checkout: CheckoutOption = Path()
    is_json: JsonOption = False


@with_settings(RunSettings, "evidence.run")
def run(settings: RunSettings) -> None:
    """Run tests on the firmware of an image, and sign their results.

    The source tree must have no uncommitted changes, and must build the image's firmware byte for byte. Otherwise no
    test is run. With `--workers 3` all tests of the table take as long as `make test`; several runs can share them.

    Example: `firstboot evidence run --image 12.img --key runner.pem --out run1 --test tests/dual`
    """
    warn_of_clock("It becomes the date of the results: check it.")
    if settings.robot not in (None, *EMULATORS):
        raise InputError(f"--robot {settings.robot}: it must be one of {', '.join(EMULATORS)}.")
    image = settings.image.read_bytes()
    signed_image(image, str(settings.image))
    root = settings.checkout.resolve()
    tree = this_checkout(root)
    files = settings.test or _every_test(root)
    for path in files:
        if path.startswith("-") or not (root / path.partition("::")[0]).exists():
            raise InputError(f"--test {path}: there is no such file or folder in {root}.")
    runners: list[Runner] = [pytest_runner(settings.workers, Percentage())]
    if settings.robot is not None:
        runners.append(robot_runner(settings.robot))
    key = open_signer(settings.key)
    record(tree, image, files, key, today_utc(), runners, settings.out)
    anchor = AnchorKey(key.key_id, key.algorithm, ROLES["signatory"], key.public)
    found = read_run(settings.out, [anchor])
    failed = sorted({f"{case.file}::{case.name}" for case in found.cases if case.outcome == FAIL})
    lines = [
        f"{counted(len(found.cases), 'case')} ran, {counted(len(failed), 'test')} failed."
        f" The results are in {settings.out}."
    ]
    facts = {"cases": len(found.cases), "failed": failed, "folder": str(settings.out), "commit": found.commit}
    print_report(lines, facts, settings.is_json)
    if failed:
        raise RefusedError([f"{name} failed" for name in failed[:20]])


class Percentage:
    """Prints how much of the tests has run, from the lines of pytest's log, in steps of STEP percent."""

    STEP = 5

    def __init__(self) -> None:
        self._next = self.STEP

    def __call__(self, line: str) -> None:
        """Read one line of the log."""
        found = _PERCENT.search(line)
        if found is not None and int(found[1]) >= self._next:
            typer.echo(f"tests: {found[1]} %", err=True)
            self._next = int(found[1]) // self.STEP * self.STEP + self.STEP


def _every_test(root: Path) -> list[str]:
    rows = read_table(committed_text(root, TABLE)).values()
    return sorted({file for row in rows for file, _ in row.tests})


@dataclass(frozen=True, kw_only=True)
class BuildSettings:
    """The options of `evidence build`: product, image, runs, and the key that signs."""

    product: ProductOption
    image: ImageOption
    run: Annotated[
        list[Path],
        typer.Option(
            "--run", metavar="DIR", help="Folder of a test run (`evidence run`). Several are allowed."
        ),
    ]
    runner: Annotated[
        list[Path],
        typer.Option("--runner", metavar="FILE", help="Public key of a test runner whose results you trust."),
    ]
    key: RunnerKeyOption
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The evidence folder.")]
    package: PackagesOption = field(default_factory=list)
    checkout: CheckoutOption = Path()
    is_json: JsonOption = False


@with_settings(BuildSettings, "evidence.build")
def build(settings: BuildSettings) -> None:
    """Make the evidence folder of one image and batch of signed test runs.

    The folder is written also if tests failed: their rows are red. The exit code is 1 then, and if a legal requirement
    of the firmware was not run.

    Example: `firstboot evidence build --product product.toml --image 12.img --run run1 --runner runner.pub --key
    runner.pem --out evidence`
    """
    warn_of_clock("It becomes the date of the evidence: check it.")
    image = signed_image(settings.image.read_bytes(), str(settings.image))
    runners = trusted_keys(settings.runner)
    runs = [read_run(folder, runners) for folder in settings.run]
    root = settings.checkout.resolve()
    inputs = {name: committed_text(root, path, runs[0].commit).encode() for name, path in SOURCES.items()}
    software = software_of(settings.product, settings.package)
    found = build_folder(
        settings.out,
        settings.product,
        inputs,
        runs,
        software.packages,
        image.digest.hex(),
        open_signer(settings.key),
        today_utc(),
    )
    print_report(summary_lines(found, settings.out), summary_facts(found), settings.is_json)
    problems = found.problems() + [
        f"{row['id']}: {row['outcome']} ({row['detail']})"
        for row in found.rows()
        if row["id"] in REQUIRED[FIRMWARE] and row["outcome"] not in (PASS, FAIL, "not applicable")
    ]
    if problems:
        raise RefusedError(problems)


def summary_lines(found: Evidence, place: Path) -> list[str]:
    """Return what an evidence folder shows, in two lines."""
    counts = summary_facts(found)["outcomes"]
    words = ", ".join(f"{count} {name}" for name, count in counts.items())
    return [f"{place}: {words}.", f"SHA-256 of the signed evidence: {found.summary()['sha256']}"]


def summary_facts(found: Evidence) -> dict[str, Any]:
    """Return the same as JSON."""
    rows = found.rows()
    outcomes = {
        name: sum(row["outcome"] == name for row in rows)
        for name in ("pass", "fail", "not run", "not applicable")
    }
    about = {"image_sha256": found.image_sha256, "product": found.document["product"]}
    return {**found.summary(), **about, "outcomes": outcomes}
